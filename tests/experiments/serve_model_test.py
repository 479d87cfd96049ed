"""Tests of the command that serves an exported tracker."""

import signal
import sys

import pytest

from experiments import serve_model
from experiments.serve_model import Request
from experiments.serving import service
from experiments.shared import command_line
from mlt_tf.errors import InputError
from tests.trackers import CountingModel


def test_it_serves_a_model_where_it_says(monkeypatch, capsys):
    monkeypatch.setattr(service, "load_model", lambda folder: CountingModel())
    ports = []
    serve_model.serve(["model"], Request(port=0), lambda app, listening: ports.append(listening.getsockname()[1]))
    assert f"at http://127.0.0.1:{ports[0]}/" in capsys.readouterr().out


@pytest.mark.parametrize("words", [[], ["a", "b"]])
def test_it_wants_one_folder(words):
    with pytest.raises(InputError, match="give one folder"):
        serve_model.serve(words, Request())


def test_without_aiohttp_it_says_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "experiments.serving.service")
    monkeypatch.delattr(sys.modules["experiments.serving"], "service")
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    with pytest.raises(InputError, match=r"pip install 'mlt_tf\[web\]'"):
        serve_model.serve(["model"], Request())


def test_a_signal_stops_it_from_its_first_instant_on_but_not_one_that_nohup_ignores(monkeypatch):
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL), signal.signal(signal.SIGHUP, signal.SIG_IGN)
    monkeypatch.setattr(serve_model, "define_flags", lambda values: None)
    monkeypatch.setattr(command_line, "start", lambda main: signal.raise_signal(signal.SIGTERM))
    try:
        with pytest.raises(KeyboardInterrupt):
            serve_model.run()
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGHUP, before[1])
