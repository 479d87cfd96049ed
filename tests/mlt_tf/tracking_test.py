"""Tests of the search, mostly on response maps that are given, not computed."""

import numpy as np
import pytest
import tensorflow as tf

from mlt_tf import crops, gradients, labels, last_layer, memory, tracking
from mlt_tf.config import TrackerConfig
from mlt_tf.tracking import TrackingSteps

BOX = np.float32([200, 120, 40, 30])  # cx, cy, w, h.
NO_WINDOW = {"window_influence": 0.0}


class Blind:
    """Stands for a matching network where the response maps are given."""

    def extractor(self, images):
        return tf.zeros([len(images), 24, 24, 256])

    def respond(self, similarity):
        return 8 * similarity - 4


@pytest.fixture(scope="module")
def find():
    """Returns a function that searches a frame whose three similarity maps are given; compiled once per setting."""
    compiled, planted = {}, tf.Variable(tf.zeros([3, 17, 17]))
    layer = last_layer.LastLayer(tf.zeros([1, 256, 192]), tf.zeros([1, 192]), tf.ones([1, 192]))

    def search(maps, box=BOX, frame_wh=(400, 240), **settings):
        key = tuple(sorted(settings.items()))
        if key not in compiled:
            compiled[key] = TrackingSteps(TrackerConfig(**settings), Blind())
        planted.assign(maps)
        rows, columns = np.mgrid[: frame_wh[1], : frame_wh[0]]
        frame = np.stack([columns % 256, rows % 256, (rows + columns) % 256], -1).astype(np.uint8)
        with pytest.MonkeyPatch.context() as patch:  # What is compiled once keeps reading `planted`.
            patch.setattr(last_layer, "similarity", lambda *_: planted[None])
            return compiled[key].search(frame, box, tf.zeros([1, 8, 8, 256]), layer), frame

    return search


def peak(dx=0.0, dy=0.0, height=0.8, sigma=2.0):
    """Returns a similarity map [17, 17] with a peak some cells from its centre."""
    rows, columns = np.mgrid[-8:9, -8:9]
    return height * np.exp(-((columns - dx) ** 2 + (rows - dy) ** 2) / (2 * sigma**2))


def scales(same, smaller=None, larger=None):
    """Returns the maps of the three scales; a scale not given sees nothing."""
    return np.stack([np.full([17, 17], -1.0) if map_ is None else map_ for map_ in (same, smaller, larger)])


def pixels_per_crop_pixel(box=BOX):
    return float(crops.context_side(tf.constant(box[2:]))) / 255


def test_upsampling_keeps_constants_and_symmetry():
    matrix = tracking.upsampling_matrix()
    assert matrix.shape == (272, 17)
    np.testing.assert_allclose(matrix.sum(1), 1, atol=1e-6)
    np.testing.assert_allclose(matrix, matrix[::-1, ::-1], atol=1e-6)
    # Half-pixel aligned: inside, the 16 points of a cell have the cell's middle for their mean.
    positions = (matrix @ np.arange(17)).reshape(17, 16)
    np.testing.assert_allclose(positions.mean(1)[2:-2], np.arange(2, 15), atol=1e-4)
    np.testing.assert_allclose(positions[8], 8 + (np.arange(16) - 7.5) / 16, atol=1e-4)


@pytest.mark.parametrize("influence", [0.0, 0.25, 1.0])
def test_cosine_window(influence):
    window = tracking.cosine_window(influence)
    assert window.shape == (272, 272) and window.dtype == np.float32
    np.testing.assert_array_equal(window, window[::-1])
    np.testing.assert_allclose(window, window.T)
    assert window.min() >= 1 - influence and window.max() <= 1
    np.testing.assert_allclose([window[0, 0], window[135, 136]], [1 - influence, 1], atol=2e-4)
    assert np.all(np.diff(window[135, :136]) >= 0)


def parabola(row, column):
    """Returns a map [272, 272] of numbers without rounding errors, its maximum at a row and a column."""
    i, j = np.ogrid[:272, :272]
    return tf.constant(1 - ((i - row) ** 2 + (j - column) ** 2) / 2.0**18, tf.float32)


@pytest.mark.parametrize("row, column", [(135.5, 135.5), (135.25, 140), (10, 250.5), (1, 270)])
def test_peak_offset_finds_a_parabolas_maximum(row, column):
    i, j = np.unravel_index(np.argmax(parabola(row, column)), (272, 272))
    offset = tracking.peak_offset(parabola(row, column), tf.constant(i), tf.constant(j))
    np.testing.assert_array_equal(offset, [column - 135.5, row - 135.5])


def test_peak_offset_at_the_border_and_on_a_plain_is_the_point_itself():
    ramp = tf.broadcast_to(tf.range(272.0), [272, 272])
    np.testing.assert_array_equal(tracking.peak_offset(ramp, tf.constant(0), tf.constant(271)), [135.5, -135.5])
    np.testing.assert_array_equal(
        tracking.peak_offset(tf.ones([272, 272]), tf.constant(5), tf.constant(7)), [-128.5, -130.5]
    )


@pytest.mark.parametrize("map_", [peak(), peak(sigma=0.7), np.zeros([17, 17])], ids=["wide", "narrow", "nothing"])
def test_symmetric_map_moves_nothing(find, map_):
    found, _ = find(scales(map_))
    np.testing.assert_allclose(found.box_cxcywh, BOX, atol=2e-3)


@pytest.mark.parametrize("dx, dy", [(1, 0), (-3, 0), (0, 5), (6, -6)])
def test_peak_some_cells_away_moves_eight_crop_pixels_a_cell(find, dx, dy):
    found, _ = find(scales(peak(dx, dy)), **NO_WINDOW)
    moved = (found.box_cxcywh[:2] - BOX[:2]) / pixels_per_crop_pixel()
    np.testing.assert_allclose(moved, [8 * dx, 8 * dy], atol=0.02)
    np.testing.assert_allclose(found.box_cxcywh[2:], BOX[2:], rtol=1e-6)


def test_window_prefers_the_nearer_of_two_peaks(find):
    maps = scales(np.maximum(peak(0, 1, 0.70, sigma=1), peak(7, 0, 0.74, sigma=1)))
    near, far = find(maps)[0], find(maps, **NO_WINDOW)[0]
    assert abs(near.box_cxcywh[0] - BOX[0]) < 1 and near.box_cxcywh[1] > BOX[1]
    assert far.box_cxcywh[0] > BOX[0] + 40 * pixels_per_crop_pixel()


@pytest.mark.parametrize("index, factor", [(1, 1 / 1.035), (2, 1.035)])
def test_better_scale_is_taken_damped(find, index, factor):
    maps = scales(peak(height=0.6), peak(height=0.5), peak(height=0.5))
    maps[index] = peak(2, 0, height=0.8)
    found, _ = find(maps, **NO_WINDOW)
    np.testing.assert_allclose(found.box_cxcywh[2:], BOX[2:] * (0.41 + 0.59 * factor), rtol=1e-5)
    # The crop was of another size, so its pixels are.
    np.testing.assert_allclose((found.box_cxcywh[0] - BOX[0]) / pixels_per_crop_pixel() / factor, 16, atol=0.05)


@pytest.mark.parametrize("height, changes", [(0.84, False), (0.88, True)])
def test_change_of_scale_must_outweigh_its_penalty(find, height, changes):
    # (0.8 + 1) / 2 = 0.9 against 0.97 * (height + 1) / 2: equal at a height of 0.8557.
    found, _ = find(scales(peak(height=0.8), larger=peak(height=height)))
    assert (found.box_cxcywh[2] > BOX[2]) == changes


@pytest.mark.parametrize("penalise, changes", [("similarity", True), ("sigmoid", False)])
def test_what_the_penalties_multiply(find, penalise, changes):
    # Similarity: 0.95 against 0.97 * 0.99. Sigmoid: s(3.2) = 0.961 against 0.97 * s(3.84) = 0.950.
    found, _ = find(scales(peak(height=0.9), larger=peak(height=0.98)), penalise=penalise)
    assert (found.box_cxcywh[2] > BOX[2]) == changes


def test_score_and_entropy_are_those_of_the_chosen_map_without_penalties(find):
    chosen = peak(1, 1, height=0.95)
    found, _ = find(scales(peak(height=0.3), larger=chosen))
    assert float(found.score) == pytest.approx(0.95, abs=0.01)
    expected = memory.entropy(tf.constant(8 * chosen - 4, tf.float32))
    assert float(found.entropy) == pytest.approx(float(expected), rel=1e-5)


def test_context_is_cut_about_the_new_state(find):
    found, frame = find(scales(peak(3, 2), larger=peak(3, 2, height=0.95)))
    box = found.box_cxcywh
    assert np.abs(box - BOX).min() > 0.1
    expected = crops.cut(tf.constant(frame), box[None, :2], crops.context_side(box[2:])[None], 255)[0]
    assert found.context.dtype == tf.uint8 and found.context.shape == [255, 255, 3]
    assert np.abs(tf.cast(found.context, tf.float32) - expected).max() <= 0.51


@pytest.mark.parametrize("dx, dy, corner", [(8, 8, (400, 240)), (-8, -8, (0, 0)), (8, -8, (400, 0))])
def test_target_that_leaves_the_frame_stays_at_its_border(find, dx, dy, corner):
    box = BOX
    for _ in range(12):
        found, _ = find(scales(peak(dx, dy, sigma=1)), box, **NO_WINDOW)
        box = found.box_cxcywh.numpy()
    np.testing.assert_array_equal(box[:2], corner)
    np.testing.assert_allclose(box[2:], BOX[2:], rtol=1e-5)
    assert np.isfinite(found.score)


def test_sides_stay_between_four_pixels_and_the_frames(find):
    shrinking = scales(peak(height=0.2), smaller=peak(height=0.9))
    np.testing.assert_allclose(find(shrinking, np.float32([50, 50, 4.02, 4]))[0].box_cxcywh[2:], [4, 4])
    growing = scales(peak(height=0.2), larger=peak(height=0.9))
    np.testing.assert_allclose(find(growing, np.float32([200, 120, 399, 240]))[0].box_cxcywh[2:], [400, 240])


def test_frame_of_a_few_pixels_and_huge_box(find):
    found, _ = find(scales(peak(2, 2)), np.float32([1, 1, 900, 0.5]), (3, 2))
    np.testing.assert_allclose(found.box_cxcywh[2:], [3, 2])
    assert np.isfinite(found.box_cxcywh).all() and np.isfinite(found.score)


def test_start_takes_the_target_and_its_context(network):
    frame = np.random.default_rng(0).integers(0, 256, [120, 160, 3]).astype(np.uint8)
    box = np.float32([70.3, 55.1, 30, 22])
    steps = TrackingSteps(TrackerConfig(), network)
    phi_x, context = steps.start(frame, box)
    side = crops.context_side(box[2:])
    x = crops.cut(tf.constant(frame), box[None, :2], (side * 127 / 255)[None], 127)
    np.testing.assert_allclose(phi_x, network.extractor(x), atol=1e-3)
    z = crops.cut(tf.constant(frame), box[None, :2], side[None], 255)[0]
    assert context.dtype == tf.uint8
    assert np.abs(tf.cast(context, tf.float32) - z).max() <= 0.51


@pytest.fixture(scope="module")
def scene():
    """Returns a random smooth frame [200, 280, 3] uint8 and a box in it."""
    noise = tf.random.stateless_uniform([20, 28, 3], [1, 2], 0, 255)
    return tf.cast(tf.image.resize(noise, [200, 280]), tf.uint8).numpy(), np.float32([140, 100, 40, 36])


def test_target_is_found_where_it_was_and_where_it_went(cheap_mlt, scene):
    frame, box = scene
    steps = TrackingSteps(TrackerConfig(), cheap_mlt.matching)
    layer = last_layer.unadapted(cheap_mlt.matching)
    phi_x, _ = steps.start(frame, box)
    found = steps.search(frame, box, phi_x, layer)
    np.testing.assert_allclose(found.box_cxcywh, box, atol=1.5)
    assert float(found.score) > 0.95
    for dx, dy in ((9, 0), (-6, 12)):
        found = steps.search(np.roll(frame, (dy, dx), (0, 1)), box, phi_x, layer)
        np.testing.assert_allclose(found.box_cxcywh[:2], box[:2] + (dx, dy), atol=3)


def test_frames_of_every_size_and_layers_of_every_width_share_one_trace(cheap_mlt):
    steps = TrackingSteps(TrackerConfig(), cheap_mlt.matching)
    own = last_layer.unadapted(cheap_mlt.matching)
    wider = last_layer.LastLayer(*(tf.concat([part, part[..., :32]], -1) for part in own))
    for height, width, layer in ((40, 60, own), (60, 40, wider), (33, 35, own)):
        frame = np.full([height, width, 3], 90, np.uint8)
        box = np.float32([20, 20, 10, 12])
        phi_x, _ = steps.start(frame, box)
        found = steps.search(frame, box, phi_x, layer)
        np.testing.assert_allclose(found.box_cxcywh, box, atol=0.01)  # A plain frame gives no reason to move.
    assert steps.start.experimental_get_tracing_count() == 1
    assert steps.search.experimental_get_tracing_count() == 1


@pytest.fixture
def samples(cheap_mlt):
    """Returns phi_x and three contexts of one target, with their trunk features."""
    noise = tf.random.stateless_uniform([1, 32, 32, 3], [3, 4], 0, 255)
    image = tf.image.resize(noise, [255, 255])
    grain = tf.random.stateless_normal([3, 255, 255, 3], [5, 6], 0, 25)
    contexts = tf.cast(tf.clip_by_value(image + grain, 0, 255), tf.uint8)
    trunk = cheap_mlt.matching.extractor
    return trunk(image[:, 64:191, 64:191]), contexts.numpy(), trunk(contexts)[None]


def test_adapt_goes_from_gradient_to_layer(cheap_mlt, samples):
    network = cheap_mlt.matching
    phi_x, contexts, phi_z = samples
    steps = TrackingSteps(TrackerConfig(), network, cheap_mlt.meta_learner, cheap_mlt.adaptation)
    updated = steps.adapt(phi_x, contexts)
    delta = gradients.loss_gradient(network, phi_x, phi_z)
    expected = cheap_mlt.adaptation(network, cheap_mlt.meta_learner(delta))
    assert [part.shape for part in updated.layer] == [[1, 256, 224], [1, 224], [1, 224]]
    for ours, theirs in zip(updated.layer, expected):
        np.testing.assert_allclose(ours, theirs, atol=1e-3)
    own = last_layer.similarity(last_layer.unadapted(network), phi_x, phi_z)[0]
    np.testing.assert_allclose(updated.before, own, atol=1e-4)
    np.testing.assert_allclose(updated.after, last_layer.similarity(expected, phi_x, phi_z)[0], atol=1e-3)
    assert np.abs(updated.after - updated.before).max() > 1e-3
    np.testing.assert_array_equal(updated.w5[0], network.w5)


def test_adapt_takes_any_number_of_contexts_in_one_trace(cheap_mlt, samples):
    steps = TrackingSteps(TrackerConfig(), *cheap_mlt[1:4])
    for m in (1, 3, 2):
        assert steps.adapt(samples[0], samples[1][:m]).after.shape == [m, 17, 17]
    assert steps.adapt.experimental_get_tracing_count() == 1


def test_fine_tune_fits_the_contexts_from_where_the_kernels_are(cheap_mlt, samples):
    network = cheap_mlt.matching
    phi_x, contexts, phi_z = samples
    steps = TrackingSteps(TrackerConfig(finetune_steps=5), network)

    def loss(w5):
        return float(tf.reduce_mean(gradients.sample_loss(network, w5, phi_x, phi_z, labels.centred_label())))

    once = steps.fine_tune(phi_x, contexts, network.w5[None])
    twice = steps.fine_tune(phi_x, contexts, once.w5)
    assert loss(twice.w5) < loss(once.w5) < loss(network.w5[None])
    np.testing.assert_allclose(twice.before, once.after, atol=1e-4)
    np.testing.assert_allclose(twice.layer.kernel, last_layer.with_w5(network, twice.w5).kernel, atol=1e-6)
    assert once.after.shape == [3, 17, 17]
    assert steps.fine_tune.experimental_get_tracing_count() == 1
