"""Crops whose frames end within them, filled up with the grounds of other crops [ours].

A context that reaches beyond its frame is of one colour there (the tracker's rule). Where training videos are cut close
around their targets, half of what a network sees is that colour: it has few places to tell the target from.
"""

import dataclasses
import hashlib
import itertools
from collections.abc import Iterator

import cv2
import numpy as np

from data_pipelines.crops import composition, crop_store, grounds, made_trajectories
from data_pipelines.crops.crop_jobs import CropSettings, ShardJob
from data_pipelines.crops.crop_store import CropStore
from data_pipelines.crops.grounds import Grounds

_EQUAL, _NEAR = 2, 12  # Grey levels by which one colour differs from itself in a JPEG, and beside an edge.
_EDGE = 16  # Pixels that a JPEG's blocks reach beyond an edge.
_KEPT, _MARGIN = 1.1, 4.0  # Of the target's sides, and pixels beside it, that stay as they are.
_FULL = 0.97  # Share of a crop that its frame covers, from which on it stays as it is.
_ENOUGH, _TRIES = 0.6, 16  # Share that a ground is to show; how many are looked at.


@dataclasses.dataclass(frozen=True)
class FillSettings(CropSettings):
    """How a set is filled.

    Attributes:
      seed: Decides everything.
      crops: Folder of the set and of those that grounds are taken from.
      filled: The set's name.
      grounds: Their names.
    """

    seed: int = 0
    crops: str = ""
    filled: str = ""
    grounds: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class FillJob(ShardJob):
    """What one worker needs to fill one shard; its trajectories are `CropTrajectory`s of the set."""

    def crops(self, made: list, skipped: list) -> Iterator[bytes]:
        """Yields the JPEGs of all crops; adds what the index says of each trajectory to `made`."""
        settings = self.settings
        store = CropStore(settings.crops, [settings.filled])
        of_others = Grounds(CropStore(settings.crops, settings.grounds))
        for trajectory in self.trajectories:
            records = range(trajectory.first, trajectory.first + len(trajectory))
            target_wh = store.target_wh[records.start : records.stop]
            for row, jpeg in enumerate(store.read(records)):
                rng = made_trajectories.generator(settings.seed, trajectory.name, row)
                crop = grounds.decode(jpeg)
                seen = visible(crop, target_wh[row])
                if _share(crop, seen) < _FULL:
                    jpeg = grounds.encode(
                        fill(crop, seen, _ground(of_others, trajectory.group, rng), rng), settings.quality
                    )
                yield jpeg
            made.append(
                {
                    "name": trajectory.name.removeprefix(f"{settings.filled}/"),
                    "group": trajectory.group,
                    "still": trajectory.still,
                    "frame_number": trajectory.frame_numbers.tolist(),
                    "target_wh": target_wh.astype(float).round(2).tolist(),
                }
            )


def settings_of(crops: str, name: str, sources: tuple[str, ...], seed: int) -> FillSettings:
    """Returns the settings by which the set `name` in the folder `crops` is filled out of the sets `sources`.

    Raises:
      InputError: The set is not there.
    """
    CropStore(crops, [name])
    index = crop_store.read_index(f"{crops}/{name}")
    kept = {field.name: index[field.name] for field in dataclasses.fields(CropSettings) if field.name in index}
    return FillSettings(**kept, seed=seed, crops=crops, filled=name, grounds=sources)


def fingerprint(settings: FillSettings) -> str:
    """Sums up what the crops depend on."""
    stores = [CropStore(settings.crops, names).fingerprint for names in ([settings.filled], settings.grounds)]
    made_of = (crop_store.FORMAT, settings.size, settings.quality, settings.seed, stores)
    return hashlib.sha256(repr(made_of).encode()).hexdigest()


def visible(crop: np.ndarray, target_wh: np.ndarray) -> tuple[slice, slice]:
    """Finds the frame in a crop: the lines at its borders that are of one colour lie beyond it.

    Args:
      crop: [size, size, 3] uint8.
      target_wh: [2], the sides of the target in the middle, which is kept with a rim.

    Returns:
      Rows and columns.
    """
    size, slices = crop.shape[0], []
    for lines, side in ((crop, target_wh[1]), (crop.transpose(1, 0, 2), target_wh[0])):
        most = max(0, int((size - 1 - _KEPT * side) / 2 - _MARGIN))
        slices.append(slice(min(most, _plain(lines)), size - min(most, _plain(lines[::-1]))))
    return tuple(slices)


def fill(crop: np.ndarray, seen: tuple[slice, slice], ground: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shows a ground where a crop's frame has ended.

    Args:
      crop: [size, size, 3] uint8.
      seen: The rows and columns of the frame.
      ground: [size, size, 3] uint8, another crop; it is mirrored, enlarged and moved.
      rng: Decides how.
    """
    mask = np.zeros(crop.shape[:2], np.float32)
    inner = (slice(each.start + 2 * (each.start > 0), each.stop - 2 * (each.stop < len(crop))) for each in seen)
    mask[tuple(inner)] = 1
    mask = cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.5, 2.0), borderType=cv2.BORDER_REPLICATE)[..., None]
    mixed = mask * crop + (1 - mask) * composition.moved_ground(ground, rng)
    return np.clip(np.round(mixed), 0, 255).astype(np.uint8)


def _plain(lines):
    """Counts the lines [n, size, 3] before the first one that shows anything."""
    colour = np.sort(lines[0], 0)[len(lines) // 2].astype(np.int16)  # The median.

    def count(some, tolerance, share):
        needed = 3 * lines.shape[1] * share
        plain = (np.count_nonzero(np.abs(line - colour) <= tolerance) > needed for line in some)
        return sum(1 for _ in itertools.takewhile(bool, plain))

    plain = count(lines, _EQUAL, 0.99)
    return plain and plain + count(lines[plain : plain + _EDGE], _NEAR, 0.95)


def _share(crop, seen):
    return np.prod([each.stop - each.start for each in seen]) / np.prod(crop.shape[:2])


def _ground(of_others, group, rng):
    """Draws a crop of another group of which enough is to be seen; of those that were looked at else the fullest."""
    best, share = None, -1.0
    for _ in range(_TRIES):
        crop, own = of_others.draw(rng)
        shown = -0.5 if own == group else _share(crop, visible(crop, np.zeros(2)))
        if shown > share:
            best, share = crop, shown
        if share >= _ENOUGH:
            break
    return best
