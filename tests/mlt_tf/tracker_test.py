"""Tests of Algorithm 1: on scripted searches for its order of events, and on real ones for the whole."""

import numpy as np
import pytest
import tensorflow as tf

from mlt_tf import last_layer, tracker
from mlt_tf.config import TrackerConfig
from mlt_tf.errors import InputError
from mlt_tf.tracker import Tracker
from mlt_tf.tracking import Found, Updated

FRAME = np.zeros([60, 80, 3], np.uint8)
BOX = (30, 20, 16, 12)
SETTINGS = {"update_interval": 4, "finetune_interval": 3, "samples": 3}


class Script:
    """Stands for `TrackingSteps`: frame t finds a box, a score and an entropy as scripted, its context shows t.

    Updates are numbered from 1; the number stands in the layer's gates and in w5.
    """

    def __init__(self, scores=None, entropies=None):
        self.scores, self.entropies = scores or {}, entropies or {}
        self.frames = 0
        self.searched_with = {}  # Number of the update that made frame t's layer.
        self.updates = []  # (kind, frames that the contexts show, number in w5)

    def start(self, frame, box_cxcywh):
        self.frames = 1
        return tf.zeros([1, 8, 8, 256]), self._context()

    def search(self, frame, box_cxcywh, phi_x, layer):
        self.frames += 1
        t = self.frames
        gates = np.unique(layer.gates)
        self.searched_with[t] = int(gates[0]) if gates[0] > 1 or layer.kernel.shape[-1] == 1 else 0
        score, entropy = self.scores.get(t, 0.9), self.entropies.get(t, 1.0)
        return Found(tf.constant(box_cxcywh + [1, 0, 0, 0]), tf.constant(score), tf.constant(entropy), self._context())

    def adapt(self, phi_x, contexts):
        return self._update("adapt", contexts, None)

    def fine_tune(self, phi_x, contexts, w5):
        return self._update("fine_tune", contexts, int(w5[0, 0, 0]) if w5.shape[-1] == 1 else 0)

    def _context(self):
        return tf.fill([255, 255, 3], tf.constant(self.frames, tf.uint8))

    def _update(self, kind, contexts, w5):
        assert contexts.shape[1:] == (255, 255, 3) and contexts.dtype == np.uint8
        self.updates.append((kind, sorted(contexts[:, 0, 0, 0].tolist()), w5))
        number = float(len(self.updates))
        layer = last_layer.LastLayer(tf.zeros([1, 256, 1]), tf.zeros([1, 1]), tf.fill([1, 1], number))
        maps = tf.fill([len(contexts), 17, 17], number)
        return Updated(layer, tf.fill([1, 256, 1], number), maps, 2 * maps)


def scripted(networks, script, **overrides):
    """Returns a tracker that follows a script."""
    made = Tracker(networks, TrackerConfig().replace(**{**SETTINGS, **overrides}))
    made._steps = script
    return made


def run(made, frames):
    """Tracks from frame 1 to `frames` and returns their states."""
    return [made.init(FRAME, BOX)] + [made.update(FRAME) for _ in range(2, frames + 1)]


def test_network_is_updated_every_t_frames_and_used_from_the_next_on(mlt):
    script = Script()
    states = run(scripted(mlt, script), 10)
    assert [t for t, state in enumerate(states, 1) if state.updated] == [4, 8]
    assert [kind for kind, *_ in script.updates] == ["adapt", "adapt"]
    assert script.searched_with == {2: 0, 3: 0, 4: 0, 5: 1, 6: 1, 7: 1, 8: 1, 9: 2, 10: 2}
    assert [state.update_ms > 0 for state in states] == [state.updated for state in states]


def test_only_confident_contexts_are_stored(mlt):
    script = Script(scores={2: 0.5, 3: 0.51, 4: -0.2, 6: 0.49, 7: 0.9})  # tau itself is not enough.
    run(scripted(mlt, script, samples=8, keep_first=False), 8)
    assert [shown for _, shown, _ in script.updates] == [[3], [3, 5, 7, 8]]


def test_contexts_of_lowest_entropy_are_chosen(mlt):
    script = Script(entropies={2: 3.0, 3: 1.0, 4: 2.0, 5: 0.5, 6: 4.0, 7: 1.5, 8: 5.0})
    run(scripted(mlt, script, keep_first=False, samples=2), 8)
    assert [shown for _, shown, _ in script.updates] == [[3, 4], [3, 5]]


def test_first_context_is_always_among_them(mlt):
    script = Script(entropies={2: 3.0, 3: 1.0, 4: 2.0, 5: 0.5})
    run(scripted(mlt, script, samples=2), 8)
    assert [shown for _, shown, _ in script.updates] == [[1, 3], [1, 5]]


def test_memory_forgets_the_oldest(mlt):
    script = Script(entropies={2: 0.1, 3: 0.2})
    run(scripted(mlt, script, memory=3, samples=8, keep_first=False), 8)
    assert [shown for _, shown, _ in script.updates] == [[2, 3, 4], [6, 7, 8]]


def test_nothing_confident_updates_nothing(mlt):
    script = Script(scores=dict.fromkeys(range(2, 10), 0.1))
    states = run(scripted(mlt, script, keep_first=False), 9)
    assert not script.updates and not any(state.updated for state in states)
    kept = Script(scores=script.scores)
    run(scripted(mlt, kept), 9)
    assert [shown for _, shown, _ in kept.updates] == [[1], [1]]


def test_matching_network_alone_never_updates(baseline):
    script = Script()
    made = scripted(baseline, script, update_interval=2, finetune_interval=2)
    assert not any(state.updated for state in run(made, 9))
    assert not script.updates and made.last_update is None


def test_fine_tuning_goes_on_from_its_last_kernels(baseline):
    script = Script()
    states = run(scripted(baseline._replace(variant="mlt_mt_ft"), script, samples=8), 9)
    assert [t for t, state in enumerate(states, 1) if state.updated] == [3, 6, 9]
    assert [(kind, number) for kind, _, number in script.updates] == [("fine_tune", n) for n in (0, 1, 2)]
    assert script.searched_with[4] == 1 and script.searched_with[7] == 2


def test_states_carry_box_score_and_the_lost_label(mlt):
    script = Script(scores={2: 0.8, 3: 0.34, 4: 0.36})
    states = run(scripted(mlt, script), 5)
    for t, state in enumerate(states):
        np.testing.assert_array_equal(state.box_xywh, np.float32([30 + t, 20, 16, 12]))
        assert state.box_xywh.dtype == np.float32
    assert [round(state.score, 4) for state in states] == [1, 0.8, 0.34, 0.36, 0.9]
    assert [state.lost for state in states] == [False, False, True, False, False]
    assert all(state.network_ms > 0 for state in states)


def test_last_update_tells_what_the_update_did(mlt):
    made = scripted(mlt, Script(), samples=2)
    run(made, 3)
    assert made.last_update is None
    made.update(FRAME)
    assert made.last_update.frame == 4
    assert made.last_update.contexts.shape == (2, 255, 255, 3)
    np.testing.assert_array_equal(made.last_update.before, np.ones([2, 17, 17]))
    np.testing.assert_array_equal(made.last_update.after, 2 * made.last_update.before)


def test_init_starts_all_over(mlt):
    script = Script()
    made = scripted(mlt, script, samples=8)
    run(made, 6)
    script.updates.clear()
    states = run(made, 4)
    assert made.last_update.frame == 4 and states[-1].updated
    assert script.updates == [("adapt", [1, 2, 3, 4], None)]
    assert script.searched_with[2] == 0
    np.testing.assert_array_equal(states[0].box_xywh, BOX)


def test_update_before_init(mlt):
    with pytest.raises(InputError, match=r"update\(\) before init\(\)"):
        scripted(mlt, Script()).update(FRAME)


@pytest.mark.parametrize(
    "box",
    [
        (30, 20, 0, 12),
        (30, 20, 16, -1),
        (30, 20, 16),
        (30, 20, 16, 12, 1),
        (np.nan, 20, 16, 12),
        (30, np.inf, 16, 12),
        (-20, 20, 16, 12),
        (30, 59, 16, 12),
        "30,20,16,12",
        None,
        (30, 20, 16, None),
        [(30, 20, 16, 12)],
    ],
    ids=str,
)
def test_unusable_box_is_refused_in_one_line(mlt, box):
    with pytest.raises(InputError, match="box.*give") as caught:
        scripted(mlt, Script()).init(FRAME, box)
    assert "\n" not in str(caught.value)


def test_several_boxes_are_refused_in_one_line(mlt):
    with pytest.raises(InputError) as caught:
        scripted(mlt, Script()).init(FRAME, np.ones([2, 4]))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("box", [(0, 0, 0.5, 0.5), (-200, -100, 500, 300), [79, 59, 1, 1], np.array([30, 20, 16, 12])])
def test_box_with_its_centre_inside_is_fine(mlt, box):
    np.testing.assert_array_equal(scripted(mlt, Script()).init(FRAME, box).box_xywh, np.float32(box))


@pytest.mark.parametrize(
    "frame",
    [FRAME.astype(np.float32), FRAME[..., 0], FRAME[..., :2], np.zeros([60, 80, 4], np.uint8), FRAME[:0], None],
    ids=lambda frame: str(getattr(frame, "shape", frame)) + str(getattr(frame, "dtype", "")),
)
def test_unusable_frame_is_refused(mlt, frame):
    made = scripted(mlt, Script())
    with pytest.raises(InputError, match="give RGB"):
        made.init(frame, BOX)
    made.init(FRAME, BOX)
    with pytest.raises(InputError, match="give RGB"):
        made.update(frame)


def test_frame_of_another_size_is_refused_and_tracking_can_go_on(mlt):
    script = Script()
    made = scripted(mlt, script)
    run(made, 3)
    with pytest.raises(InputError, match="frame 4 is 60x80, the first was 80x60"):
        made.update(FRAME.transpose(1, 0, 2))
    assert made.update(FRAME).updated
    assert script.frames == 4


def moving_scene(frames, step_xy):
    """Yields frames with a textured square that moves by `step_xy`, and its box."""
    rng = np.random.default_rng(0)
    background, target = rng.integers(0, 256, [18, 24, 3]), rng.integers(0, 256, [4, 4, 3])
    background, target = (np.kron(part, np.ones([10, 10, 1])).astype(np.uint8) for part in (background, target))
    for t in range(frames):
        x, y = 100 + step_xy[0] * t, 70 + step_xy[1] * t
        canvas = np.pad(background, [[200, 200], [200, 200], [0, 0]], "edge")
        canvas[200 + y : 240 + y, 200 + x : 240 + x] = target
        yield canvas[200:-200, 200:-200], np.float32([x, y, 40, 40])


def test_whole_tracker_follows_a_target_and_passes_each_image_through_the_trunk_once(cheap_mlt):
    settings = TrackerConfig(update_interval=4, samples=2, memory=4, keep_first=False, tau=-1.0)
    made = Tracker(cheap_mlt, settings)
    trunk = cheap_mlt.matching.extractor
    layers = []
    for t, (frame, box) in enumerate(moving_scene(9, (3, -2)), 1):
        trunk.passes.assign([0, 0])
        state = made.init(frame, box) if t == 1 else made.update(frame)
        expected = [1, 0] if t == 1 else [0, 3 + 2 * (t % 4 == 0)]
        assert trunk.passes.numpy().tolist() == expected
        assert state.updated == (t in (4, 8))
        layers.append(made._target.layer)
    np.testing.assert_allclose(state.box_xywh[:2] + state.box_xywh[2:] / 2, box[:2] + box[2:] / 2, atol=8)
    assert [layer.kernel.shape[-1] for layer in layers] == [192] * 3 + [224] * 6
    assert not np.array_equal(layers[4].kernel, layers[8].kernel)  # The second update made others.


def test_target_that_leaves_the_frame_crashes_nothing(cheap_mlt):
    made = Tracker(cheap_mlt, TrackerConfig().replace(update_interval=5, tau=-1.0))
    for t, (frame, box) in enumerate(moving_scene(12, (16, 0))):
        state = made.update(frame) if t else made.init(frame, box)
        centre = state.box_xywh[:2] + state.box_xywh[2:] / 2
        assert np.isfinite(state.box_xywh).all() and np.isfinite(state.score)
        assert np.all(centre >= 0) and np.all(centre <= [240, 180])


def test_videos_of_every_size_share_one_trace(cheap_mlt):
    made = Tracker(cheap_mlt, TrackerConfig().replace(update_interval=2))
    for height, width in ((60, 80), (90, 40), (50, 50)):
        frame = np.full([height, width, 3], 100, np.uint8)
        made.init(frame, (10, 10, 20, 20))
        made.update(frame)
        made.update(frame)
    assert made._steps.search.experimental_get_tracing_count() == 1
    assert made._steps.start.experimental_get_tracing_count() == 1
    assert made._steps.adapt.experimental_get_tracing_count() == 1


def test_same_video_gives_the_same_boxes(cheap_mlt):
    made = Tracker(cheap_mlt, TrackerConfig().replace(update_interval=3))
    boxes = []
    for _ in range(2):
        scene = moving_scene(5, (2, 3))
        states = [made.init(*next(scene))] + [made.update(frame) for frame, _ in scene]
        boxes.append([state.box_xywh for state in states])
    np.testing.assert_allclose(*boxes, atol=1e-3)


def test_load_takes_a_variants_weights_and_settings(monkeypatch, mlt):
    asked = []

    def load(*arguments):
        asked.append(arguments)
        return mlt._replace(checksum="abc")

    monkeypatch.setattr(tracker.pretrained, "load", load)
    made = Tracker.load("mlt", "some.npz", tau=0.3, bfloat16=True)
    assert asked == [("mlt", "some.npz", True)]
    assert (made.variant, made.weights_checksum, made.config.tau) == ("mlt", "abc", 0.3)
    with pytest.raises(InputError, match="unknown tracker setting 'taw'"):
        Tracker.load(taw=1)
