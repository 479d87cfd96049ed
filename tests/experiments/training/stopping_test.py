"""Tests of the signals that stop a training."""

import os
import signal
import subprocess
import sys

import pytest

from experiments.training import stopping

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@pytest.fixture(autouse=True)
def terminal():
    """Lets SIGHUP end a process, as it does where the tests do not run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", SIGNALS)
def test_signal_becomes_a_request(number, capfd):
    before = {n: signal.getsignal(n) for n in SIGNALS}
    with stopping.on_signals() as stop:
        assert stop() is None
        os.kill(os.getpid(), number)
        assert stop() == number.name
        os.kill(os.getpid(), signal.SIGTERM)  # A scheduler may say it twice.
        assert stop() == number.name
    assert {n: signal.getsignal(n) for n in before} == before
    assert capfd.readouterr().err == f"{number.name}: stopping after this step; Ctrl-C stops at once\n"


@pytest.mark.parametrize("number", SIGNALS)
def test_signal_ends_at_once_where_there_is_nothing_to_save(number, capfd, monkeypatch):
    monkeypatch.setattr("sys.argv", ["/far/away/train_toy.py", "--run_dir=/far/away/run"])
    before = {n: signal.getsignal(n) for n in SIGNALS}

    @stopping.before_steps()
    def train():
        with stopping.on_signals() as stop:
            os.kill(os.getpid(), number)
            assert stop() == number.name
        os.kill(os.getpid(), number)
        raise AssertionError("still here")

    with pytest.raises(SystemExit) as caught:
        train()
    assert caught.value.code == 0 and {n: signal.getsignal(n) for n in before} == before
    on = "python -m experiments.train_toy --run_dir=/far/away/run"
    assert capfd.readouterr().err.endswith(f"\n{number.name}: stopped between steps; to go on: {on}\n")


def test_hangup_stays_ignored_under_nohup():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with stopping.on_signals() as stop:
        os.kill(os.getpid(), signal.SIGHUP)
        assert stop() is None


def test_handlers_are_restored_after_an_error():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyError), stopping.on_signals():
        raise KeyError
    assert signal.getsignal(signal.SIGINT) == before


def test_second_interrupt_ends_the_process_at_once():
    program = """
import os, signal
from experiments.training import stopping
with stopping.on_signals() as stop:
    os.kill(os.getpid(), signal.SIGINT)
    print(stop(), flush=True)
    os.kill(os.getpid(), signal.SIGINT)
    print("still here")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (-signal.SIGINT, "SIGINT\n")


def test_nothing_is_installed_on_import():
    program = "import signal; a = signal.getsignal(2), signal.getsignal(15); import experiments.training.stopping; "
    program += "assert (signal.getsignal(2), signal.getsignal(15)) == a"
    subprocess.run([sys.executable, "-c", program], check=True)
