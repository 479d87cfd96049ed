"""Success of short tracking runs on held-out videos, by the networks as they are while they are trained."""

import dataclasses
import pathlib

import numpy as np
from absl import flags

from data_pipelines.datasets import sequences
from data_pipelines.datasets.sequences import Sequence
from experiments import evaluate
from experiments.scoring import metrics
from mlt_tf import config, pretrained
from mlt_tf.errors import InputError
from mlt_tf.inference import InferenceTrunk
from mlt_tf.pretrained import Networks
from mlt_tf.tracker import MultiTracker


def define_flags(values: flags.FlagValues) -> None:
    """Defines the flags of tracking while training in `values`."""
    flags.DEFINE_integer("track_every", 0, "Steps between two tracking runs; 0 for none.", 0, flag_values=values)
    flags.DEFINE_string(
        "validation_dir", None, "Videos to track, which no network was trained on and no test set has.", values
    )
    flags.DEFINE_enum(
        "validation_layout", "otb", tuple(sequences.LAYOUTS), "Layout of --validation_dir.", flag_values=values
    )
    flags.DEFINE_integer("validation_frames", 60, "Frames to track of each video.", 2, flag_values=values)
    flags.DEFINE_string(
        "validation_config", "", "Settings of this tracker: pyramid=exemplars,bfloat16=True is the fastest.", values
    )


class TrackingProbe:
    """Short videos, and the tracker of the live networks: compiled once, with their weights of the moment."""

    def __init__(self, networks: Networks, chosen: list[Sequence], settings: config.TrackerConfig):
        """Makes the tracker; with a meta-learner one without its updates too, which the training does not change."""
        self._trunk = InferenceTrunk(networks.matching.extractor, settings.bfloat16)
        self._extractor, self._sequences = networks.matching.extractor, chosen
        self._tracker = MultiTracker(networks, settings, self._trunk)
        frozen = networks.meta_learner is not None
        self._unadapted = MultiTracker(networks, settings, self._trunk, updates="none") if frozen else None
        self._unadapted_auc = None

    def measure(self) -> dict[str, float]:
        """Tracks every video from its first box and returns the success AUC, by OTB's rules."""
        self._trunk.fold(self._extractor)
        found = {"auc": self._auc(self._tracker)}
        if self._unadapted is not None:
            if self._unadapted_auc is None:
                self._unadapted_auc = self._auc(self._unadapted)
            found["auc_unadapted"] = self._unadapted_auc
        return found

    def _auc(self, tracker):
        return score({sequence.name: _track(tracker, sequence) for sequence in self._sequences}, self._sequences)


def score(boxes_xywh: dict[str, np.ndarray], chosen: list[Sequence]) -> float:
    """Returns the success AUC of boxes [N, 4] of each sequence, by name."""
    return metrics.score_sequences(boxes_xywh, {sequence.name: sequence.boxes_xywh for sequence in chosen}).auc


def make_probe(values: flags.FlagValues, networks: Networks) -> TrackingProbe | None:
    """Makes the tracking that --track_every asks for; None where it asks for none.

    Raises:
      InputError: There are no such videos, one has no frame that counts, or a setting is unknown.
    """
    if not values.track_every:
        if values.validation_dir:
            raise InputError(f"--validation_dir={values.validation_dir} needs --track_every: say how often to track")
        return None
    if not values.validation_dir:
        raise InputError(f"--track_every={values.track_every} needs --validation_dir: give a folder of videos")
    overrides = evaluate.parse_config(values.validation_config, "--validation_config")
    whole = sequences.load_sequences(values.validation_dir, values.validation_layout)
    chosen = [_shortened(sequence, values.validation_frames) for sequence in whole]
    score({sequence.name: sequence.boxes_xywh for sequence in chosen}, chosen)  # What cannot be scored shows now.
    return TrackingProbe(networks, chosen, pretrained.configure(networks, overrides))


def describe(values: flags.FlagValues) -> str:
    """Says what the AUC is of, in a line."""
    parts = [pathlib.Path(values.validation_dir).name, f"{values.validation_frames} frames", values.validation_config]
    return ", ".join(filter(None, parts))


def _shortened(sequence, frames):
    return dataclasses.replace(
        sequence,
        frame_paths=sequence.frame_paths[:frames],
        boxes_xywh=sequence.boxes_xywh[:frames],
        frame_numbers=None,
        polygons=None,
    )


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
