"""Tests of the attempts at a recipe, with trainings that only leave what a run leaves."""

import json
import pathlib
import subprocess
import sys

import pytest
import tensorflow as tf
from absl import flags

from experiments import attempts, train_matching, train_meta
from experiments.scoring import clip_scores
from experiments.shared import options as shared_options
from mlt_tf.errors import InputError


@pytest.fixture
def trained(monkeypatch):
    """Makes a training leave its record and scalars; returns the words of those that were started."""
    started = []

    def leave(words, log):
        started.append(words)
        run_dir = pathlib.Path(next(word for word in words if word.startswith("--run_dir=")).removeprefix("--run_dir="))
        if "--learning_rate=0.003" in words:
            log.write("diverged")
            return
        (run_dir / "weights").mkdir()
        meta = {"held_out_loss": {"unadapted": 0.31, "own_delta": 0.27}} if "train_meta" in words[2] else {}
        (run_dir / "weights" / "step-000007.json").write_text(json.dumps({"minutes": 2.6, **meta}))
        aucs = {"a": 0.4, "b": 0.6} if run_dir.name == "recipe" else {"a": 0.5, "b": 0.66}
        scores = {name: clip_scores.Score(auc, 30) for name, auc in aucs.items()}
        clip_scores.write(run_dir / "tracking.json", {"once": scores}, {})
        with tf.summary.create_file_writer(str(run_dir / "tensorboard")).as_default(7):
            for tag, value in {"tracking/auc": 0.5, "tracking/auc_unadapted": 0.49, "validation/loss": 0.25}.items():
                tf.summary.scalar(tag, value)

    monkeypatch.setattr(attempts, "follow", leave)
    return started


def start(*words, **options):
    """Runs the binary with flags of its own."""
    values = flags.FlagValues()
    attempts.define_flags(values)
    rest = values(["attempts", *(f"--{name}={value}" for name, value in options.items()), *words])
    attempts.run(shared_options.read(attempts.Request, values), rest[1:])


def test_interrupted_training_may_save(tmp_path, monkeypatch):
    class Popen(subprocess.Popen):
        def wait(self, *given, **named):
            (tmp_path / "waits").touch()
            return super().wait(*given, **named)

    monkeypatch.setattr(attempts.subprocess, "Popen", Popen)
    saving = (
        "import os, signal, time\n"
        f"while not os.path.exists({str(tmp_path / 'waits')!r}): time.sleep(0.01)\n"
        "os.kill(os.getppid(), signal.SIGINT); time.sleep(1); print('saved')"
    )
    with open(tmp_path / "log", "w") as log, pytest.raises(KeyboardInterrupt):
        attempts.follow([sys.executable, "-c", saving], log)
    assert (tmp_path / "log").read_text() == "saved\n"


@pytest.fixture
def options(tmp_path):
    """Returns the flags of seven steps."""
    return {"data_dir": "crops", "validation_dir": "videos", "out": tmp_path / "out", "steps": 7}


@pytest.mark.parametrize(("name", "binary"), [("matching", train_matching), ("meta", train_meta)])
def test_every_attempt_is_a_command_line_of_its_binary(name, binary, tmp_path):
    request = attempts.Request(data_dir="d", validation_dir="v", out=str(tmp_path))
    kind = attempts.KINDS[name]
    assert binary.__name__ == f"experiments.{kind.binary}"
    seen = set()
    for attempt in kind.attempts:
        words = attempts.command(kind, attempt, request, 7, ["--matching=m.npz"] if name == "meta" else [])
        parsed = flags.FlagValues()
        binary.define_flags(parsed)
        assert parsed(words[2:])[1:] == []
        assert (parsed["steps"].value, parsed["track_every"].value) == (7, 7)
        assert binary.read(parsed).recipe == attempts.recipe_of(kind, attempt, 7)
        own = {flag: str(parsed[flag].value) for flag in parsed if flag != "run_dir"}
        seen.add(str(sorted(own.items())))
    assert len(seen) == len(kind.attempts)  # Each changes something.


def test_attempts_are_trained_once_and_tabled(trained, options, tmp_path, capsys):
    start(only="recipe,no blur", **options)
    assert len(trained) == 2 and "--leave_out=blur" in trained[1]
    table = (tmp_path / "out" / "table.md").read_text()
    assert capsys.readouterr().out.strip() == table.strip()
    assert "| recipe | - | 7 | 3 | .2500 | - | .5000 / .4900 | .400 to .600 | - | - | - |" in table
    (row,) = [line for line in table.splitlines() if line.startswith("| no blur | leave_out=blur | 7 | 3 | .2500 |")]
    assert row.endswith("| .500 to .660 | +.080 | +.060 to +.100 | 2 / 0 |") and "| less recipe |" in table
    assert "| radius 1 | label_radius=1.0 |" in table
    assert table.count("not run") == len(attempts.MATCHING.attempts) - 2
    start(only="recipe", **options)
    assert len(trained) == 2


def test_words_after_the_flags_go_to_every_training(trained, options, tmp_path):
    start("--", "--matching=m.npz", kind="meta", only="recipe", **options)
    assert "--matching=m.npz" in trained[0] and f"--cache_dir={tmp_path / 'out'}/cache" in trained[0]
    assert "| .3100 / .2700 | - | .5000 / .4900 |" in (tmp_path / "out" / "table.md").read_text()


def test_what_failed_is_named(trained, options):
    with pytest.raises(InputError, match="rate-3e-3 did not finish: see its train.log"):
        start(only="rate 3e-3", **options)


def test_bad_input(options):
    with pytest.raises(InputError, match="--only: recipes unknown; the attempts are: recipe, "):
        start(only="recipes", **options)
    with pytest.raises(InputError, match="--reference: recipes unknown"):
        start(reference="recipes", **options)
    with pytest.raises(InputError, match="--data_dir, --validation_dir, --out missing"):
        start()


def test_folder_that_cannot_be_written_is_told(trained, options, tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(InputError, match="cannot write .*/out/recipe/train.log: .*; .* another --out"):
        start(only="recipe", **options)
    assert not trained


def test_list_trains_nothing(trained, capsys):
    start(list=True, kind="meta")
    shown = capsys.readouterr().out
    assert shown.startswith("train_meta ") and "--features=cached" in shown and not trained


@pytest.mark.parametrize(
    ("attempt", "folder"),
    [
        ("recipe", "cache"),
        ("ranking 2", "cache"),
        ("stills .8", "cache"),
        ("own backgrounds", "cache-pasted_stills-0.0"),
        ("no stills", "cache-videos"),
        ("both splits", "cache-splits-train-validation-views-16-3"),
    ],
)
def test_attempts_share_features_where_they_are_the_same(attempt, folder):
    request = attempts.Request(data_dir="d", validation_dir="v", out="out")
    assert f"--cache_dir=out/{folder}" in attempts.command(attempts.META, attempt, request, 7, [])
