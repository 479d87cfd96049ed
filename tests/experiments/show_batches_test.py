"""Tests of the binary that shows batches: its PNG files, its images in TensorBoard, and what it refuses."""

import cv2
import numpy as np
import pytest
import tensorflow as tf
from absl import flags

from experiments import show_batches
from experiments.training import run_record, training_input
from experiments.training.recipe import AUGMENTATIONS, LightRecipe, MatchingRecipe, MetaRecipe
from experiments.watching import contact_sheet

PAIRS_SIZE = (28 + 18 + 255 + 4, 2 * (127 + 4 + 255 + 4))  # Two pairs in a row.
SETS_SIZE = (28 + 18 + 255 + 4, 127 + 4 + 3 * (255 + 4))  # One set of an anchor and three contexts.
SMALL = {"batch": 2, "contexts": 3, "samples": 2}


def events_of(folder):
    """Returns the images of TensorBoard's event files as {(tag, step): [H, W, 3]}."""
    found = {}
    for path in folder.glob("events.out.tfevents.*"):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                _, _, png = tf.make_ndarray(value.tensor)  # Width, height, one picture.
                found[value.tag, event.step] = tf.io.decode_png(png).numpy()
    return found


def test_defaults():
    values = flags.FlagValues()
    show_batches.define_flags(values)
    values(["show_batches", "--data_dir=d"])
    expected = {
        "out": "batches", "splits": ["train"], "stills_share": 0.0, "kind": ["pairs", "context_sets"],
        "augmentation": "strong", "label_radius": 2.0, "batch": 8, "contexts": 16, "samples": 8, "step": 0, "sheets": 2,
        "seed": 0,
    }  # fmt: skip
    assert {name: values[name].value for name in expected} == expected


def test_both_kinds_are_written_as_files_and_to_tensorboard(crops, tmp_path, run_binary, capsys):
    out = tmp_path / "deep" / "batches"
    run_binary(show_batches, data_dir=crops, out=out, stills_share=0.5, step=3, **SMALL)
    names = [f"{kind}-{step:06d}" for kind in ("pairs", "context_sets") for step in (3, 4)]
    assert capsys.readouterr().out.splitlines() == [f"{out}/{name}.png" for name in names]
    events = events_of(out)
    assert len(events) == 4
    for name in names:
        picture = cv2.imread(str(out / f"{name}.png"))[..., ::-1]
        kind, step = name.split("-")
        assert picture.shape[:2] == (PAIRS_SIZE if kind == "pairs" else SETS_SIZE)
        assert (np.abs(picture - np.array([0, 230, 0])) < 60).all(-1).sum() > 100  # Outlines.
        np.testing.assert_array_equal(events[kind, int(step)], picture)
    assert (events["pairs", 3] != events["pairs", 4]).any()


def test_same_step_is_shown_alike_and_another_seed_is_not(crops, tmp_path, run_binary):
    for name, options in (
        ("first", {"step": 0, "sheets": 2}),
        ("again", {"step": 1}),
        ("other", {"step": 1, "seed": 1}),
    ):
        run_binary(
            show_batches, **{"data_dir": crops, "out": tmp_path / name, "kind": "pairs", "sheets": 1} | SMALL | options
        )
    pictures = [(tmp_path / name / "pairs-000001.png").read_bytes() for name in ("first", "again", "other")]
    assert pictures[0] == pictures[1] != pictures[2]
    assert not (tmp_path / "again" / "pairs-000000.png").exists()


def test_contexts_that_make_delta_are_framed(crops, tmp_path, run_binary):
    run_binary(
        show_batches, data_dir=crops, out=tmp_path, kind="context_sets", sheets=1, augmentation="shift",
        **SMALL | {"contexts": 10},
    )  # fmt: skip
    sheet = cv2.imread(str(tmp_path / "context_sets-000000.png"))[..., ::-1]
    row = 18 + 255 + 4
    assert sheet.shape == (28 + 2 * row, 127 + 4 + 8 * (255 + 4), 3)  # The last two contexts are in a second row.
    framed = []
    for number in range(10):
        top = 28 + 18 + (row if number > 7 else 0)
        left = 127 + 4 + 259 * number if number < 8 else 259 * (number - 8)
        edge = sheet[top : top + 255, left : left + 255]
        assert edge[100:150, 100:150].any()  # There is a context.
        framed.append((edge[[0, -1]] == (255, 200, 0)).all())
    assert framed == [True] * 2 + [False] * 8


def noting(make_tile, seen):
    """Returns `make_tile`, which now notes what tells its picture and its draw from others."""

    def make(image, draw, *rest):
        seen.append((image.numpy().std(), draw.seed.tolist()))
        return make_tile(image, draw, *rest)

    return make


@pytest.mark.parametrize(("kind", "anchors", "contexts"), [("pairs", 4, 4), ("context_sets", 2, 6)])
def test_every_picture_is_outlined_by_its_own_draw(crops, tmp_path, run_binary, monkeypatch, kind, anchors, contexts):
    seen = {}
    for name in ("exemplar_tile", "context_tile"):
        seen[name] = []
        inner = getattr(show_batches.contact_sheet, name)
        monkeypatch.setattr(show_batches.contact_sheet, name, noting(inner, seen[name]))
    run_binary(show_batches, data_dir=crops, out=tmp_path, kind=kind, sheets=1, **SMALL | {"batch": 4})
    for shown, count in zip(seen.values(), (anchors, contexts), strict=True):
        pictures, seeds = zip(*shown)
        assert len(shown) == len(set(pictures)) == len({str(seed) for seed in seeds}) == count


def test_out_that_is_no_folder_is_refused(crops, tmp_path, run_binary):
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit, match=f"show_batches: error: cannot write {tmp_path}/file: .*another --out"):
        run_binary(show_batches, data_dir=crops, out=tmp_path / "file", **SMALL)


def test_picture_that_cannot_be_written_is_an_error(crops, tmp_path, run_binary, monkeypatch):
    monkeypatch.setattr(show_batches.cv2, "imwrite", lambda path, picture: False)
    with pytest.raises(SystemExit, match=f"error: cannot write {tmp_path}/pairs-000000.png: no room, .*; make room"):
        run_binary(show_batches, data_dir=crops, out=tmp_path, kind="pairs", **SMALL)


@pytest.mark.parametrize(("options", "missing"), [({}, "vid_train"), ({"splits": "validation"}, "vid_validation")])
def test_missing_crops_are_told_in_one_line(tmp_path, run_binary, options, missing):
    with pytest.raises(SystemExit, match=f"show_batches: error: no prepared crops {missing} in {tmp_path}") as caught:
        run_binary(show_batches, data_dir=tmp_path, out=tmp_path / "batches", **options)
    assert "\n" not in caught.value.code and not (tmp_path / "batches").exists()


def test_data_dir_is_required():
    values = flags.FlagValues()
    show_batches.define_flags(values)
    with pytest.raises(flags.IllegalFlagValueError, match="data_dir"):
        values(["show_batches"])


@pytest.mark.parametrize(
    ("recipe", "more", "name", "size"),
    [
        (MatchingRecipe(batches="contexts", batch=4, context_size=191), {}, "contexts", (241, 4 * 195)),
        (MatchingRecipe(batch=2), {}, "pairs", PAIRS_SIZE),
        (LightRecipe(batch=4), {"weights": None}, "contexts", (241, 4 * 195)),
        (MetaRecipe(splits=("train",), batch=1, contexts=3), {"matching": "m.npz"}, "context_sets", SETS_SIZE),
    ],
)
def test_batches_of_a_run_are_shown(crops, tmp_path, run_binary, recipe, more, name, size):
    run_record.write(str(tmp_path), {"flags": {**run_record.own(recipe), "seed": 3, **more}}, {})
    run_binary(show_batches, data_dir=crops, run_dir=tmp_path, out=tmp_path / "out", sheets=1)
    assert [path.name for path in (tmp_path / "out").glob("*.png")] == [f"{name}-000000.png"]
    assert cv2.imread(str(tmp_path / "out" / f"{name}-000000.png")).shape[:2] == size


def test_a_light_trunks_batches_are_the_runs_own_and_have_no_labels(crops, tmp_path, run_binary, monkeypatch):
    shown = []
    monkeypatch.setattr(contact_sheet, "shade_cells", lambda *_: shown.append("cells"))
    recipe = LightRecipe(batch=4, augmentation="stronger")
    run_record.write(str(tmp_path), {"flags": {**run_record.own(recipe), "seed": 3}}, {})
    batches = show_batches.batches_of_run(str(tmp_path), str(crops))
    wanted = training_input.context_stream(str(crops), recipe, 3)
    for ours, theirs in zip(batches.stream.plan(2), wanted.plan(2), strict=True):
        np.testing.assert_array_equal(ours[0].seed, theirs[0].seed)
    show_batches.contexts_sheet(batches, 2)
    assert not shown


def test_every_augmentation_that_a_recipe_may_have_can_be_shown():
    assert set(AUGMENTATIONS) < show_batches.AUGMENTATIONS.keys()


def test_folder_without_a_run_is_refused(crops, tmp_path, run_binary):
    with pytest.raises(SystemExit, match=f"show_batches: error: no run in {tmp_path}: give a folder that train"):
        run_binary(show_batches, data_dir=crops, run_dir=tmp_path)
