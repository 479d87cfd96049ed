"""What goes into each batch, drawn as a function of (seed, step) so that a resumed run sees the same batches."""

import dataclasses

import numpy as np

from data_pipelines.crops.crop_store import CropTrajectory


@dataclasses.dataclass(frozen=True)
class Draw:
    """How contexts are cut and changed; all arrays have the N contexts of a batch in front.

    Attributes:
      record: [N] int64, records of the crop store.
      shift: [N, 2] the target's offset from the context's centre, in cells of 8 px of the finished context.
      zoom: [N] factor on the side that is cut.
      angle: [N] rotation about the target, radians.
      flip: [N] bool.
      colour: [N, 5] gains of R, G, B, brightness offset (grey levels) and grey (0 or 1).
      blur: [N] int, index into augment.BLUR_SIGMAS, 0 for none.
      noise: [N] standard deviation in grey levels.
      seed: [N, 2] int32, chooses the noise.
    """

    record: np.ndarray
    shift: np.ndarray
    zoom: np.ndarray
    angle: np.ndarray
    flip: np.ndarray
    colour: np.ndarray
    blur: np.ndarray
    noise: np.ndarray
    seed: np.ndarray

    def __getitem__(self, rows) -> "Draw":
        """Returns some of the N contexts."""
        return Draw(*(getattr(self, field.name)[rows] for field in dataclasses.fields(self)))


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """Strength of the augmentation; `Augmentation()` changes nothing but the translation."""

    shift_cells: float = 6.0  # Largest translation along an axis, in cells.
    whole_cells: bool = False  # Translations by whole cells only.
    zoom: float = 0.0  # Zoom of a video's frames is exp(uniform(-zoom, zoom)).
    still_zoom: float = 0.0  # The same of still images.
    rotation: float = 0.0  # Largest rotation of still images, radians.
    flip: float = 0.0  # Chance that all contexts of a video are mirrored.
    colour: float = 0.0  # Standard deviation of the log of the channels' gains; 100 times that of the offset.
    grey: float = 0.0  # Chance that a video is turned grey.
    blur: float = 0.0  # Chance of a blur.
    noise: float = 0.0  # Largest standard deviation of the noise, grey levels.


STRONG = Augmentation(zoom=0.06, still_zoom=0.12, rotation=0.15, flip=0.5, colour=0.08, grey=0.15, blur=0.25, noise=8.0)
STRONGER = dataclasses.replace(STRONG, zoom=0.03, still_zoom=0.05, rotation=0.3, colour=0.12, blur=0.35)
META = Augmentation(
    shift_cells=1.5, zoom=0.03, still_zoom=0.06, flip=0.5, blur=0.25, noise=8.0
)  # As a tracker's errors would be.
BLUR_CHOICES = 3


class Sampler:
    """Draws videos (or stills) and frames for each step."""

    def __init__(
        self,
        videos: list,
        stills: list,
        stills_share: float,
        augmentation: Augmentation,
        seed: int,
        max_gap: int = 100,
    ):
        """Groups the trajectories.

        Args:
          videos: Trajectories. One that is shorter than the contexts asked for gives some of its frames twice, each
            time changed anew; one of a single frame gives that frame alone, as a still does.
          stills: Still images; each is a trajectory of one frame.
          stills_share: Chance of each draw to be a still.
          augmentation: How contexts are changed.
          seed: Together with the step it decides everything.
          max_gap: Frames of one draw are at most this far apart.
        """
        self._groups = _grouped(videos)
        self._stills = _grouped(stills)
        self._share = stills_share if stills else 0.0
        self._augmentation = augmentation
        self._seed = seed
        self._max_gap = max_gap

    def draw(self, step: int, videos: int, contexts: int) -> Draw:
        """Draws `videos` targets from different groups with `contexts` frames each, side by side in the result."""
        rng = np.random.default_rng([self._seed, step])
        parts = [self._draw_target(rng, trajectory, contexts) for trajectory in self._trajectories(rng, videos)]
        return join(parts)

    def draw_views(self, trajectory: CropTrajectory, count: int, index: int) -> Draw:
        """Draws `count` unshifted views of one trajectory, as a function of (seed, index)."""
        draw = self._draw_target(np.random.default_rng([self._seed, index]), trajectory, count)
        return dataclasses.replace(draw, shift=np.zeros_like(draw.shift))

    def _trajectories(self, rng, count):
        from_stills = rng.random(count) < self._share
        n_stills = int(from_stills.sum())
        return _from_groups(rng, self._stills, n_stills) + _from_groups(rng, self._groups, count - n_stills)

    def _frames(self, rng, trajectory, count):
        anchor = rng.integers(len(trajectory))
        near = np.flatnonzero(np.abs(trajectory.frame_numbers - trajectory.frame_numbers[anchor]) <= self._max_gap)
        others = rng.choice(near[near != anchor], count - 1, replace=len(near) < count) if len(near) > 1 else []
        return np.concatenate([[anchor], others, np.full(count - 1 - len(others), anchor)]).astype(int)

    def _draw_target(self, rng, trajectory: CropTrajectory, n) -> Draw:
        a = self._augmentation
        frames = self._frames(rng, trajectory, n)
        still = trajectory.still
        shift = rng.uniform(-a.shift_cells, a.shift_cells, [n, 2])
        gains = np.exp(rng.normal(0, a.colour, [n, 1]) + rng.normal(0, a.colour / 2, [n, 3]))
        grey = np.full([n, 1], rng.random() < a.grey)
        zoom = a.still_zoom if still else a.zoom
        return Draw(
            record=trajectory.first + frames.astype(np.int64),
            shift=(np.round(shift) if a.whole_cells else shift).astype(np.float32),
            zoom=np.exp(rng.uniform(-zoom, zoom, n)).astype(np.float32),
            angle=(rng.uniform(-a.rotation, a.rotation, n) * still).astype(np.float32),
            flip=np.full(n, rng.random() < a.flip),
            colour=np.concatenate([gains, rng.normal(0, 100 * a.colour, [n, 1]), grey], 1).astype(np.float32),
            blur=(rng.integers(1, BLUR_CHOICES + 1, n) * (rng.random(n) < a.blur)).astype(np.int32),
            noise=(rng.uniform(0, a.noise, n) * (rng.random(n) < 0.5)).astype(np.float32),
            seed=rng.integers(0, 2**31 - 1, [n, 2]).astype(np.int32),
        )


def join(draws: list[Draw]) -> Draw:
    """Puts draws one after the other."""
    return Draw(*(np.concatenate([getattr(draw, f.name) for draw in draws]) for f in dataclasses.fields(Draw)))


def _grouped(trajectories):
    groups = {}
    for trajectory in trajectories:
        groups.setdefault(trajectory.group, []).append(trajectory)
    return [groups[name] for name in sorted(groups)]


def _from_groups(rng, groups, count):
    """Draws a trajectory of each of `count` groups, which are different ones where there are enough."""
    drawn = rng.choice(len(groups), count, replace=count > len(groups)) if count else []
    return [groups[i][rng.integers(len(groups[i]))] for i in drawn]
