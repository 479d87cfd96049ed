"""Tests of tracking while training: by the live networks, as the tracker of the package does it."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from data_pipelines.datasets import sequences
from experiments.scoring import clip_scores, metrics
from experiments.watching import validation_tracking
from experiments.watching.request import Watching
from mlt_tf.config import TrackerConfig
from mlt_tf.errors import InputError
from mlt_tf.networks.matching import MatchingNetwork
from mlt_tf.storage import pretrained
from mlt_tf.tracker import MultiTracker
from tests.scenes import moving_square

FRAMES = 3


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Returns a folder with two videos in OTB's layout, of different sizes and more frames than are tracked."""
    root = tmp_path_factory.mktemp("videos")
    for name, step, size_wh in (("left", (-3, 1), (240, 180)), ("right", (4, 0), (260, 200))):
        boxes = []
        (root / name / "img").mkdir(parents=True)
        for number, (frame, box) in enumerate(moving_square(FRAMES + 2, step, size_wh), 1):
            cv2.imwrite(str(root / name / "img" / f"{number:04d}.png"), frame[..., ::-1])
            boxes.append(box + [1, 1, 0, 0])
        np.savetxt(root / name / "groundtruth_rect.txt", boxes, "%d", ",")
    return root


def probe_of(videos, networks, path=None, **options):
    given = {"track_every": 5, "validation_dir": str(videos), "validation_frames": FRAMES, **options}
    return validation_tracking.make_probe(Watching(**given), networks, path)


def auc(networks, videos, **settings):
    """Tracks with a tracker of its own and returns the success AUC."""
    tracker = MultiTracker(networks, TrackerConfig(**settings))
    found, truth = {}, {}
    for sequence in sequences.load_sequences(str(videos)):
        first, *others = [sequences.read_frame(path) for path in sequence.frame_paths[:FRAMES]]
        states = tracker.add(first, [sequence.boxes_xywh[0]])
        states += [tracker.update(frame)[0] for frame in others]
        tracker.remove([0])
        found[sequence.name] = np.stack([state.box_xywh for state in states])
        truth[sequence.name] = sequence.boxes_xywh[:FRAMES]
    return metrics.score_sequences(found, truth).auc


def test_live_matching_network_tracks_as_mlt_mt(videos):
    tf.keras.utils.set_random_seed(2)
    network = MatchingNetwork()  # Of fewer channels than MLT-mt has.
    networks = pretrained.Networks(network)
    probe = probe_of(videos, networks, validation_config="pyramid=exemplars")
    found = []
    for _ in range(2):
        found.append(probe.measure())
        assert found[-1].keys() == {"auc", "auc_low", "auc_high"}
        assert found[-1]["auc"] == pytest.approx(auc(networks, videos, pyramid="exemplars"), abs=1e-6)
        assert found[-1]["auc_low"] <= found[-1]["auc"] <= found[-1]["auc_high"]
        for block in network.extractor.blocks:  # As if the training went on.
            block.norm.beta.assign_add(tf.random.stateless_normal(block.norm.beta.shape, [1, 2], 0, 2.0))
    assert probe._tracker.steps.find.experimental_get_tracing_count() == 1


def test_meta_learner_has_both_scores_and_tracks_without_updates_only_once(videos, monkeypatch):
    tf.keras.utils.set_random_seed(3)
    networks = pretrained.build("mlt")
    networks.adaptation.gain.assign(tf.fill([32], 20.0))  # So that an update shows.
    settings = {"pyramid": "exemplars", "update_interval": 2, "tau": -1.0, "memory": 2, "samples": 2}
    text = ",".join(f"{name}={value}" for name, value in settings.items())
    probe = probe_of(videos, networks, validation_config=text)  # Compiles searches and updates: it takes seconds.
    found = probe.measure()
    assert found["auc"] == pytest.approx(auc(networks, videos, **settings), abs=1e-6)
    plain = auc(pretrained.Networks(networks.matching), videos, **settings)
    assert found["auc_unadapted"] == pytest.approx(plain, abs=1e-6) and found["auc"] != found["auc_unadapted"]
    monkeypatch.setattr(probe, "_unadapted", object())
    assert probe.measure() == found


def test_difference_is_to_the_scores_that_a_run_left(videos, tmp_path):
    tf.keras.utils.set_random_seed(2)
    networks = pretrained.Networks(MatchingNetwork())
    path = tmp_path / "run" / "tracking.json"
    first = probe_of(videos, networks, str(path)).measure()
    scores = clip_scores.read(path)["once"]
    assert first["auc"] == pytest.approx(np.mean([of_video.auc for of_video in scores.values()]))
    worse = {name: of_video._replace(auc=of_video.auc - 0.1) for name, of_video in scores.items()}
    clip_scores.write(path, {"once": worse}, {})
    found = probe_of(videos, networks, reference_scores=str(path)).measure()
    assert [found[f"difference{end}"] for end in ("", "_low", "_high")] == pytest.approx([0.1] * 3)
    with pytest.raises(InputError, match="--reference_scores=.*score of 3 frames of left, not 2.*--validation_frames"):
        probe_of(videos, networks, reference_scores=str(path), validation_frames=2)


def test_suite_is_tracked(videos, tmp_path):
    (tmp_path / "suite.txt").write_text(f"{videos} otb right\n")
    assert [sequence.name for sequence in probe_of(tmp_path / "suite.txt", pretrained.build("mlt_mt"))._sequences] == [
        "right"
    ]


def test_bfloat16_may_be_the_trackers_alone(videos):
    tf.keras.utils.set_random_seed(2)
    networks = pretrained.Networks(MatchingNetwork())
    probe = probe_of(videos, networks, validation_config="bfloat16=True,pyramid=exemplars")
    assert {variable.dtype for variable in probe._trunk.variables} == {tf.bfloat16}


def test_off_is_nothing():
    assert validation_tracking.make_probe(Watching(), None) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"track_every": 5}, "--track_every=5 needs --validation_dir"),
        ({"validation_dir": "x"}, "--validation_dir=x needs --track_every"),
        ({"reference_scores": "x"}, "--reference_scores=x needs --track_every"),
        ({"track_every": 5, "validation_dir": "nowhere"}, "nowhere: no such folder"),
    ],
)
def test_flags_that_contradict_each_other_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        validation_tracking.make_probe(Watching(**options), None)


@pytest.mark.parametrize(("text", "message"), [("x", "--validation_config: 'x' is not"), ("tow=1", "unknown tracker")])
def test_setting_that_is_none_is_refused(videos, text, message):
    with pytest.raises(InputError, match=message):
        probe_of(videos, pretrained.Networks(None), validation_config=text)


def test_videos_that_cannot_be_scored_are_refused_at_once(videos, tmp_path):
    sequence = sequences.load_sequences(str(videos), names=["left"])[0]
    folder = tmp_path / "hidden"
    (folder / "img").mkdir(parents=True)
    for path in sequence.frame_paths:
        (folder / "img" / path.rpartition("/")[2]).symlink_to(path)
    (folder / "groundtruth_rect.txt").write_text("NaN,NaN,NaN,NaN\n" * len(sequence.frame_paths))
    with pytest.raises(InputError, match="hidden"):
        probe_of(tmp_path, None)


def test_description_has_no_folder_above(videos):
    watching = Watching(track_every=1, validation_dir=str(videos), validation_config="tau=0.4")
    assert validation_tracking.describe(watching) == f"{videos.name}, 60 frames, tau=0.4"
