"""Times actions in turn, so that whatever else the machine does meets all of them alike; and how fast a tracker is."""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

WARM_UP = 2  # Frames of a sequence that its speed leaves out.


def frames_per_second(seconds: Sequence[float]) -> float | None:
    """Returns a tracker's frames a second in one sequence: one over the median of the seconds that a frame took.

    The first two frames are left out: in one the tracker starts, in the other it compiles its search. As the median is
    over frames, the updates, one every 30 frames, do not show in it.

    Args:
      seconds: [N], the time inside the tracker, frame by frame; reading images does not count.

    Returns:
      The speed; None of a sequence of two frames or fewer, or where no time was taken.
    """
    counted = seconds[WARM_UP:]
    middle = statistics.median(counted) if len(counted) else 0.0
    return float(1 / middle) if middle > 0 else None


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
