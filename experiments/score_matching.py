"""Scores matching networks as train_matching leaves them: loss and centre error on prepared crops, AUC on videos.

    python -m experiments.score_matching --weights a.npz,b.npz --data_dir crops --sets vid_train,vid_validation
    python -m experiments.score_matching --weights a.npz,b.npz --videos tuning.txt --reference a.npz --out scores

The videos are tracked without updates, whatever the number of channels, by `experiments.score_clips`, which scores
the complete variants too, and says what the flags of tracking mean.
"""

import functools
import tempfile

from absl import flags

from data_pipelines.crops.crop_store import CropStore
from experiments import score_clips
from experiments.running import clip_trackers, trackers
from experiments.shared import command_line, plain_table
from experiments.watching import probes
from mlt_tf import config
from mlt_tf.errors import InputError

FLAGS = flags.FLAGS


def define_flags(values: flags.FlagValues) -> None:
    """Defines the binary's flags in `values`."""
    define_string = functools.partial(flags.DEFINE_string, flag_values=values)
    flags.DEFINE_list("weights", None, "Weight files that train_matching wrote.", required=True, flag_values=values)
    define_string("data_dir", None, "Folder of prepared crops (experiments.prepare_crops).")
    flags.DEFINE_list("sets", ["vid_validation"], "Prepared sets to measure on, each by itself.", flag_values=values)
    flags.DEFINE_integer("batches", 16, "Batches of 16 pairs of each set.", 1, flag_values=values)
    flags.DEFINE_float("label_radius", config.LABEL_RADIUS, "Of the loss's labels, in cells.", flag_values=values)
    score_clips.define_tracking_flags(values)


def measure_on_crops() -> None:
    """Prints a line for each file and set."""
    settings = config.TrackerConfig().replace(**trackers.parse_config(FLAGS.config))
    stores = {name: CropStore(FLAGS.data_dir, [name]) for name in FLAGS.sets}
    for path in FLAGS.weights:
        networks = clip_trackers.load_unadapted(path, settings.bfloat16)
        for name, store in stores.items():
            probe = probes.PairProbe(networks, store, name, FLAGS.batches, FLAGS.label_radius)
            found = probe.measure()
            print(f"{path}  {name}: loss {found['loss']:.4f}, centre error {found['centre_error']:.2f} px", flush=True)


def show() -> None:
    """Prints what the files score on the crops, and a table of the videos."""
    if not (FLAGS.data_dir or FLAGS.videos):
        raise InputError("give --data_dir, --videos, or both")
    if FLAGS.data_dir:
        measure_on_crops()
    if FLAGS.videos:
        trackers = [f"{clip_trackers.UNADAPTED}={path}" for path in FLAGS.weights]
        with tempfile.TemporaryDirectory() as unnamed:
            request = score_clips.read_request(FLAGS, FLAGS.out or unnamed)
            plain_table.show(score_clips.compare(trackers, request), FLAGS.table)


if __name__ == "__main__":
    define_flags(FLAGS)
    command_line.run_main("score_matching", show)
