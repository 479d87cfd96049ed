"""The study of updates: on small clips, against the tracker's own layers and against NumPy."""

import json
import types

import cv2
import numpy as np
import pytest
import tensorflow as tf
from absl import flags

from data_pipelines.datasets import sequences
from experiments import study_updates
from experiments.shared.options import read
from experiments.watching import update_effects
from mlt_tf import boxes
from mlt_tf.config import TrackerConfig
from mlt_tf.crops import Frames
from mlt_tf.errors import InputError
from mlt_tf.learning import labels, meta_loss
from mlt_tf.storage import pretrained
from tests.scenes import moving_square

FRAMES, GREY, HIDDEN = 8, 5, 7  # The 5th frame shows nothing; in "left" the 7th has no ground truth.
SETTINGS = {"pyramid": "exemplars", "update_interval": 3, "memory": 2, "samples": 3, "tau": 0.92}


def write_clip(folder, step_xy, frames=FRAMES, hidden=None):
    """Writes a clip in OTB's layout."""
    (folder / "img").mkdir(parents=True)
    rows = []
    for number, (frame, box) in enumerate(moving_square(frames, step_xy), 1):
        shown = np.full_like(frame, 90) if number == GREY else frame[..., ::-1]
        cv2.imwrite(str(folder / "img" / f"{number:04d}.png"), shown)
        rows.append("1,1,0,0" if number == hidden else ",".join(f"{value:g}" for value in box + [1, 1, 0, 0]))
    (folder / "groundtruth_rect.txt").write_text("\n".join(rows) + "\n")


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Returns a folder with two clips, and a third that is too short."""
    root = tmp_path_factory.mktemp("videos")
    write_clip(root / "left", (-3, 1), hidden=HIDDEN)
    write_clip(root / "right", (4, 0))
    write_clip(root / "short", (0, 0), frames=5)
    return root


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Returns a weight file of untrained networks."""
    tf.keras.utils.set_random_seed(3)
    path = tmp_path_factory.mktemp("weights") / "mlt.npz"
    networks = pretrained.build("mlt")
    networks.adaptation.gain.assign(tf.fill([32], 0.3))  # So little adapted that the grey frame stays uncertain.
    pretrained.save(str(path), networks, {})
    return str(path)


@pytest.fixture(scope="module")
def study(weights):
    """Returns the compiled study."""
    return update_effects.UpdateStudy(pretrained.load("mlt", weights), TrackerConfig(**SETTINGS))


@pytest.fixture(scope="module")
def right(videos):
    """Returns the clip that is visible throughout."""
    return sequences.load_sequences(str(videos), names=["right"])[0]


@pytest.fixture(scope="module")
def followed(study, right):
    """Returns what the study makes of that clip."""
    return study.follow(right)


def run(videos, out, *words, **options):
    values = flags.FlagValues()
    study_updates.define_flags(values)
    config = ",".join(f"{name}={value}" for name, value in SETTINGS.items())
    given = {"data_dir": videos, "out": out, "config": config, **options}
    values(["study_updates", *words, *(f"--{name}={value}" for name, value in given.items())])
    return study_updates.run(read(study_updates.Request, values))


def track(study, sequence):
    """Tracks by hand: yields the frame's number, the tracker's state in it and its box."""
    tracker = study._tracker
    frames = map(sequences.read_frame, sequence.frame_paths)
    try:
        tracker.add(next(frames), sequence.boxes_xywh[:1])
        yield 1, tracker.state, sequence.boxes_xywh[0]
        for number, frame in enumerate(frames, 2):
            (state,) = tracker.update(frame)
            yield number, tracker.state, state.box_xywh
    finally:
        tracker.remove([0])


def test_samples_are_known_by_frame_and_placement(study, right, followed):
    found = np.stack([box for _, _, box in track(study, right)])
    assert [update.frame for update in followed.updates] == [3, 6]
    assert [sorted(update.sample_frames) for update in followed.updates] == [[1, 2, 3], [1, 4, 6]]  # Not the grey one.
    for update in followed.updates:
        indices = update.sample_frames - 1
        np.testing.assert_allclose(update.overlaps, boxes.iou(found, right.boxes_xywh)[indices], atol=1e-5)
        assert update.overlaps[0] == 1 and update.entropies[0] == -np.inf and indices[0] == 0
        assert np.all(np.diff(update.entropies) >= 0) and np.isfinite(update.entropies[1:]).all()


def test_layers_are_the_trackers_own(study, right, followed):
    layers = {number: state.layer for number, state, _ in track(study, right)}
    deltas = {"previous": followed.updates[0].delta, "own": followed.updates[1].delta, "none": None}
    measured = study.judge(followed, 6, deltas, every=1, jitter=0.0)
    assert measured["contexts"] == 2 and measured["loss"]["none"] == measured["loss"]["unadapted"]
    steps, network = study._tracker.steps, study._networks.matching
    images = np.stack([sequences.read_frame(path) for path in right.frame_paths[6:]])
    frames = Frames(images, np.tile(np.float32([240, 180]), [2, 1]))
    phi_z = steps.trunk(steps.cut_contexts(frames, tf.range(2), boxes.xywh_to_cxcywh(right.boxes_xywh[6:])))[None]
    y = labels.centred_label()[None, None]
    for name, number in (("unadapted", 1), ("previous", 5), ("own", 6)):
        loss = meta_loss.context_set_loss(y, meta_loss.responses(network, layers[number], followed.phi_x, phi_z))
        assert measured["loss"][name] == pytest.approx(float(loss[0]), rel=1e-4)
    assert len(set(measured["loss"].values())) == 3


def test_contexts_hold_the_target_where_the_label_says(study, right):
    shift = np.float32([[0, 0], [2, -1]])
    centred, moved = study.cut_contexts(right, np.array([1, 1]), shift).numpy().astype(int)
    difference = moved[40:200, 40:200] - np.roll(centred, (-8, 16), (0, 1))[40:200, 40:200]
    assert np.abs(difference).mean() < 1


def test_hidden_frames_do_not_judge_and_jitter_is_fixed(study, videos, followed):
    (left,) = sequences.load_sequences(str(videos), names=["left"])
    one = update_effects.Followed(left, followed.phi_x, [])
    deltas = {"own": followed.updates[0].delta}
    first, again, centred = (study.judge(one, 6, deltas, 1, jitter) for jitter in (1.0, 1.0, 0.0))
    assert first == again and first["contexts"] == 1 and first["loss"] != centred["loss"]
    assert study.judge(one, FRAMES, deltas, 1, 1.0) == {}


def test_ridge_regression_tells_targets_apart_only_where_they_differ():
    rng = np.random.default_rng(0)
    centres, noise = rng.normal(size=[5, 40]), lambda: rng.normal(size=[8, 40])
    train, test = ([centre + 0.3 * noise() for centre in centres] for _ in range(2))
    assert update_effects.ridge_accuracy(train, test) == 1
    assert update_effects.ridge_accuracy(train, test[::-1]) == pytest.approx(0.2)  # The middle one alone is right.
    assert update_effects.ridge_accuracy(*([noise() for _ in range(5)] for _ in range(2))) < 0.6


def test_ridge_regression_is_that_of_its_primal_form():
    rng = np.random.default_rng(1)
    train, test = ([rng.normal(size=[count, 6]) for count in (4, 7)] for _ in range(2))
    x, own = np.concatenate(train), np.repeat([0, 1], [4, 7])
    x, y, others = x - x.mean(0), np.eye(2)[own], np.concatenate(test) - x.mean(0)
    strength = update_effects.RIDGE * np.sum(x**2) / len(x)
    weights = np.linalg.solve(x.T @ x + strength * np.eye(6), x.T @ (y - y.mean(0)))
    expected = np.mean((others @ weights + y.mean(0)).argmax(1) == own)
    assert update_effects.ridge_accuracy(train, test) == pytest.approx(expected)


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


def test_another_delta_is_of_another_sequence(followed):
    """Judges with a stand-in that only notes which deltas it gets."""
    asked = []

    def judge(one, frame, deltas, every, jitter):
        asked.append(deltas)
        return {"contexts": 1, "loss": {}, "margin": {}}

    def sequence_of(name, values):
        updates = [followed.updates[0]._replace(delta=np.full([2, 2], value)) for value in values]
        return update_effects.Followed(types.SimpleNamespace(name=name), None, updates)

    both = [sequence_of("a", [1.0, 2.0]), sequence_of("b", [3.0, 4.0, 8.0])]
    study_updates.judge_all(types.SimpleNamespace(judge=judge), both, 5, 1.0)
    found = [[None if part is None else part[0, 0] for part in deltas.values()] for deltas in asked]
    assert list(asked[0]) == ["previous", "own", "another", "mean"]
    assert found == [[None, 1, 3, 3.6], [1, 2, 4, 3.6], [None, 3, 1, 3.6], [3, 4, 2, 3.6], [4, 8, 1, 3.6]]


def test_study_is_printed_and_written(study, videos, weights, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(study_updates, "UpdateStudy", lambda *_: study)
    run(videos, tmp_path / "new" / "study.json", "--probe", weights=weights, every=2)
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
def test_bad_input_is_refused(videos, tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        run(videos, **{"out": tmp_path / "study.json", **options})


def test_weights_of_another_variant_are_refused(videos, tmp_path):
    path = str(tmp_path / "mlt_mt.npz")
    pretrained.save(path, pretrained.build("mlt_mt"), {})
    with pytest.raises(InputError, match="mlt_mt.npz: a matching network alone: give the variant mlt_mt or mlt_mt_ft"):
        run(videos, tmp_path / "study.json", weights=path)


def test_sequence_without_ground_truth_is_refused(videos, tmp_path):
    for name in ("left", "right"):
        (tmp_path / "videos" / name).mkdir(parents=True)
        (tmp_path / "videos" / name / "img").symlink_to(videos / name / "img")
        rows = ["101,71,40,40"] + ["1,1,0,0"] * (FRAMES - 1)
        (tmp_path / "videos" / name / "groundtruth_rect.txt").write_text("\n".join(rows) + "\n")
    with pytest.raises(InputError, match="left: no ground truth at its start or after an update"):
        run(tmp_path / "videos", tmp_path / "study.json")
