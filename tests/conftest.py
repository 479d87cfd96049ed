"""What every test shares: fixed seeds and a quiet TensorFlow."""

import os
import random
import signal
import sys
import threading

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # Test modules, which may import TensorFlow, come after this.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # As video.quiet_opencv, before a test writes a video.


def seed_everything() -> None:
    """Seeds every source of random numbers, TensorFlow's only where a test module has imported it."""
    random.seed(0)
    np.random.seed(0)
    if "tensorflow" in sys.modules:
        sys.modules["tensorflow"].keras.utils.set_random_seed(0)


@pytest.fixture(autouse=True, scope="module")
def seeds_of_module():
    """Seeds what fixtures share among the tests of a module."""
    seed_everything()


@pytest.fixture(autouse=True)
def seeds_of_test():
    """Seeds each test, so that it draws the same numbers whichever tests run before it."""
    seed_everything()


@pytest.fixture(autouse=True, scope="session")
def ctrl_c():
    """Lets Ctrl-C raise KeyboardInterrupt in tests and their processes: background jobs of a shell ignore it."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def two_devices():
    """Returns a process of two devices, for functions of a module: `two_devices.submit(function, ...).result()`."""
    from tests import two_devices

    with two_devices.start() as process:
        yield process
