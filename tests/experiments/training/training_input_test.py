"""Tests of what the training binaries share: opened crops, the input's three ways, one line for bad input."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from data_pipelines.batches import context_sets, pairs, sampling, streams
from data_pipelines.crops.crop_store import CropStore
from experiments.training import training_input
from experiments.training.recipe import MatchingRecipe, Mixture
from mlt_tf.errors import InputError
from tests.stores import Target, smooth_image, write_set

KINDS = {"pairs": pairs.pairs(4), "contexts": pairs.contexts(2, 2), "context sets": context_sets.image_sets(2, 3)}


def test_augmentation_is_what_is_not_left_out():
    contexts = MatchingRecipe(batches="contexts", augmentation="strong")
    whole = training_input.make_augmentation(contexts)
    assert whole == dataclasses.replace(sampling.STRONG, whole_cells=True)
    less = dataclasses.replace(contexts, leave_out=("colour", "blur"), context_size=191)
    assert training_input.make_augmentation(less) == dataclasses.replace(whole, colour=0.0, blur=0.0, shift_cells=4.0)
    part = training_input.make_augmentation(MatchingRecipe(augmentation="stronger", leave_out=("zoom",)))
    assert part == dataclasses.replace(sampling.STRONGER, zoom=0.0, still_zoom=0.0)
    with pytest.raises(InputError, match="--leave_out: hue unknown; give some of zoom"):
        training_input.make_augmentation(MatchingRecipe(leave_out=("hue",)))


@pytest.mark.parametrize(
    ("splits", "stills_share", "sets"),
    [
        (["train"], 0.0, ["vid_train"]),
        (["validation"], 0.0, ["vid_validation"]),
        (["train", "validation"], 0.0, ["vid_train", "vid_validation"]),
        (["train", "validation"], 0.3, ["vid_train", "vid_validation", "det_train", "det_validation"]),
    ],
)
def test_opens_the_sets_that_the_flags_name(crops, splits, stills_share, sets):
    store = training_input.open_crops(str(crops), Mixture(tuple(splits), stills_share))
    names = [trajectory.name.split("/")[0] for trajectory in store.trajectories]
    assert list(dict.fromkeys(names)) == sets
    assert len(store.videos) == 3 * len(splits) and len(store.stills) == 4 * len(splits) * (stills_share > 0)


@pytest.mark.parametrize("splits", [["val"], ["train", "test"], ["train", "train"], ["train,validation"], []])
def test_unknown_splits_are_refused(crops, splits):
    with pytest.raises(InputError, match=f"--splits={','.join(splits)}: give train, validation, or train,validation"):
        training_input.open_crops(str(crops), Mixture(tuple(splits)))


def test_set_that_is_not_there_is_named_with_those_that_are(tmp_path):
    write_set(str(tmp_path / "vid_train"), [Target("0", "0", [smooth_image(0)])])
    with pytest.raises(InputError, match=f"no prepared crops det_train in {tmp_path} .it has vid_train.: make them"):
        training_input.open_crops(str(tmp_path), Mixture(stills_share=0.5))


@pytest.mark.parametrize("folder", ["nothing", "ilsvrc"])
def test_folder_without_crops_is_refused(ilsvrc, tmp_path, folder):
    path = ilsvrc if folder == "ilsvrc" else tmp_path / folder
    has = "Annotations, Data" if folder == "ilsvrc" else "none"
    with pytest.raises(InputError, match=f"no prepared crops vid_train in {path} .it has {has}.: make them with"):
        training_input.open_crops(str(path), Mixture())


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Returns crops of three videos and three stills."""
    folder = tmp_path_factory.mktemp("crops")
    for name, frames in (("vid_train", 3), ("det_train", 1)):
        images = np.array_split([smooth_image(seed) for seed in range(3 * frames)], 3)
        write_set(str(folder / name), [Target(f"{i}", f"{i}", part, frames == 1) for i, part in enumerate(images)])
    return CropStore(str(folder), ["vid_train", "det_train"])


@pytest.fixture(params=KINDS)
def stream(request, store):
    """Returns a stream of each kind, strongly augmented, half of it of stills."""
    sampler = sampling.Sampler(store.videos, store.stills, 0.5, sampling.STRONG, seed=1)
    return streams.Stream(store, sampler, KINDS[request.param])


def first_batches(stream, where, start_step, count=3):
    """Returns the first batches as a compiled training step would see them."""
    elements, finish = training_input.split_input(stream, where)
    step = tf.function(finish)
    return [
        [tensor.numpy() for tensor in tf.nest.flatten(step(element))] for element in elements(start_step).take(count)
    ]


def test_batches_are_the_same_whoever_makes_them(stream):
    changes = [draw for step in range(5, 8) for draw, _ in stream.plan(step)]
    for name in ("angle", "flip", "blur", "noise"):  # The draws show all there is to disagree on.
        assert any(getattr(draw, name).any() for draw in changes), name
    batches = {where: first_batches(stream, where, 5) for where in ("host", "device", "resident")}
    for where in ("device", "resident"):
        for found, expected in zip(batches[where], batches["host"], strict=True):
            for a, b in zip(found, expected, strict=True):
                assert a.shape == b.shape and a.dtype == b.dtype
                np.testing.assert_allclose(a, b, atol=0.01)
    assert np.abs(batches["host"][0][0] - batches["host"][1][0]).max() > 10


@pytest.mark.parametrize(("gpus", "pixels"), [([], tf.float32), (["GPU:0"], tf.uint8)])
def test_auto_takes_the_host_where_there_is_no_gpu(store, monkeypatch, gpus, pixels):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: gpus if kind == "GPU" else ["CPU:0"])
    sampler = sampling.Sampler(store.videos, [], 0.0, sampling.STRONG, seed=1)
    elements, _ = training_input.split_input(streams.Stream(store, sampler, KINDS["pairs"]), "auto")
    assert tf.nest.flatten(elements(0).element_spec)[0].dtype == pixels
