"""The study of updates: its figures by hand, and the whole of it on small clips."""

import json
import types

import numpy as np
import pytest
from absl import flags

from experiments import study_updates
from experiments.shared.options import read
from experiments.watching import update_effects
from mlt_tf.errors import InputError
from mlt_tf.storage import pretrained
from tests.study_clips import FRAMES, SETTINGS


def run(videos, out, *words, **options):
    values = flags.FlagValues()
    study_updates.define_flags(values)
    config = ",".join(f"{name}={value}" for name, value in SETTINGS.items())
    given = {"data_dir": videos, "out": out, "config": config, **options}
    values(["study_updates", *words, *(f"--{name}={value}" for name, value in given.items())])
    return study_updates.run(read(study_updates.Request, values))


def test_rank_correlation():
    a = np.array([3.0, 1.0, 4.0, 1.0, 5.0])
    assert study_updates.spearman(a, np.exp(a)) == pytest.approx(1)
    assert study_updates.spearman(a, -a) == pytest.approx(-1)
    ranks = [3, 1.5, 4, 1.5, 5], [1, 2.5, 2.5, 4.5, 4.5]
    assert study_updates.spearman(a, np.array([0, 1, 1, 2, 2])) == pytest.approx(np.corrcoef(ranks)[0, 1])
    assert study_updates.spearman(a, np.ones(5)) is None


def record_of(sequence, frame, own, overlaps, entropies):
    """Makes the record of an update whose own delta's layer has the loss `own`, and the un-adapted one 0.5."""
    loss = {**dict.fromkeys(study_updates.LAYERS, 0.5), "own": own}
    sampled = {"sample_overlaps": overlaps, "sample_entropies": entropies}
    return {"sequence": sequence, "frame": frame, "loss": loss, "margin": dict.fromkeys(loss, 0.1), **sampled}


def test_summary_and_correlations():
    records = [
        record_of("a", 30, 0.4, [1.0, 0.8], [None, 4.0]),
        record_of("a", 60, 0.6, [1.0, 0.4], [None, 5.0]),
        record_of("b", 30, 0.7, [1.0, 0.0], [None, None]),
    ]
    summary = study_updates.summarise(records)
    assert (summary["updates"], summary["harmful"]) == (3, pytest.approx(2 / 3))
    assert (summary["loss_own"], summary["overlap"]) == (pytest.approx(1.7 / 3), pytest.approx(0.7))
    assert (summary["loss_mean"], summary["margin_own"], summary["entropy"]) == (0.5, pytest.approx(0.1), 4.5)
    assert study_updates.correlate(records) == {
        "overlap": pytest.approx(-1),
        "entropy": pytest.approx(1),
        "frame": pytest.approx(0),
    }
    assert study_updates.correlate(records[2:]) == {"overlap": None, "entropy": None, "frame": None}


def test_another_delta_is_of_another_sequence():
    """Judges with a stand-in that only notes which deltas it gets."""
    asked = []

    def judge(one, frame, deltas, every, jitter):
        asked.append(deltas)
        return {"contexts": 1, "loss": {}, "margin": {}}

    def sequence_of(name, values):
        updates = [update_effects.StudiedUpdate(3, *[np.zeros(1)] * 3, np.full([2, 2], value)) for value in values]
        return update_effects.Followed(types.SimpleNamespace(name=name), None, updates)

    both = [sequence_of("a", [1.0, 2.0]), sequence_of("b", [3.0, 4.0, 8.0])]
    study_updates.judge_all(types.SimpleNamespace(judge=judge), both, 5, 1.0)
    found = [[None if part is None else part[0, 0] for part in deltas.values()] for deltas in asked]
    assert list(asked[0]) == ["previous", "own", "another", "mean"]
    assert found == [[None, 1, 3, 3.6], [1, 2, 4, 3.6], [None, 3, 1, 3.6], [3, 4, 2, 3.6], [4, 8, 1, 3.6]]


def test_study_is_printed_and_written(update_study, study_clips, study_weights, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(study_updates, "UpdateStudy", lambda *_: update_study)
    run(study_clips, tmp_path / "new" / "study.json", "--probe", weights=study_weights, every=2)
    printed = capsys.readouterr()
    assert "skipped, shorter than two updates: short" in printed.err
    rows = {line.split()[0]: line.split()[1:] for line in printed.out.splitlines() if line}
    found = json.loads((tmp_path / "new" / "study.json").read_text())
    assert [(update["sequence"], update["frame"], update["contexts"]) for update in found["updates"]] == [
        *(("left", 3, 2), ("left", 6, 1), ("right", 3, 2), ("right", 6, 1))
    ]
    assert found["updates"][0]["loss"]["previous"] == found["updates"][0]["loss"]["unadapted"]
    assert found["updates"][0]["sample_entropies"][0] is None and found["skipped"] == ["short"]
    assert found["settings"]["tau"] == 0.92 and set(found["sequences"]) == {"left", "right"}
    assert rows["right"][0] == "2" and rows["all"][2] == f"{found['all']['loss_unadapted']:.4f}"
    assert found["probe"]["chance"] == 0.5 and {"deltas", "features"} < set(found["probe"])
    assert "linear probe" in printed.out and "rank correlation" in printed.out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sequences": "left"}, "1 sequences of 6 frames or more, which is two updates: give two or more"),
        ({"sequences": "left,nobody"}, "no sequence nobody"),
        ({"data_dir": "nowhere"}, "nowhere: no such folder"),
        ({"config": "tow=1"}, "unknown tracker setting 'tow'"),
        ({"out": "/dev/null/study.json"}, "cannot write /dev/null/study.json: "),
        ({"out": "/"}, "cannot write /: it is a folder; give --out a file"),
    ],
)
def test_bad_input_is_refused(study_clips, tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        run(study_clips, **{"out": tmp_path / "study.json", **options})


def test_weights_of_another_variant_are_refused(study_clips, tmp_path):
    path = str(tmp_path / "mlt_mt.npz")
    pretrained.save(path, pretrained.build("mlt_mt"), {})
    with pytest.raises(InputError, match="mlt_mt.npz: a matching network alone: give the variant mlt_mt or mlt_mt_ft"):
        run(study_clips, tmp_path / "study.json", weights=path)


def test_sequence_without_ground_truth_is_refused(study_clips, tmp_path):
    for name in ("left", "right"):
        (tmp_path / "videos" / name).mkdir(parents=True)
        (tmp_path / "videos" / name / "img").symlink_to(study_clips / name / "img")
        rows = ["101,71,40,40"] + ["1,1,0,0"] * (FRAMES - 1)
        (tmp_path / "videos" / name / "groundtruth_rect.txt").write_text("\n".join(rows) + "\n")
    with pytest.raises(InputError, match="left: no ground truth at its start or after an update"):
        run(tmp_path / "videos", tmp_path / "study.json")
