"""The scales at which a target is searched for (Sec. 4.1).

They are those of three contexts z, as in the paper; of three exemplars x in one context; or of two patches as large as
x, cut where that one context has the target [ours]. Exemplars cost least. But the wider one shows more ground, and the
closer one less: where the ground behind a target changes, the closer one fits better, whatever the target's size, and a
target that shrinks is not followed. Patches are matched with the context's own exemplar, and cost 1.6 GFLOP each where
the context costs 9.
"""

from typing import NamedTuple

from mlt_tf.config import TrackerConfig


class Pyramid(NamedTuple):
    """Sides of the crops, over those of a crop about a target that has kept its size.

    Attributes:
      contexts: Of the S contexts that are cut from each frame.
      exemplars: Of the X exemplars that are cut from the first frame. One of S and X is 3 and the other 1, or there are
        patches.
      patches: Of those that are cut at the target's new place, for sizes beside that of the context.
    """

    contexts: tuple[float, ...]
    exemplars: tuple[float, ...]
    patches: tuple[float, ...] = ()

    def matches(self) -> list[tuple[float, float]]:
        """Lists what each exemplar in each context stands for, the contexts of the first exemplar first.

        Returns:
          X * S pairs: the target's size over its last one, and the context's side.
        """
        return [(context / exemplar, context) for exemplar in self.exemplars for context in self.contexts]


def make(settings: TrackerConfig, near: bool = False) -> Pyramid:
    """Makes the pyramid of the settings; what it finds a target to be is as large as before, smaller, or larger.

    A target that has grown fills more of its context, as an exemplar does that is cut closer.

    Args:
      settings: Settings of the tracker.
      near: Whether it is for the searches of calm targets near by (`near_search`): they have exemplars for patches.
    """
    step = settings.scale_step
    pyramids = {
        "contexts": Pyramid(contexts=(1.0, 1 / step, step), exemplars=(1.0,)),
        "exemplars": Pyramid(contexts=(1.0,), exemplars=(1.0, step, 1 / step)),
        "patches": Pyramid(contexts=(1.0,), exemplars=(1.0,), patches=(1 / step, step)),
    }
    return pyramids["exemplars" if near and settings.pyramid == "patches" else settings.pyramid]


def of_state(settings: TrackerConfig) -> Pyramid:
    """Makes the pyramid whose exemplars a state holds: those of the searches near by, where there are such."""
    return make(settings, settings.near)
