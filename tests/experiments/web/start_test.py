"""Tests of how the server starts and ends; serve_test.py has that of an end in the middle of a run."""

import contextlib
import os
import signal

import pytest

from experiments.web import door, start
from experiments.web.places import Place


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def number(request):
    """Returns a signal that is not ignored, as `nohup` has the tests ignore SIGHUP."""
    before = signal.signal(request.param, signal.SIG_DFL)
    yield request.param
    signal.signal(request.param, before)


def test_signal_while_nothing_is_tracked_is_no_failure(number, tmp_path, monkeypatch, capfd):
    @contextlib.asynccontextmanager
    async def serving(board, listening, token, hosts):
        told = capfd.readouterr().out
        assert f"http://127.0.0.1:{listening.getsockname()[1]}/{token}/ " in told and hosts == ["127.0.0.1"]
        os.kill(os.getpid(), number)
        yield

    monkeypatch.setattr(start.server, "serving", serving)
    tools = door.make_tools(None, None, 0, {}, load=lambda *_, **__: None)
    assert start.run("mlt-web", Place(root=tmp_path), tools, "127.0.0.1", 0) is None
    assert capfd.readouterr().err == ""
