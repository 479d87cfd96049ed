"""Cuts the training contexts of ILSVRC VID (and DET) once, so that training reads little and decodes small.

    python -m experiments.prepare_crops --data_dir ILSVRC2015 --out crops
    python -m experiments.prepare_crops --sets cutouts_train --cutouts CUTOUTS --out crops
    python -m experiments.prepare_crops --fill_from crops --out filled

The second makes trajectories of objects that were cut out by their masks, before backgrounds of the sets of the same
split that --out holds already. The third copies sets, with other crops' grounds where a crop reaches beyond its frame.
An interrupted run goes on where it stopped when the same command is given again.
"""

import dataclasses
import functools
import os
import shutil

from absl import flags

from data_pipelines.crops import crop_jobs, crop_store, cutouts, filling, made_trajectories, preparation
from data_pipelines.datasets import trajectories
from experiments.shared import command_line, help_text, output, progress, provenance
from mlt_tf.errors import InputError

FLAGS = flags.FLAGS
CUTTING = ("data_dir", "scenes", "every", "size", "quality", "skip_faulty")  # Flags of how frames are cut.
SETS = ("vid_train", "vid_validation", "det_train", "det_validation", "cutouts_train", "cutouts_validation")


def define_flags(values: flags.FlagValues) -> None:
    """Defines the binary's flags in `values`."""
    define_bool = functools.partial(flags.DEFINE_bool, flag_values=values)
    define_enum = functools.partial(flags.DEFINE_enum, flag_values=values)
    define_integer = functools.partial(flags.DEFINE_integer, flag_values=values)
    define_list = functools.partial(flags.DEFINE_list, flag_values=values)
    define_string = functools.partial(flags.DEFINE_string, flag_values=values)
    define_string("data_dir", None, "Folder that holds Annotations/VID and Data/VID; for all sets but cutouts_....")
    define_string("out", None, "Folder for the prepared sets, one sub-folder each.", required=True)
    flags.DEFINE_multi_enum("sets", SETS[:2], SETS, "What to prepare; repeat the flag.", flag_values=values)
    define_string("scenes", None, "Optional JSON lines of clip and scene: training samples by scene, not by video.")
    define_string(
        "cutouts", None, "Folder of objects cut out by their masks: PNG files with alpha, a sub-folder each class, in "
        "train and val, or the same for all splits. Adds the sets cutouts_... of the splits of --sets."
    )  # fmt: skip
    define_string(
        "fill_from", None, "Instead of --data_dir: a folder of prepared sets, to copy with the grounds of other crops "
        "where a crop reaches beyond its frame."
    )  # fmt: skip
    define_integer("cutout_frames", made_trajectories.FRAMES, "Frames to make of each of them.", lower_bound=2)
    define_integer("seed", 0, "Seed of the made frames, and of what crops are filled with.")
    define_integer("every", 1, "Keep every n-th frame of a trajectory.", lower_bound=1)
    define_integer("size", crop_jobs.SIZE, "Side of the crops in pixels; 255 of them are the context.")
    define_integer("quality", crop_jobs.QUALITY, "JPEG quality of the crops.", lower_bound=1, upper_bound=100)
    define_bool("skip_faulty", False, "Go on without frames that are missing or do not decode; they are counted.")
    define_integer("jobs", os.cpu_count(), "Processes; with --engine=beam the runner's options decide.", lower_bound=1)
    define_enum("engine", "local", ["local", "beam"], "Processes of this machine, or an Apache Beam runner.")
    define_list(
        "beam_options",
        ["--runner=DirectRunner", "--direct_running_mode=multi_processing", f"--direct_num_workers={os.cpu_count()}"],
        "Options of the Beam pipeline (--engine=beam).",
    )
    help_text.need(
        values, data_dir="unless --sets names those of cut-outs alone, or with --fill_from", cutouts="for such sets"
    )


def read_trajectories(name: str, skipped: trajectories.Skipped) -> list:
    """Reads the trajectories of one of SETS, as the flags say."""
    kind, split = name.split("_")
    if kind == "det":
        return trajectories.read_det(FLAGS.data_dir, split, skipped)
    scenes = trajectories.read_scenes(FLAGS.scenes) if FLAGS.scenes else None
    return [every_nth(t, FLAGS.every) for t in trajectories.read_vid(FLAGS.data_dir, split, scenes, skipped)]


def every_nth(trajectory: trajectories.Trajectory, n: int) -> trajectories.Trajectory:
    """Keeps every n-th frame, the first among them."""
    return dataclasses.replace(
        trajectory,
        frame_numbers=trajectory.frame_numbers[::n],
        frame_paths=trajectory.frame_paths[::n],
        boxes_xywh=trajectory.boxes_xywh[::n],
    )


def prepare_set(name: str) -> dict:
    """Prepares one of SETS and returns its index."""
    skipped, every = trajectories.Skipped(), FLAGS.every
    if name.startswith("cutouts"):
        split = name.split("_")[1]
        found = made_trajectories.plan(
            cutouts.read_cutouts(FLAGS.cutouts, split, skipped), FLAGS.cutout_frames, FLAGS.seed
        )
        grounds = made_trajectories.ground_sets(FLAGS.out, split)
        settings = made_trajectories.MadeSettings(
            FLAGS.size, FLAGS.quality, seed=FLAGS.seed, crops=FLAGS.out, grounds=grounds
        )
        how = {"job": made_trajectories.MadeJob, "fingerprint": made_trajectories.fingerprint(found, settings)}
    elif FLAGS.fill_from:
        sources = made_trajectories.ground_sets(FLAGS.fill_from, name.split("_")[1])
        settings = filling.settings_of(FLAGS.fill_from, name, sources, FLAGS.seed)
        every = crop_store.read_index(f"{FLAGS.fill_from}/{name}").get("every", every)
        found = crop_store.CropStore(FLAGS.fill_from, [name]).trajectories
        how = {"job": filling.FillJob, "fingerprint": filling.fingerprint(settings)}
    else:
        with progress.waiting("prepare_crops", f"reading the annotations of {name}"):
            found = read_trajectories(name, skipped)
        settings = crop_jobs.CropSettings(FLAGS.size, FLAGS.quality, name.startswith("det"), FLAGS.skip_faulty)
        how = {}
    made_by = {"set": name, "command": provenance.command(), "commit": provenance.commit(), "every": every}
    made_by["objects_left_out"] = skipped.summary()
    with progress.Bar(sum(map(len, found)), "prepare_crops", f"crops of {name}") as bar:

        def run(jobs):
            if FLAGS.engine == "beam":
                preparation.run_beam(jobs, FLAGS.beam_options)
            else:
                preparation.run_local(jobs, FLAGS.jobs, bar.update)

        return preparation.prepare(os.path.join(FLAGS.out, name), found, run, settings, made_by, **how)


def choose_sets() -> list[str]:
    """Returns the sets that --sets and --cutouts ask for, those of cut-outs last: they need the others.

    Raises:
      InputError: A folder is not named that one of them needs.
    """
    made = [name for name in FLAGS.sets if name.startswith("cutouts")]
    others = [name for name in FLAGS.sets if name not in made]
    if made and not FLAGS.cutouts:
        raise InputError(f"--sets={made[0]} needs --cutouts: give the folder of the objects")
    given = [name for name in CUTTING if FLAGS[name].present]
    if FLAGS.fill_from and given:
        raise InputError(f"--fill_from and --{given[0]} are both given: it takes crops as they are")
    if FLAGS.fill_from and os.path.realpath(FLAGS.fill_from) == os.path.realpath(FLAGS.out):
        raise InputError(f"--fill_from={FLAGS.fill_from} is --out too: choose another --out")
    if others and not (FLAGS.data_dir or FLAGS.fill_from):
        raise InputError(f"--sets={others[0]} needs --data_dir: give the folder that holds Annotations and Data")
    if FLAGS.cutouts and not made:
        made = [f"cutouts_{split}" for split in dict.fromkeys(name.split("_")[1] for name in others)]
    return others + made


def check_room() -> None:
    """Raises InputError where the disk of --out cannot be written at all."""
    with output.writing(FLAGS.out, "--out"):
        os.makedirs(FLAGS.out, exist_ok=True)
        free = shutil.disk_usage(FLAGS.out).free
    if free < 2**20:
        raise InputError(f"no room left on the disk of {FLAGS.out}: make some, about 40 kB for each crop")


def make() -> None:
    """Prepares the sets that the flags name, and says what came of each."""
    check_room()
    for name in choose_sets():
        index = prepare_set(name)
        skipped = index["skipped"]
        print(
            f"{FLAGS.out}/{name}: {index['crops']} crops of {index['trajectories']} trajectories, "
            f"{index['bytes'] / 1e6:.0f} MB in {len(index['shards'])} shards, {len(skipped)} faulty frames left out"
        )
        for line in [*filter(None, [index["objects_left_out"]]), *skipped[:5]]:
            print("  " + line)


def console() -> None:
    """Runs the command from its command line."""
    define_flags(FLAGS)
    command_line.run_main("prepare_crops", make)


if __name__ == "__main__":
    console()
