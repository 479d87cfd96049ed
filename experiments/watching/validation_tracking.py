"""Success of short tracking runs on held-out videos, by the networks as they are while they are trained."""

import pathlib

import numpy as np

from data_pipelines.datasets import sequences, suites
from data_pipelines.datasets.sequences import Sequence
from experiments.running import trackers
from experiments.scoring import clip_scores
from experiments.scoring.clip_scores import ONCE, OnClips, Score
from experiments.shared import provenance
from experiments.watching.request import Watching
from mlt_tf import config
from mlt_tf.errors import InputError
from mlt_tf.networks.inference import InferenceTrunk
from mlt_tf.storage import pretrained
from mlt_tf.storage.pretrained import Networks
from mlt_tf.tracker import MultiTracker


class TrackingProbe:
    """Short videos, and the tracker of the live networks: compiled once, with their weights of the moment."""

    def __init__(
        self,
        networks: Networks,
        chosen: list[Sequence],
        settings: config.TrackerConfig,
        reference: OnClips | None = None,
        path: str | None = None,
    ):
        """Makes the tracker; with a meta-learner one without its updates too, which the training does not change.

        Args:
          networks: The live ones.
          chosen: The videos, as short as they are to be tracked.
          settings: Of the tracker.
          reference: Scores to compare with, of the same videos.
          path: File for the scores of each video, if they are to be kept.
        """
        self._trunk = InferenceTrunk(networks.matching.extractor, settings.bfloat16)
        self._extractor, self._sequences = networks.matching.extractor, chosen
        self._tracker = MultiTracker(networks, settings, self._trunk)
        frozen = networks.meta_learner is not None
        self._unadapted = MultiTracker(networks, settings, self._trunk, updates="none") if frozen else None
        self._unadapted_scores = None
        self._reference, self._path = reference, path

    def measure(self) -> dict[str, float]:
        """Tracks every video from its first box and scores it by OTB's rules.

        Returns:
          The success AUC and its 95 % interval over videos, auc, auc_low and auc_high; where there is a reference,
          difference, difference_low and difference_high to it; with a meta-learner auc_unadapted.
        """
        self._trunk.fold(self._extractor)
        scores = self._score(self._tracker)
        auc = clip_scores.estimate(scores)
        found = {"auc": auc.auc, "auc_low": auc.low, "auc_high": auc.high}
        if self._reference is not None:
            pair = clip_scores.difference(scores, self._reference)
            low, high = pair.interval
            found |= {"difference": pair.difference, "difference_low": low, "difference_high": high}
        if self._unadapted is not None:
            if self._unadapted_scores is None:
                self._unadapted_scores = self._score(self._unadapted)
            found["auc_unadapted"] = clip_scores.estimate(self._unadapted_scores).auc
        if self._path:
            clip_scores.write(pathlib.Path(self._path), {ONCE: scores}, provenance.made_by())
        return found

    def _score(self, tracker) -> dict[str, Score]:
        boxes_xywh = {sequence.name: _track(tracker, sequence) for sequence in self._sequences}
        return clip_scores.score(boxes_xywh, self._sequences)


def make_probe(watching: Watching, networks: Networks, path: str | None = None) -> TrackingProbe | None:
    """Makes the tracking that --track_every asks for; None where it asks for none.

    Args:
      watching: What is asked for.
      networks: The live ones.
      path: File for the scores of each video at the last measurement, which --reference_scores of another run reads.

    Raises:
      InputError: There are no such videos, one has no frame that counts, a setting is unknown, or the reference is of
        other videos or frames.
    """
    if not watching.track_every:
        for flag in ("validation_dir", "reference_scores"):
            if given := getattr(watching, flag):
                raise InputError(f"--{flag}={given} needs --track_every: say how often to track")
        return None
    if not watching.validation_dir:
        raise InputError(f"--track_every={watching.track_every} needs --validation_dir: give a folder of videos")
    overrides = trackers.parse_config(watching.validation_config, "--validation_config")
    whole = suites.load(watching.validation_dir, watching.validation_layout)
    chosen = [_shortened(sequence, watching.validation_frames) for sequence in whole]
    # What cannot be scored, or compared, shows now.
    possible = clip_scores.score({sequence.name: sequence.boxes_xywh for sequence in chosen}, chosen)
    reference = _read_reference(watching.reference_scores, possible) if watching.reference_scores else None
    return TrackingProbe(networks, chosen, pretrained.configure(networks, overrides), reference, path)


def _read_reference(path, scores):
    try:
        reference = clip_scores.read(pathlib.Path(path)).get(ONCE, {})
        clip_scores.check_comparable(reference, {name: of_video.frames for name, of_video in scores.items()})
    except InputError as error:
        raise InputError(f"--reference_scores={path}: {error} (--validation_frames)") from None
    return reference


def describe(watching: Watching) -> str:
    """Says what the AUC is of, in a line."""
    parts = [
        pathlib.Path(watching.validation_dir).name,
        f"{watching.validation_frames} frames",
        watching.validation_config,
    ]
    return ", ".join(filter(None, parts))


def _shortened(sequence, frames):
    return sequences.take(sequence, np.arange(min(frames, len(sequence.frame_paths))))


def _track(tracker, sequence):
    """Returns the tracker's boxes [N, 4]."""
    frames = map(sequences.read_frame, sequence.frame_paths)
    states = tracker.add(next(frames), [sequence.boxes_xywh[0]])
    try:
        for frame in frames:
            states += tracker.update(frame)
    finally:
        tracker.remove([0])
    return np.stack([state.box_xywh for state in states])
