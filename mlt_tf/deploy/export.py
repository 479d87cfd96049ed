"""The whole tracker as a SavedModel that needs nothing but TensorFlow."""

import os
from collections.abc import Callable

import tensorflow as tf

from mlt_tf import config, crops
from mlt_tf.deploy import compact
from mlt_tf.deploy.compact import CompactSteps
from mlt_tf.networks import last_layer, ops
from mlt_tf.networks.last_layer import LastLayer
from mlt_tf.networks.matching import MatchingNetwork
from mlt_tf.storage.pretrained import Networks
from mlt_tf.tracking import target_state
from mlt_tf.tracking.memory import ContextMemory
from mlt_tf.tracking.steps import TrackingSteps
from mlt_tf.tracking.target_state import TargetState


def flatten_state(state: TargetState) -> dict[str, tf.Tensor]:
    """Names the tensors of a state, in one level."""
    parts = state._asdict()
    layer, memory = parts.pop("layer")._asdict(), parts.pop("memory")._asdict()
    return {**parts, **layer, **memory}


def unflatten_state(parts: dict[str, tf.Tensor]) -> TargetState:
    """Undoes `flatten_state`."""
    layer = LastLayer(*(parts[name] for name in LastLayer._fields))
    memory = ContextMemory(*(parts[name] for name in ContextMemory._fields))
    own = {name: parts[name] for name in TargetState._fields if name not in ("layer", "memory")}
    return TargetState(**own, layer=layer, memory=memory)


def track_and_update(steps: TrackingSteps, state: TargetState, frame: tf.Tensor) -> tuple:
    """Does all of Algorithm 1 for B targets in one frame [H, W, 3] uint8; returns what `TrackingSteps.track` does."""
    state, found = steps.track(state, frame[None], crops.size_wh(frame)[None], tf.zeros_like(state.frames))
    if steps.interval is None:
        return state, found
    due = tf.where(state.frames % steps.interval == 0)  # [D, 1]

    def update():
        part = tf.nest.map_structure(lambda tensor: tf.gather_nd(tensor, due), state)
        part, _ = steps.update(part)
        return LastLayer(*(tf.tensor_scatter_nd_update(old, due, new) for old, new in zip(state.layer, part.layer)))

    layer = tf.cond(tf.size(due) > 0, update, lambda: LastLayer(*map(tf.identity, state.layer)))
    return state._replace(layer=layer), found


def make_module(
    networks: Networks, settings: config.TrackerConfig, updates: str | None = None
) -> tuple[tf.Module, dict]:
    """Makes what is exported, of what `save` takes.

    Returns:
      (module with the functions `init`, `track`, `init_compact`, `track_compact`, `embed`, `match`; the signatures of
      the same names). Boxes are x, y, w, h in 0-based pixels, images uint8 RGB.
    """
    steps = TrackingSteps(settings, networks, updates=updates)
    module, signatures = tf.Module(name="mlt"), {}
    module.init, module.track, signatures["track"] = _tracking_functions(steps, settings)
    compact_steps = CompactSteps(settings, networks, steps.trunk, updates)
    module.init_compact, module.track_compact, signatures["track_compact"] = _compact_functions(compact_steps, settings)
    module.embed, module.match, of_network = _network_functions(networks.matching, steps.trunk)
    signatures |= {"init": module.init, "init_compact": module.init_compact, **of_network}
    names = ("init", "track", "init_compact", "track_compact", "embed", "match")
    graphs = [getattr(module, name).get_concrete_function().graph for name in names]
    kept = {id(variable): variable for graph in graphs for variable in graph.variables}.values()
    module.kept = sorted(kept, key=lambda v: (v.name, v.numpy().tobytes()))  # Graphs hold them in any order.
    return module, signatures


def _tracking_functions(steps: TrackingSteps, settings: config.TrackerConfig) -> tuple:
    """Makes `init`, `track`, and the signature of the latter."""
    frame_spec = tf.TensorSpec([None, None, 3], tf.uint8, "frame")
    spec = flatten_state(target_state.state_spec(settings))
    spec = {name: tf.TensorSpec(part.shape, part.dtype, name) for name, part in spec.items()}

    @tf.function(input_signature=[frame_spec, tf.TensorSpec([None, 4], tf.float32, "box")])
    def init(frame, box):
        box_cxcywh = _checked_cxcywh(box, frame)
        frame_of = tf.zeros_like(box[:, 0], tf.int32)
        return flatten_state(steps.start(frame[None], crops.size_wh(frame)[None], frame_of, box_cxcywh))

    @tf.function(input_signature=[spec, frame_spec])
    def track(state, frame):
        _check_size(state, frame)
        new, found = track_and_update(steps, unflatten_state(state), frame)
        return flatten_state(new), _xywh(new.box_cxcywh), found.score

    @tf.function(input_signature=[frame_spec, *spec.values()])
    def track_flat(frame, *parts):
        state, box, score = track(dict(zip(spec, parts)), frame)
        return {**state, "box": box, "score": score}

    return init, track, track_flat


def _network_functions(network: MatchingNetwork, trunk: Callable[[tf.Tensor], tf.Tensor]) -> tuple:
    """Makes `embed`, `match`, and the signatures of both."""
    base = last_layer.unadapted(network)
    image_spec = tf.TensorSpec([None, None, None, 3], tf.uint8, "images")
    sides = {"x": config.EXEMPLAR_SIZE, "z": config.CONTEXT_SIZE}
    pair_spec = [tf.TensorSpec([None, side, side, 3], tf.uint8, name) for name, side in sides.items()]

    def project(images):
        return last_layer.project(base, trunk(images)[None])[0]

    @tf.function(input_signature=[image_spec])
    def embed(images):
        return ops.l2_normalise(project(images))

    @tf.function(input_signature=pair_spec)
    def match(x, z):
        x, z = ops.normalise_exemplar(project(x)), embed(z)
        x = tf.ensure_shape(x, [None, config.EXEMPLAR_CELLS, config.EXEMPLAR_CELLS, None])
        z = tf.ensure_shape(z, [None, config.CONTEXT_CELLS, config.CONTEXT_CELLS, None])
        return network.respond(ops.correlate(x, z[:, None])[:, 0])

    signatures = {
        "embed": tf.function(lambda images: {"features": embed(images)}, [image_spec]),
        "match": tf.function(lambda x, z: {"response": match(x, z)}, pair_spec),
    }
    return embed, match, signatures


def _compact_functions(steps: CompactSteps, settings: config.TrackerConfig) -> tuple:
    """Makes `init_compact`, `track_compact` of one frame or several, and the signature of the latter."""
    spec = flatten_state(compact.compact_spec(settings))
    spec = {name: tf.TensorSpec(part.shape, part.dtype, name) for name, part in spec.items()}
    images_spec = tf.TensorSpec([None, None, None, 3], tf.uint8, "images")  # The state has `frames`, a number.

    @tf.function(
        input_signature=[tf.TensorSpec([None, None, 3], tf.uint8, "frame"), tf.TensorSpec([None, 4], name="box")]
    )
    def init_compact(frame, box):
        return flatten_state(steps.start(frame, _checked_cxcywh(box, frame)))

    @tf.function(input_signature=[spec, images_spec])
    def track_compact(state, images):
        _check_size(state, images[0])
        count = tf.shape(images)[0]

        def step(number, state, boxes, scores):
            new, found = steps.track(unflatten_state(state), images[number])
            boxes, scores = boxes.write(number, _xywh(new.box_cxcywh)), scores.write(number, found.score)
            return number + 1, flatten_state(new), boxes, scores

        arrays = [tf.TensorArray(tf.float32, count, element_shape=shape) for shape in ([None, 4], [None])]
        shapes = [tf.TensorShape([]), {name: part.shape for name, part in spec.items()}, *[tf.TensorShape(None)] * 2]
        start = [tf.constant(0), state, *arrays]
        _, state, boxes, scores = tf.while_loop(
            lambda number, *_: number < count, step, start, shape_invariants=shapes, parallel_iterations=1
        )
        return state, boxes.stack(), scores.stack()

    @tf.function(input_signature=[images_spec, *spec.values()])
    def track_flat(images, *parts):
        state, boxes, scores = track_compact(dict(zip(spec, parts)), images)
        return {**state, "boxes": boxes, "scores": scores}

    return init_compact, track_compact, track_flat


def _checked_cxcywh(box, frame):
    """Turns boxes x, y, w, h into those of `TargetState`; refuses those that `Tracker` refuses."""
    in_pixels = "box: give x,y,w,h in pixels of the frame, w and h from 1 up"
    checks = [tf.debugging.assert_greater_equal(box[:, 2:], config.SMALLEST_BOX, in_pixels)]
    centre = box[:, :2] + box[:, 2:] / 2
    inside = tf.reduce_all((centre >= 0) & (centre <= crops.size_wh(frame)))  # False of what is not finite.
    checks += [tf.debugging.assert_equal(inside, True, "box: give one of finite numbers whose centre is in the frame")]
    with tf.control_dependencies(checks):  # Else a graph may cut the crops first, and fail there.
        return tf.concat([centre, box[:, 2:]], 1)


def _check_size(state, frame):
    tf.debugging.assert_equal(state["frame_wh"], crops.size_wh(frame)[None], "frame: give the size of the first")


def _xywh(box_cxcywh):
    centre, size = box_cxcywh[:, :2], box_cxcywh[:, 2:]
    return tf.concat([centre - size / 2, size], 1)


def save(
    networks: Networks, settings: config.TrackerConfig, folder: str | os.PathLike, updates: str | None = None
) -> None:
    """Writes a complete tracker as a SavedModel.

    Args:
      networks: The networks that track.
      settings: Settings of Algorithm 1.
      folder: Where to; must not exist.
      updates: As for `TrackingSteps`.
    """
    module, signatures = make_module(networks, settings, updates)
    tf.saved_model.save(module, os.fspath(folder), signatures)
