"""Tests of flags.json: what is kept of each start, what is refused when a run goes on."""

import json
from importlib import metadata

import pytest
from absl import flags

from experiments import train_light, train_matching, train_meta
from experiments.shared import provenance
from experiments.training import run_record
from experiments.training.recipe import MatchingRecipe
from mlt_tf.errors import InputError

REQUIRED = ["--data_dir=d", "--run_dir=r", "--matching=m"]


def parsed(binary, *words):
    """Returns what a binary's command line asks for, in several dataclasses."""
    values = flags.FlagValues()
    binary.define_flags(values)
    values(["binary", *REQUIRED[: 2 + (binary is train_meta)], *words])
    return binary.read(values)


def start(inputs=None, **values):
    return run_record.describe(values, inputs or {})


def test_own_flags_are_all_options_of_a_run():
    own = run_record.own(*parsed(train_matching, "--steps=7"))
    assert {"steps", "data_dir", "channels", "show_every", "start_from"} <= own.keys() and "recipe" not in own
    assert own["steps"] == 7 and own["splits"] == ["train"]


def test_unusual_flags_are_those_that_differ_from_their_defaults():
    request = parsed(train_matching, "--steps=7", "--splits=train,validation", "--batch=8", "--deterministic")
    expected = {"--steps=7", "--splits=train,validation", "--deterministic=True", *REQUIRED[:2]}
    assert set(run_record.unusual(*request).split()) == expected


@pytest.mark.parametrize("binary", [train_matching, train_meta])
def test_what_decides_a_run_may_not_change(binary):
    fixed = run_record.own(*parsed(binary)).keys() - run_record.MAY_CHANGE
    both = {
        "splits", "stills_share", "bfloat16", "seed", "optimizer", "batch", "schedule", "warmup", "label_radius",
        "pasted_stills", "clip_norm", "average", "cutouts_share", "ranking",
    }  # fmt: skip
    matching = {
        "channels", "batches", "response_rate", "augmentation", "max_gap", "start_step",
        "context_size", "leave_out", "patches", "trunk_rate", "frozen_blocks", "frozen_steps", "pull",
    }  # fmt: skip
    meta = {
        "layout", "contexts", "samples", "distractors", "features", "views", "jitter", "attention",
        "view_augmentation", "tracked_share",
    }  # fmt: skip
    assert fixed == both | (matching if binary is train_matching else meta)


def test_a_light_trunks_recipe_may_not_change():
    fixed = run_record.own(*parsed(train_light)).keys() - run_record.MAY_CHANGE
    mixture = {"splits", "stills_share", "cutouts_share", "seed"}
    assert fixed == mixture | {
        "batch", "context_size", "augmentation", "schedule", "warmup", "clip_norm", "factors", "responses", "bfloat16",
    }  # fmt: skip


def test_every_flag_that_may_change_exists():
    binaries = (train_matching, train_meta, train_light)
    defined = {name for binary in binaries for name in run_record.own(*parsed(binary))}
    assert run_record.MAY_CHANGE - defined == set()


def test_description_says_what_ran_where(monkeypatch):
    monkeypatch.setattr("sys.argv", ["/far/away/train_toy.py", "--rate=0.5"])
    described = run_record.describe({"rate": 0.5}, {"crops": ["c0ffee"], "start_from": None})
    assert described["command"] == "python -m experiments.train_toy --rate=0.5"
    assert described["commit"] == provenance.commit() and described["date"].startswith("20")
    assert described["flags"] == {"rate": 0.5} and described["inputs"]["crops"] == ["c0ffee"]
    assert described["versions"].keys() == set(run_record.PACKAGES)
    assert described["versions"]["tensorflow"] == metadata.version("tensorflow")
    assert described["devices"][0] == "CPU:0"


def test_each_start_is_kept(tmp_path):
    for rate in (0.5, 0.7, 0.9):
        run_record.write(str(tmp_path), start(rate=rate), run_record.read(str(tmp_path)))
    saved = run_record.read(str(tmp_path))
    assert saved["flags"] == {"rate": 0.9}
    assert [before["flags"]["rate"] for before in saved["earlier"]] == [0.5, 0.7]
    assert [path.name for path in tmp_path.iterdir()] == ["flags.json"]
    assert all("earlier" not in before for before in saved["earlier"])


def test_disk_that_is_full_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    run_record.write(str(tmp_path), start(rate=0.5), {})

    def dump(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(run_record.json, "dump", dump)
    with pytest.raises(OSError, match="disk full"):
        run_record.write(str(tmp_path), start(rate=0.7), {})
    assert run_record.read(str(tmp_path))["flags"] == {"rate": 0.5} and len(list(tmp_path.iterdir())) == 1


def test_folder_without_the_file_has_no_start(tmp_path):
    assert run_record.read(str(tmp_path)) == {}
    assert run_record.check("folder", start(rate=1), {}) == []


def test_file_of_the_first_runs_is_read(tmp_path):
    (tmp_path / "flags.json").write_text(
        json.dumps({"command": "python", "commit": "abc", "rate": 0.5, "verbosity": 0})
    )
    earlier = run_record.read(str(tmp_path))
    assert earlier["flags"]["rate"] == 0.5
    with pytest.raises(InputError, match="began with --rate=0.5, not --rate=0.7"):
        run_record.check("folder", start(rate=0.7), earlier)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1, 2]",
        "7",
        '["flags"]',
        '{"flags": 5}',
        '{"flags": {}, "inputs": []}',
        '{"flags": {}, "earlier": {}}',
    ],
)
def test_file_that_cannot_be_read_is_refused(tmp_path, text):
    (tmp_path / "flags.json").write_text(text)
    with pytest.raises(
        InputError, match=r"flags\.json cannot be read: .*; choose another --run_dir, or delete"
    ) as caught:
        run_record.read(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_same_start_has_no_changes():
    values = {"splits": ["train"], "seed": 0, "views": ["24", "6"]}
    assert run_record.check("folder", start({"crops": ["a"]}, **values), start({"crops": ["a"]}, **values)) == []


@pytest.mark.parametrize(
    ("name", "kept", "gone", "commit"),
    [
        ("background", 0.0, 0.3, "171a062"),
        ("delta_label", "centred", "shifted", "171a062"),
        ("layout", "flat", "rowwise", "171a062"),
        ("sizes", 0.0, 0.5, "efa570d"),
    ],
)
def test_run_with_a_flag_that_is_gone_is_refused(name, kept, gone, commit):
    assert run_record.check("runs/a", start(seed=1), start(seed=1, **{name: kept})) == []
    with pytest.raises(InputError) as caught:
        run_record.check("runs/a", start(seed=1), start(seed=1, **{name: gone}))
    assert str(caught.value) == (
        f"the run in runs/a began with --{name}={gone}, which is gone after commit {commit}: "
        "go on with that commit, or give another --run_dir"
    )


def test_recipe_of_a_run_with_a_flag_that_is_gone_is_read_without_it(tmp_path):
    run_record.write(str(tmp_path), start(ranking=0.5, sizes=0.5), {})
    assert run_record.read_recipe(str(tmp_path)) == MatchingRecipe(ranking=0.5)


def test_what_may_change_is_shown():
    earlier = {**start(steps=5, seed=1), "versions": {"numpy": "1.0"}}
    changes = run_record.check("folder", start(steps=9, seed=1), earlier)
    assert changes == ["--steps=5 is now --steps=9", f"numpy 1.0 is now {metadata.version('numpy')}"]


def test_other_flags_and_inputs_are_refused():
    earlier = start({"crops": ["0123456789abcdef"], "start_from": None}, seed=1, splits=["train"], steps=5)
    with pytest.raises(InputError) as caught:
        run_record.check("runs/a", start(earlier["inputs"], seed=2, splits=["validation"], steps=6), earlier)
    assert str(caught.value) == (
        "the run in runs/a began with --seed=1 --splits=train, not --seed=2 --splits=validation: "
        "give that again, or another --run_dir"
    )
    other = start({"crops": ["fedcba9876543210"], "start_from": "beef"}, **earlier["flags"])
    with pytest.raises(InputError) as caught:
        run_record.check("runs/a", other, earlier)
    assert str(caught.value) == (
        "the run in runs/a began with other crops (0123456789ab, now fedcba987654), start_from (None, now beef): "
        "give those, or another --run_dir"
    )


def test_flag_that_is_new_or_gone_is_no_difference():
    assert run_record.check("folder", start(seed=1, new=2), start(seed=1, old=3)) == []
