"""Tests that worker processes end with their parent."""

import operator
import os
import signal
import subprocess
import sys
import time

import pytest

from data_pipelines.datasets import processes
from tests.endings import PATIENCE, ROOT

# A parent whose two workers tell their numbers, when they start or when they work, and then wait for an hour. A line is
# one write: `print` may make two, between which the other worker's come.
PARENT = """
import multiprocessing, os, sys, time
from data_pipelines.datasets import processes

def tell():
    os.write(1, f"{os.getpid()}\\n".encode())

def work(_):
    tell()
    time.sleep(3600)

if __name__ == "__mp_main__" and STARTING:
    tell()
    time.sleep(1)
if __name__ == "__main__":
    with processes.pool(2) as pool:
        list(pool.map(work, range(2)))
"""


def is_alive(number):
    try:
        with open(f"/proc/{number}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("starting", [False, True])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_a_parent_that_is_killed_also_while_they_start(tmp_path, number, starting):
    (tmp_path / "parent.py").write_text(PARENT.replace("STARTING", str(starting)))
    words = [sys.executable, str(tmp_path / "parent.py")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True) as parent:
        workers = [int(parent.stdout.readline()) for _ in range(2)]
        assert all(map(is_alive, workers))
        parent.send_signal(number)
        parent.wait()
        deadline = time.monotonic() + PATIENCE
        while any(map(is_alive, workers)) and time.monotonic() < deadline:
            time.sleep(0.1)
    assert not any(map(is_alive, workers))


def test_pool_works_and_prepares_its_processes():
    with processes.pool(1, os.umask, 0o027) as pool:
        assert pool.submit(operator.add, 1, 2).result() == 3
        assert pool.submit(os.umask, 0).result() == 0o027
