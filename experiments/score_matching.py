"""Scores matching networks as train_matching leaves them: loss and centre error on prepared crops, AUC on videos.

    python -m experiments.score_matching --weights a.npz,b.npz --data_dir crops --sets vid_train,vid_validation
    python -m experiments.score_matching --weights a.npz,b.npz --videos TUNE --config pyramid=exemplars,bfloat16=True

The videos are tracked whole and without updates, whatever the number of channels. `experiments.evaluate` scores the
files of the complete variants.
"""

import functools

from absl import flags

from data_pipelines.crops.crop_store import CropStore
from data_pipelines.datasets import sequences
from experiments import evaluate
from experiments.shared import command_line
from experiments.watching import probes, validation_tracking
from mlt_tf import config, pretrained
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
    define_string("videos", None, "Folder of sequences to track.")
    flags.DEFINE_enum("layout", "otb", tuple(sequences.LAYOUTS), "Their layout.", flag_values=values)
    flags.DEFINE_list("sequences", [], "Names of the sequences; all when empty.", flag_values=values)
    define_string("config", "", 'Settings of the tracker that differ from the defaults: "bfloat16=True".')


def load(path: str, bfloat16: bool) -> pretrained.Networks:
    """Loads a file of train_matching, of any number of channels, as a tracker without updates.

    Raises:
      InputError: It is missing, damaged, or no such file.
    """
    networks = pretrained.load(None, path, bfloat16)
    if networks.meta_learner is not None:
        raise InputError(f"{path} is not of train_matching; experiments.evaluate takes the files of the variants")
    return networks


def show() -> None:
    """Prints a line for each file and set, and for each file and the videos."""
    if not (FLAGS.data_dir or FLAGS.videos):
        raise InputError("give --data_dir, --videos, or both")
    overrides = evaluate.parse_config(FLAGS.config)
    bfloat16 = config.TrackerConfig().replace(**overrides).bfloat16
    stores = {name: CropStore(FLAGS.data_dir, [name]) for name in FLAGS.sets} if FLAGS.data_dir else {}
    chosen = []
    if FLAGS.videos:
        chosen = sequences.load_sequences(FLAGS.videos, FLAGS.layout, FLAGS.sequences or None)
    for path in FLAGS.weights:
        networks = load(path, bfloat16)
        for name, store in stores.items():
            probe = probes.PairProbe(networks, store, name, FLAGS.batches, FLAGS.label_radius)
            found = probe.measure()
            print(f"{path}  {name}: loss {found['loss']:.4f}, centre error {found['centre_error']:.2f} px", flush=True)
        if chosen:
            settings = pretrained.configure(networks, overrides)
            auc = validation_tracking.TrackingProbe(networks, chosen, settings).measure()["auc"]
            print(f"{path}  {len(chosen)} sequences of {FLAGS.videos}: success AUC {auc:.4f}", flush=True)


if __name__ == "__main__":
    define_flags(FLAGS)
    command_line.run_main("score_matching", show)
