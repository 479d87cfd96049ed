"""Times actions side by side: in turn, so that whatever else the machine does meets all of them alike."""

import time
from collections.abc import Callable
from typing import Any


def interleaved(actions: dict[str, Callable[[], Any]], repetitions: int) -> dict[str, list[float]]:
    """Runs actions in turn, each once untimed before, and returns the seconds that each took each time."""
    for action in actions.values():
        action()
    seconds = {name: [] for name in actions}
    for _ in range(repetitions):
        for name, action in actions.items():
            start = time.perf_counter()
            action()
            seconds[name].append(time.perf_counter() - start)
    return seconds
