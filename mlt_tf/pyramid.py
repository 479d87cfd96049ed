"""The scales at which a target is searched for (Sec. 4.1): three contexts z, or three exemplars x in one context."""

from typing import NamedTuple

from mlt_tf.config import TrackerConfig


class Pyramid(NamedTuple):
    """Sides of the crops, over those of a crop about a target that has kept its size.

    Attributes:
      contexts: Of the S contexts that are cut from each frame.
      exemplars: Of the X exemplars that are cut from the first frame. One of S and X is 3, the other 1.
    """

    contexts: tuple[float, ...]
    exemplars: tuple[float, ...]

    def matches(self) -> list[tuple[float, float]]:
        """Lists what each exemplar in each context stands for, the contexts of the first exemplar first.

        Returns:
          X * S pairs: the target's size over its last one, and the context's side.
        """
        return [(context / exemplar, context) for exemplar in self.exemplars for context in self.contexts]


def make(settings: TrackerConfig) -> Pyramid:
    """Makes the pyramid of the settings; what it finds a target to be is as large as before, smaller, or larger.

    A target that has grown fills more of its context, as an exemplar does that is cut closer.
    """
    step = settings.scale_step
    pyramids = {
        "contexts": Pyramid(contexts=(1.0, 1 / step, step), exemplars=(1.0,)),
        "exemplars": Pyramid(contexts=(1.0,), exemplars=(1.0, step, 1 / step)),
    }
    return pyramids[settings.pyramid]
