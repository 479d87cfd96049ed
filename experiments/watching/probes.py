"""Fixed held-out examples to watch training on: pairs for the matching network, context sets for the meta-learner.

The examples are the same at every step of every run on the same crops, whatever its seed and batch.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from data_pipelines.batches import context_sets, pairs, sampling, streams
from data_pipelines.crops import crop_store
from data_pipelines.crops.crop_store import CropStore
from experiments.training.recipe import SPLITS
from experiments.watching import contact_sheet
from experiments.watching.request import AUTO, Subject, Watching
from mlt_tf import config
from mlt_tf.errors import InputError
from mlt_tf.learning import gradients, labels, losses
from mlt_tf.networks import last_layer
from mlt_tf.networks.adaptation import adapted_layer
from mlt_tf.storage.pretrained import Networks
from mlt_tf.tracking import localisation

PAIRS, SETS = 16, 4  # Of a batch.
SHOWN = 6  # Pairs on a sheet; of the context sets all those of a batch.
_SEED = 12345


class Examples(NamedTuple):
    """N held-out targets, and what the network makes of them.

    Attributes:
      names: Of the targets.
      x: [N, 127, 127, 3] uint8.
      z: [N, 255, 255, 3] uint8.
      x_corners: [N, 4, 2] the target's box in x, pixels.
      z_corners: [N, 4, 2] the target's box in z, pixels.
      shift: [N, 2] the target's offset from the centre of z, cells.
      y: [N, 17, 17] labels.
      responses: Name to logits [N, 17, 17], in the order in which they are shown.
      tensors: What else shows the network at work, by name.
    """

    names: list[str]
    x: np.ndarray
    z: np.ndarray
    x_corners: np.ndarray
    z_corners: np.ndarray
    shift: np.ndarray
    y: np.ndarray
    responses: dict[str, np.ndarray]
    tensors: dict[str, np.ndarray]


def validation_sets(watching: Watching, data_dir: str, splits: Sequence[str]) -> list[str]:
    """Names the prepared sets to watch a run on, by --validation_sets; none where there are none.

    Args:
      watching: What is asked for.
      data_dir: Folder of the prepared crops.
      splits: Those that the run trains on.

    Raises:
      InputError: The run trains on one of them.
    """
    if watching.validation_sets != AUTO:
        trained = {f"{kind}_{split}" for kind in ("vid", "det", "cutouts") for split in splits}
        if seen := sorted(trained & set(watching.validation_sets)):
            raise InputError(f"--validation_sets: {', '.join(seen)} is trained on (--splits); give sets that are not")
        return list(watching.validation_sets)
    others = [f"vid_{split}" for split in SPLITS if split not in splits]
    return [name for name in others if crop_store.read_index(f"{data_dir}/{name}") is not None]


def make_probe(watching: Watching, subject: Subject) -> "PairProbe | SetProbe | None":
    """Makes what a run is watched on; None where there are no held-out sets."""
    data_dir, recipe, networks = subject
    sets = validation_sets(watching, data_dir, recipe.splits)
    if not sets:
        return None
    store = CropStore(data_dir, sets)
    crops = ", ".join(f"{name} {fingerprint[:12]}" for name, fingerprint in zip(sets, store.fingerprint))
    if networks.meta_learner is None:
        return PairProbe(networks, store, crops, watching.validation_batches, recipe.label_radius)
    sizes = (recipe.contexts, recipe.samples)
    return SetProbe(networks, store, crops, watching.validation_batches, recipe.label_radius, *sizes)


class PairProbe:
    """Pairs (x, z) for the matching network; `measured_on` says which."""

    kind = "pairs"

    def __init__(self, networks: Networks, store: CropStore, crops: str, batches: int, radius: float):
        """Draws the pairs of which `batches` are measured; `crops` is the store's name."""
        self.measured_on = f"{batches * PAIRS} pairs of {crops}"
        self._radius = radius
        kind = pairs.pairs(PAIRS)._replace(assemble=lambda x, _, z, view: (x, z, view.shift))
        self._stream = _stream(store, kind, sampling.Augmentation())
        self._batches = self._stream.batches().take(batches)
        self._respond = tf.function(lambda x, z: networks.matching((x, z)))

    def measure(self) -> dict[str, float]:
        """Returns the mean loss (Eq. 6) and centre error."""
        sums = []
        for x, z, shift in self._batches:
            response = self._respond(x, z)
            loss = losses.balanced_logistic(labels.response_label(shift, self._radius), response)
            sums.append([tf.reduce_mean(loss), tf.reduce_mean(centre_error(response, shift))])
        loss, error = np.mean(sums, 0)
        return {"loss": float(loss), "centre_error": float(error)}

    def examples(self) -> Examples:
        """Returns the first pairs, of different targets as far as there are enough, and their responses."""
        draws = [draw for draw, _ in self._stream.plan(0)]
        _, first = np.unique(_owners(self._stream.store, draws[0]), return_index=True)
        rows = [*sorted(first), *np.setdiff1d(np.arange(PAIRS), first)][:SHOWN]
        x, z, shift = (tf.gather(tensor, rows) for tensor in next(iter(self._batches)))
        y = labels.response_label(shift, self._radius)
        responses = {"response": self._respond(x, z)}
        return _examples(self._stream.store, [draw[rows] for draw in draws], x, z, shift, y, responses, {})


class SetProbe:
    """Context sets for the meta-learner, `measured_on` says which; the trunk, which is frozen, sees them only once."""

    kind = "context_sets"

    def __init__(
        self,
        networks: Networks,
        store: CropStore,
        crops: str,
        batches: int,
        radius: float,
        contexts: int,
        samples: int,
    ):
        """Draws the sets: of M' `contexts`, the first M `samples` make delta; see `PairProbe`."""
        self.measured_on = f"{batches * SETS} sets of {contexts} contexts of {crops}"
        self._networks, self._radius, self._samples = networks, radius, samples
        shifts = sampling.Augmentation(shift_cells=sampling.META.shift_cells)
        self._stream = _stream(store, context_sets.image_sets(SETS, contexts), shifts)
        self._count, self._contexts, self._kept = batches, contexts, []
        self._adapt = tf.function(self._adapted)

    def measure(self) -> dict[str, float]:
        """Returns the mean loss (Eq. 7) and centre error, adapted and un-adapted."""
        sums = []
        for phi_x, phi_z, shift in self._batches():
            y = labels.response_label(shift, self._radius)
            for response in self._adapt(phi_x, phi_z)["responses"]:
                error = tf.reduce_mean(centre_error(response, shift))
                sums += [tf.reduce_mean(losses.balanced_logistic(y, response)), error]
        names = ("loss_unadapted", "centre_error_unadapted", "loss", "centre_error")
        return dict(zip(names, np.mean(np.reshape(sums, [-1, 4]), 0).tolist()))

    def examples(self) -> Examples:
        """Returns the last context of the first sets, its responses before and after adaptation, and what made them."""
        phi_x, phi_z, _ = next(iter(self._batches()))
        made = self._adapt(phi_x, phi_z)
        before, after = (response[:, -1] for response in made.pop("responses"))
        x, z, shift = next(iter(self._stream.batches()))
        (x_draw, _), (z_draw, _) = self._stream.plan(0)
        parts = [x_draw, z_draw[self._contexts - 1 :: self._contexts]]
        y = labels.response_label(shift[:, -1], self._radius)
        responses = {"before": before, "after": after}
        return _examples(self._stream.store, parts, x, z[:, -1], shift[:, -1], y, responses, made)

    def _batches(self):
        """Yields (phi_x [B, 8, 8, 256], phi_z [B, M', 24, 24, 256], shift [B, M', 2])."""
        if not self._kept:  # In half precision, 5 MB a target of 16 contexts.
            embed = tf.function(self._networks.matching.extractor, reduce_retracing=True)
            for x, z, shift in self._stream.batches().take(self._count):
                phi_z = [tf.cast(embed(contexts), tf.float16).numpy() for contexts in z]
                self._kept.append((tf.cast(embed(x), tf.float16).numpy(), np.stack(phi_z), shift))
        for phi_x, phi_z, shift in self._kept:
            yield tf.cast(phi_x, tf.float32), tf.cast(phi_z, tf.float32), shift

    def _adapted(self, phi_x, phi_z):
        """Makes the responses before and after adaptation, and what lies between."""
        network, meta_learner, adaptation, *_ = self._networks
        y = labels.centred_label(self._radius)
        delta = gradients.loss_gradient(network, phi_x, phi_z[:, : self._samples], y)
        adapted = adapted_layer(network, meta_learner, adaptation, delta)
        layers = [last_layer.unadapted(network, tf.shape(phi_x)[0]), adapted]
        responses = [network.respond(last_layer.similarity(layer, phi_x, phi_z)) for layer in layers]
        return {"responses": responses, "delta": delta, **meta_learner(delta)._asdict()}


def peak_offset(response: tf.Tensor) -> tf.Tensor:
    """Finds the peaks of responses [..., 17, 17] as the tracker does: [..., 2] pixels from the centre of z."""
    shape = tf.shape(response)[:-2]
    maps = tf.reshape(response, [-1, *response.shape[-2:]])
    matrix = localisation.upsampling_matrix()
    up = tf.einsum("ui,nij,vj->nuv", matrix, maps, matrix)  # [N, 272, 272]
    side = localisation.UPSAMPLED
    best = tf.argmax(tf.reshape(up, [-1, side**2]), 1, output_type=tf.int32)
    pixels = config.STRIDE * config.RESPONSE_CELLS / side
    offset = pixels * localisation.peak_offset(up, best // side, best % side)
    return tf.reshape(offset, tf.concat([shape, [2]], 0))


def centre_error(response: tf.Tensor, shift: tf.Tensor) -> tf.Tensor:
    """Computes the distance of the peaks of responses [..., 17, 17] from their targets: [...] pixels of z.

    Args:
      response: [..., 17, 17].
      shift: [..., 2], the targets' offsets from the centre in cells.
    """
    return tf.norm(peak_offset(response) - config.STRIDE * shift, axis=-1)


def _stream(store, kind, augmentation):
    sampler = sampling.Sampler(store.videos or store.made or store.stills, [], 0.0, augmentation, _SEED)
    return streams.Stream(store, sampler, kind)


def _examples(store, parts, x, z, shift, y, responses, tensors):
    """Joins tensors to Examples; `parts` holds the draws of x and of z."""
    corners = [_corners(store, draw, size) for draw, size in zip(parts, (config.EXEMPLAR_SIZE, config.CONTEXT_SIZE))]
    pictures = [tf.cast(tf.round(images), tf.uint8).numpy() for images in (x, z)]
    return Examples(
        [store.trajectories[owner].name for owner in _owners(store, parts[0])],
        *pictures,
        *corners,
        shift.numpy(),
        y.numpy(),
        *({name: np.asarray(value) for name, value in values.items()} for values in (responses, tensors)),
    )


def _owners(store, draw):
    """Returns the trajectory that each record of a draw is of, by its place in the store."""
    first = [trajectory.first for trajectory in store.trajectories]
    return np.searchsorted(first, draw.record, side="right") - 1


def _corners(store, draw, size):
    rows = [draw[i : i + 1] for i in range(len(draw.record))]
    return np.stack([contact_sheet.target_corners(row, store.target_wh[row.record[0]], size) for row in rows])
