"""Trajectories made of cut-out objects: each frame shows one object before another background (see `composition`).

What a trajectory is made of is planned at once; its frames are composed shard by shard, like the crops of real videos,
and each is a function of the seed, the object's name and the frame.
"""

import collections
import dataclasses
import hashlib
import zlib
from collections.abc import Iterator

import numpy as np

from data_pipelines.crops import composition, crop_store, cutouts, grounds
from data_pipelines.crops.composition import Look
from data_pipelines.crops.crop_jobs import CropSettings, ShardJob
from data_pipelines.crops.crop_store import CropStore
from data_pipelines.crops.cutouts import Cutout
from data_pipelines.crops.grounds import Grounds
from mlt_tf.errors import InputError

FRAMES = 17  # x and the paper's M' = 16 contexts.
_SAME_CLASS = 0.5  # Chance of a neighbour to be of the target's class, where there is another.


@dataclasses.dataclass(frozen=True)
class MadeSettings(CropSettings):
    """How frames are made.

    Attributes:
      seed: Decides everything.
      crops: Folder of the prepared sets that backgrounds are taken from.
      grounds: Their names.
      made: Says in the set's index that no camera saw it.
    """

    seed: int = 0
    crops: str = ""
    grounds: tuple[str, ...] = ()
    made: bool = True


@dataclasses.dataclass(frozen=True)
class MadeTrajectory:
    """One object through the frames that will be made of it.

    Attributes:
      name: class/picture/0, unique in its set.
      target: The object.
      others: As many as `look.neighbours` stand beside it, the last one may hide a part of it.
      look: What its frames have in common.
      frames: Number of frames.
    """

    name: str
    target: Cutout
    others: tuple[Cutout, ...]
    look: Look
    frames: int

    def __len__(self):
        return self.frames


@dataclasses.dataclass(frozen=True)
class MadeJob(ShardJob):
    """What one worker needs to make one shard of made frames."""

    def crops(self, made: list, skipped: list) -> Iterator[bytes]:
        """Yields the JPEGs of all frames; adds what the index says of each trajectory to `made`."""
        of_others = Grounds(CropStore(self.settings.crops, self.settings.grounds))
        for trajectory in self.trajectories:
            pictures = [cutouts.load(cutout.path) for cutout in (trajectory.target, *trajectory.others)]
            sides = []
            for frame in range(len(trajectory)):
                rng = generator(self.settings.seed, trajectory.target.name, 1 + frame)
                ground, _ = of_others.draw(rng)
                crop, target_wh = composition.compose(pictures[0], pictures[1:], ground, trajectory.look, rng)
                sides.append(np.round(target_wh.astype(float), 2).tolist())
                yield grounds.encode(crop, self.settings.quality)
            made.append(
                {
                    "name": trajectory.name,
                    "group": trajectory.target.name,
                    "still": False,
                    "frame_number": list(range(len(trajectory))),
                    "target_wh": sides,
                }
            )


def plan(found: list[Cutout], frames: int, seed: int) -> list[MadeTrajectory]:
    """Plans a trajectory of each object: its look and its neighbours, half of which are of its class."""
    by_class = collections.defaultdict(list)
    for cutout in found:
        by_class[cutout.label].append(cutout)
    planned = []
    for cutout in found:
        rng = generator(seed, cutout.name, 0)
        look = composition.draw_look(rng)
        others = [_other(rng, cutout, found, by_class[cutout.label]) for _ in range(look.neighbours + 1)]
        kept = tuple(other for other in others if other is not None)
        planned.append(MadeTrajectory(f"{cutout.name}/0", cutout, kept, look, frames))
    return planned


def fingerprint(trajectories: list[MadeTrajectory], settings: MadeSettings) -> str:
    """Sums up what the frames depend on: objects, settings and backgrounds."""
    store = CropStore(settings.crops, settings.grounds)
    made_of = (crop_store.FORMAT, settings.size, settings.quality, settings.seed, store.fingerprint)
    digest = hashlib.sha256(repr(made_of).encode())
    for trajectory in sorted(trajectories, key=lambda t: t.name):
        parts = [cutout.checksum for cutout in (trajectory.target, *trajectory.others)]
        digest.update(f"{trajectory.name} {trajectory.frames} {parts}".encode())
    return digest.hexdigest()


def ground_sets(crops: str, split: str) -> tuple[str, ...]:
    """Names the finished sets of a split that backgrounds can be taken from.

    Raises:
      InputError: There are none.
    """
    names = [f"{kind}_{split}" for kind in ("vid", "det")]
    found = tuple(name for name in names if crop_store.read_index(f"{crops}/{name}"))
    if not found:
        raise InputError(
            f"no prepared crops {' or '.join(names)} in {crops}: cut-outs are shown before these; make them first with "
            f"`{crop_store.how_to_make(names[0], crops)}`"
        )
    return found


def _other(rng, cutout, found, of_class):
    """Draws another object than `cutout`; None where there is no other."""
    among = of_class if rng.random() < _SAME_CLASS and len(of_class) > 1 else found
    for _ in range(8):
        other = among[rng.integers(len(among))]
        if other is not cutout:
            return other
    return None


def generator(seed: int, name: str, part: int) -> np.random.Generator:
    """Returns what decides a part of something that is made, such as a frame, by its name."""
    return np.random.default_rng([seed, zlib.crc32(name.encode()), part])
