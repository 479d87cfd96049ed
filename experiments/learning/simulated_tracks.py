"""Context sets as a tracker collects them: the un-adapted network followed through cached features, wrong places too.

The meta-learner's samples come from a tracker that slips (Algorithm 1). Here such a tracker runs over the views of a
target, in their order, by whole cells: it searches about its last place, goes where the similarity is highest, and
keeps the contexts that it is confident of; the M of lowest entropy (Eq. 5) make delta. As no padding is used, the map
of a context is a window of the map of the whole view, which is computed once.
"""

import numpy as np
import tensorflow as tf

from data_pipelines.batches.context_sets import Tracks
from data_pipelines.batches.feature_cache import FeatureCache, slice_cells
from experiments.shared import progress
from mlt_tf import config
from mlt_tf.networks import last_layer
from mlt_tf.networks.matching import MatchingNetwork

MOTION = 2.0  # Cells: standard deviation of a target's motion between two frames.
_REACH = (config.RESPONSE_CELLS - 1) // 2  # Cells that a tracker sees to each side.


def collect(
    network: MatchingNetwork,
    cache: FeatureCache,
    targets: np.ndarray,
    samples: int,
    each: int,
    seed: int,
    settings: config.TrackerConfig = config.TrackerConfig(),
    command: str = "train_meta",
) -> Tracks:
    """Follows every target `each` times, and returns what was collected.

    Args:
      network: The matching network, un-adapted.
      cache: Features of several views of each target.
      targets: [T], indices into the cache.
      samples: M.
      each: Runs of each target, from different anchors and with other motions.
      seed: Decides anchors and motions.
      settings: tau and the cosine window.
      command: Name of the command that asks, for what it tells meanwhile.
    """

    @tf.function(reduce_retracing=True)
    def match(phi_x, views):
        return last_layer.similarity(last_layer.unadapted(network), phi_x[None], views[None])[0]

    found = []
    for target in progress.shown(targets, len(targets), command, "targets with simulated tracks"):
        rows = np.arange(cache.first[target], cache.first[target + 1])
        views = np.asarray(cache.features[rows[0] : rows[-1] + 1], np.float32)
        for run in range(each):
            rng = np.random.default_rng([seed, int(target), run])
            anchor = int(rng.integers(len(rows)))
            phi_x = slice_cells(views[anchor], np.zeros(2, int), config.EXEMPLAR_CELLS)
            maps = match(tf.constant(phi_x), tf.constant(views)).numpy()
            order = np.concatenate([[anchor], np.delete(np.arange(len(rows)), anchor)])
            chosen, shift = follow(maps, order, rng, samples, network.respond, settings)
            padded = np.resize(chosen, samples), np.resize(shift, [samples, 2])
            found.append((target, rows[anchor], rows[padded[0]], padded[1], np.arange(samples) < len(chosen)))
    return Tracks(*(np.array(column) for column in zip(*found)))


def follow(
    maps: np.ndarray,
    order: np.ndarray,
    rng: np.random.Generator,
    samples: int,
    respond,
    settings: config.TrackerConfig = config.TrackerConfig(),
) -> tuple[np.ndarray, np.ndarray]:
    """Follows a target through its views.

    Args:
      maps: [V, S, S], similarity of x with every place of each view; the target is in the middle.
      order: [V], the views as they are seen; x is of the first, whose context is always kept.
      rng: Draws the motions.
      samples: M.
      respond: Makes a response of similarities.
      settings: tau and the cosine window.

    Returns:
      (chosen [at most M] views, shift [at most M, 2] of the target from the middle of their contexts).
    """
    middle = (maps.shape[-1] - 1) // 2
    margin = middle - _REACH  # Cells that a context can lie off the target.
    window = _window(settings.window_influence)
    place = np.zeros(2, int)  # Of the tracker, off the target: (dx, dy).
    kept = [(-np.inf, order[0], -place)]
    for view in order[1:]:
        motion = np.round(rng.normal(0, MOTION, 2)).astype(int)
        place = np.clip(place - motion, -margin, margin)
        x, y = middle + place
        seen = maps[view, y - _REACH : y + _REACH + 1, x - _REACH : x + _REACH + 1]
        row, column = np.unravel_index(np.argmax((seen + 1) / 2 * window), seen.shape)
        place = np.clip(place + [column - _REACH, row - _REACH], -margin, margin)
        if seen[row, column] > settings.tau:
            kept.append((_entropy(np.asarray(respond(seen))), view, -place))
    kept = sorted(kept, key=lambda entry: entry[0])[:samples]
    return np.array([view for _, view, _ in kept]), np.array([shift for *_, shift in kept])


def _entropy(response):
    p = 1 / (1 + np.exp(-response))
    p /= p.sum()
    return float(-(p * np.log(np.maximum(p, 1e-30))).sum())


def _window(influence):
    hann = np.sin(np.pi * (np.arange(config.RESPONSE_CELLS) + 0.5) / config.RESPONSE_CELLS) ** 2
    return (1 - influence) + influence * np.outer(hann, hann)
