"""Our tracker in the got10k toolkit's experiments (`pip install got10k`).

from got10k.experiments import ExperimentOTB
from experiments.running.got10k_tracker import Got10kTracker

ExperimentOTB("OTB", version=2015).run(Got10kTracker("mlt"))
"""

from typing import Any

import numpy as np
from got10k.trackers import Tracker as ToolkitTracker

from mlt_tf.tracker import Tracker

_ORIGIN = np.array([1, 1, 0, 0])  # The toolkit hands boxes on as the benchmarks' files have them: 1-based.


class Got10kTracker(ToolkitTracker):
    """Follows a target from PIL images and 1-based boxes x, y, w, h."""

    def __init__(self, variant: str = "mlt", tracker: Any = None, **options):
        """Loads a variant.

        Args:
          variant: "mlt", "mlt_mt" or "mlt_mt_ft"; names the results.
          tracker: A loaded one in its place.
          **options: For Tracker.load: weights, settings.
        """
        super().__init__(name=variant, is_deterministic=True)
        self._tracker = tracker or Tracker.load(variant, **options)

    def init(self, image: Any, box: np.ndarray) -> None:
        """Starts on a PIL image."""
        self._tracker.init(np.asarray(image.convert("RGB")), np.asarray(box, np.float64) - _ORIGIN)

    def update(self, image: Any) -> np.ndarray:
        """Returns the target's box in the next image."""
        return np.asarray(self._tracker.update(np.asarray(image.convert("RGB"))).box_xywh, np.float64) + _ORIGIN
