"""Streams of training batches out of prepared crops, each a function of (seed, step).

A batch is planned in NumPy (what to read, where to look, how to change it), its windows are decoded on the host as
8-bit pixels, and `finish` makes float images of them. `Stream.batches` does all of it in tf.data. For a device that the
host must not keep waiting, `Stream.windows` stops before `finish`, which then goes into the compiled training step; and
with `Stream.plans` the crops lie on the device, and the host sends some numbers only.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from data_pipelines.batches import augment, sampling
from data_pipelines.batches.sampling import Draw, Sampler
from data_pipelines.crops.crop_store import CropStore
from mlt_tf.errors import InputError

_VIEW_SPECS = {
    "corner": ([2], tf.int32),
    "transform": ([8], tf.float32),
    "shift": ([2], tf.float32),
    "colour": ([5], tf.float32),
    "blur": ([], tf.int32),
    "noise": ([], tf.float32),
    "noise_corner": ([2], tf.int32),
    "record": ([], tf.int32),
}


class Kind(NamedTuple):
    """A kind of batch.

    Attributes:
      draw: Maps (sampler, step) to the draws of each part of the batch.
      sizes: Number of contexts of each part, and their side in pixels.
      assemble: Maps the parts' images [n, size, size, 3] and Views, alternating, to the batch's tensors. It works on
        the contexts of some of the targets too.
      targets: Number of targets; the contexts of each lie side by side in every part.
    """

    draw: Callable[[Sampler, int], list[Draw]]
    sizes: tuple[tuple[int, int], ...]
    assemble: Callable
    targets: int


class Stream:
    """Batches of one kind."""

    def __init__(self, store: CropStore, sampler: Sampler, kind: Kind):
        """Keeps what the batches are made of."""
        self.store, self._sampler, self._kind = store, sampler, kind

    def shard(self, index: int, count: int) -> "Stream":
        """Returns the stream of part `index` of every batch; joined, the `count` parts are the batch.

        Raises:
          InputError: The targets cannot be shared evenly.
        """
        kind = self._kind
        part = share(kind.targets, index, count)

        def draw(sampler, step):
            return [whole[_scaled(part, len(whole.record) // kind.targets)] for whole in kind.draw(sampler, step)]

        sizes = tuple((number // count, size) for number, size in kind.sizes)
        return Stream(self.store, self._sampler, Kind(draw, sizes, kind.assemble, kind.targets // count))

    def plans(self, start_step: int = 0) -> tf.data.Dataset:
        """Streams what the batches from `start_step` on are made of: for each part (record [n], View)."""

        def plan(step):
            return [array for draw, view in self.plan(step) for array in (draw.record, *view)]

        types = [tf.int64, *(dtype for _, dtype in _VIEW_SPECS.values())]
        return self._steps(start_step).map(lambda step: self._parts(plan, step, types)).prefetch(2)

    def windows(self, start_step: int = 0, parallel: int = 2) -> tf.data.Dataset:
        """Streams the host's part of the batches: for each part (windows [n, W, W, 3] uint8, View).

        Args:
          start_step: Step of the first batch.
          parallel: Batches made at a time; it changes nothing in them.
        """

        def plan(step):
            return [array for draw, view in self.plan(step) for array in (self.read(draw), *view)]

        def load(step):
            types = [tf.string, *(dtype for _, dtype in _VIEW_SPECS.values())]
            return tuple(
                (decode_windows(jpegs, view.corner, augment.window_size(size, self.store.size)), view)
                for (jpegs, view), (_, size) in zip(self._parts(plan, step, types), self._kind.sizes)
            )

        return self._steps(start_step).map(load, num_parallel_calls=parallel, deterministic=True).prefetch(2)

    def batches(self, start_step: int = 0, parallel: int = 2) -> tf.data.Dataset:
        """Streams finished batches from `start_step` on; see `windows` and the kind's `assemble`."""
        stream = self.windows(start_step, parallel)
        finished = stream.map(lambda *parts: self.finish(parts), num_parallel_calls=parallel, deterministic=True)
        return finished.prefetch(2)

    def finish(self, parts: tuple, plain: bool = False):
        """Makes a batch of the host's part; `plain` for XLA (see `augment.finish`)."""
        made = []
        for (windows, view), (_, size) in zip(parts, self._kind.sizes):
            images = augment.finish(windows, view, size, plain)
            made += [tf.ensure_shape(images, [windows.shape[0], size, size, 3]), view]
        return self._kind.assemble(*made)

    def finish_resident(self, crops: tf.Tensor, parts: tuple, plain: bool = False):
        """Makes a batch of its plan, with all crops [R, S, S, 3] uint8 in the device's memory (`load_all`)."""
        sides = [augment.window_size(size, self.store.size) for _, size in self._kind.sizes]
        windows = [
            augment.gather_windows(crops, tf.cast(record, tf.int32), view.corner, side)
            for (record, view), side in zip(parts, sides)
        ]
        return self.finish(tuple((w, view) for w, (_, view) in zip(windows, parts)), plain)

    def plan(self, step: int) -> list[tuple[Draw, augment.View]]:
        """Returns what each part of a batch is made of."""
        draws = self._kind.draw(self._sampler, int(step))
        views = [augment.make_view(d, size, self.store.size) for d, (_, size) in zip(draws, self._kind.sizes)]
        return list(zip(draws, views))

    def read(self, draw: Draw) -> np.ndarray:
        """Returns the JPEGs of a draw's crops, [N] bytes objects."""
        return np.array(self.store.read(draw.record), object)

    def _steps(self, start_step):
        return tf.data.Dataset.range(start_step, np.iinfo(np.int64).max)

    def _parts(self, plan, step, types):
        """Runs `plan` in the graph; returns for each part its first tensor and its View, with their shapes."""
        tensors = iter(tf.numpy_function(plan, [step], types * len(self._kind.sizes)))
        parts = []
        for count, _ in self._kind.sizes:
            first = tf.ensure_shape(next(tensors), [count])
            view = [tf.ensure_shape(next(tensors), [count, *shape]) for shape, _ in _VIEW_SPECS.values()]
            parts.append((first, augment.View(*view)))
        return tuple(parts)


def share(targets: int, index: int, count: int) -> slice:
    """Returns which of a batch's targets are part `index` of `count`.

    Raises:
      InputError: They cannot be shared evenly.
    """
    if targets % count:
        raise InputError(
            f"{targets} targets in a batch cannot be shared evenly by {count} replicas: give another --batch, or fewer "
            "devices"
        )
    return slice(targets // count * index, targets // count * (index + 1))


def _scaled(part, factor):
    return slice(part.start * factor, part.stop * factor)


def decode_windows(jpegs: tf.Tensor, corner: tf.Tensor, side: int) -> tf.Tensor:
    """Decodes a window of each JPEG.

    Args:
      jpegs: [n] strings.
      corner: [n, 2] int32, column and row of the windows' first pixels.
      side: Side of the windows.

    Returns:
      [n, side, side, 3] uint8.
    """

    def decode(entry):
        jpeg, corner = entry
        window = tf.stack([corner[1], corner[0], side, side])
        return tf.io.decode_and_crop_jpeg(jpeg, window, channels=3, dct_method="INTEGER_ACCURATE")

    windows = tf.map_fn(decode, (jpegs, corner), fn_output_signature=tf.uint8)
    return tf.ensure_shape(windows, [jpegs.shape[0], side, side, 3])


def load_views(store: CropStore, draws: Iterable[Draw], size: int, batch: int) -> Iterator[np.ndarray]:
    """Yields the contexts of some draws, in order, as [at most batch, size, size, 3] float32 arrays."""
    side = augment.window_size(size, store.size)

    @tf.function(reduce_retracing=True)
    def make(jpegs, view):
        return augment.finish(decode_windows(jpegs, view.corner, side), view, size)

    waiting = []
    for draw in itertools.chain.from_iterable([d[i : i + 1] for i in range(len(d.record))] for d in draws):
        waiting.append(draw)
        if len(waiting) == batch:
            yield _made(store, make, waiting, size)
            waiting = []
    if waiting:
        yield _made(store, make, waiting, size)


def _made(store, make, draws, size):
    draw = sampling.join(draws)
    view = augment.View(*map(tf.constant, augment.make_view(draw, size, store.size)))
    return make(tf.constant(store.read(draw.record)), view).numpy()


def load_all(store: CropStore, parallel: int = tf.data.AUTOTUNE) -> np.ndarray:
    """Decodes all crops of a store into one [R, S, S, 3] uint8 array; at 383 px a thousand take 440 MB."""
    crops = np.empty([len(store), store.size, store.size, 3], np.uint8)
    jpegs = tf.data.Dataset.range(len(store)).map(
        lambda record: tf.numpy_function(lambda r: store.read([r])[0], [record], tf.string)
    )
    decoded = jpegs.map(
        lambda jpeg: tf.io.decode_jpeg(jpeg, channels=3, dct_method="INTEGER_ACCURATE"), num_parallel_calls=parallel
    )
    for record, crop in enumerate(decoded.as_numpy_iterator()):
        crops[record] = crop
    return crops
