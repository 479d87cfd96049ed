"""Scores matching networks as train_matching leaves them: loss and centre error on prepared crops, AUC on videos.

    python -m experiments.score_matching --weights a.npz,b.npz --data_dir crops --sets vid_train,vid_validation
    python -m experiments.score_matching --weights a.npz,b.npz --videos tuning.txt --reference a.npz --out scores

The videos are tracked without updates, whatever the number of channels, by `experiments.score_clips`, which scores
the complete variants too, and says what the flags of tracking mean.
"""

import dataclasses
import tempfile

from absl import flags

from data_pipelines.crops.crop_store import CropStore
from experiments.running import clip_runs, network_trackers, trackers
from experiments.shared import command_line, help_text, options, output, plain_table, progress
from experiments.shared.options import option
from experiments.watching import probes
from mlt_tf import config
from mlt_tf.errors import InputError

FLAGS = flags.FLAGS


@dataclasses.dataclass(frozen=True)
class Asked:
    """What is asked for beside `clip_runs.Request`."""

    weights: tuple[str, ...] = option((), "Weight files that train_matching wrote.", required=True)
    data_dir: str | None = option(None, "Folder of prepared crops (experiments.prepare_crops).")
    sets: tuple[str, ...] = option(("vid_validation",), "Prepared sets to measure on, each by itself.")
    batches: int = option(16, "Batches of 16 pairs of each set.", lower=1)
    label_radius: float = option(config.LABEL_RADIUS, "Of the loss's labels, in cells.", lower=0.0)
    table: str | None = option(None, "Write the table to this Markdown file, too.")


def define_flags(values: flags.FlagValues) -> None:
    """Defines the binary's flags in `values`."""
    options.define(Asked, values)
    options.define(clip_runs.Request, values)
    help_text.need(values, data_dir="or --videos", videos="or --data_dir")


def measure_on_crops(asked: Asked, settings: config.TrackerConfig) -> None:
    """Prints a line for each file and set."""
    stores = {name: CropStore(asked.data_dir, [name]) for name in asked.sets}
    for path in asked.weights:
        networks = network_trackers.load_unadapted(path, settings.bfloat16)
        for name, store in stores.items():
            with progress.waiting("score_matching", f"measuring {path} on {name}"):
                probe = probes.PairProbe(networks, store, name, asked.batches, asked.label_radius)
                found = probe.measure()
            print(f"{path}  {name}: loss {found['loss']:.4f}, centre error {found['centre_error']:.2f} px", flush=True)


def show() -> None:
    """Prints what the files score on the crops, and a table of the videos."""
    asked, request = options.read(Asked, FLAGS), options.read(clip_runs.Request, FLAGS)
    if not (asked.data_dir or request.videos):
        raise InputError("give --data_dir, --videos, or both")
    output.check(asked.table, "--table")
    if asked.data_dir:
        measure_on_crops(asked, config.TrackerConfig().replace(**trackers.parse_config(request.config)))
    if request.videos:
        names = [f"{trackers.UNADAPTED}={path}" for path in asked.weights]
        with tempfile.TemporaryDirectory() as unnamed:
            request = dataclasses.replace(request, out=request.out or unnamed)
            plain_table.show(clip_runs.compare(names, request), asked.table)


def console() -> None:
    """Runs the command from its command line."""
    define_flags(FLAGS)
    command_line.run_main("score_matching", show)


if __name__ == "__main__":
    console()
