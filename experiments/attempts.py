r"""Trains variations of a recipe, one after the other, and tables what each gave on videos that none trained on.

    python -m experiments.attempts --kind=matching --data_dir=crops --validation_dir=videos --out=attempts/matching
    python -m experiments.attempts --kind=meta --data_dir=crops --validation_dir=videos --out=attempts/meta -- \
        --matching=runs/matching/weights/step-014000.npz

Every attempt is a run of train_matching or train_meta in a folder of its own: what is finished is not trained again,
and what was interrupted goes on. Flags after `--` go to every training. `--list` shows the attempts.
"""

import functools
import math
import pathlib
import subprocess
import sys
from typing import NamedTuple, TextIO

from absl import app, flags, logging

from experiments.scoring import clip_scores
from experiments.shared import command_line, plain_table
from mlt_tf import files
from mlt_tf.errors import InputError

FLAGS = flags.FLAGS


class Kind(NamedTuple):
    """Attempts at one network: its binary, steps and flags, and for each attempt those that differ.

    In the flags, {config}, {steps} and {out} stand for CONFIG, the number of steps and --out.
    """

    binary: str
    steps: int
    recipe: str
    attempts: dict[str, str]


MATCHING = Kind(
    "train_matching",
    1500,
    "--batches=contexts --context_size=191 --augmentation=stronger --stills_share=0.6 --patches=4 --pasted_stills=0.5 "
    "--learning_rate=1e-3 --schedule=cosine --warmup=50 --clip_norm=5 --bfloat16 --validate_every={steps}",
    {
        "recipe": "",
        "plain pairs": "--batches=pairs --patches=0 --pasted_stills=0",
        "no patches": "--patches=0",
        "own backgrounds": "--pasted_stills=0",
        "backgrounds 1": "--pasted_stills=1",
        "more zoom": "--augmentation=strong",
        "contexts of 255 px": "--context_size=255",
        "no stills": "--stills_share=0 --pasted_stills=0 --patches=0",
        "stills .3": "--stills_share=0.3",
        "rate 3e-4": "--learning_rate=3e-4",
        "rate 3e-3": "--learning_rate=3e-3",
        "constant rate": "--schedule=constant --warmup=0",
        "translation alone": "--augmentation=shift",
        "no colour": "--leave_out=colour,grey",
        "no blur": "--leave_out=blur",
        "radius 1": "--label_radius=1",
        "radius 3": "--label_radius=3",
    },
)
META = Kind(
    "train_meta",
    600,
    "--features=cached --cache_dir={out}/cache --views=16,5 --stills_share=0.5 --distractors=0.25 --learning_rate=1e-3 "
    "--pasted_stills=0.5 --ranking=0.5 --schedule=cosine --warmup=20 --bfloat16 --validate_every=0",
    {
        "recipe": "",
        "own backgrounds": "--pasted_stills=0 --cache_dir={out}/cache-own",
        "flat": "--layout=flat --learning_rate=1e-4",
        "no stills": "--stills_share=0 --cache_dir={out}/cache-videos",
        "stills .8": "--stills_share=0.8",
        "no attention": "--noattention",
        "M' = M": "--contexts=8",
        "M = 4": "--samples=4 --validation_config={config},samples=4",
        "M = 16": "--samples=16 --validation_config={config},samples=16",
        "first context not kept": "--validation_config={config},keep_first=False",
        "no distractors": "--distractors=0",
        "no ranking": "--ranking=0",
        "ranking 2": "--ranking=2",
        "larger errors": "--jitter=2",
        "strong views": "--view_augmentation=strong --cache_dir={out}/cache-strong",
        "both splits": "--splits=train,validation --views=16,3 --cache_dir={out}/cache-both",
    },
)
KINDS = {"matching": MATCHING, "meta": META}
CONFIG = "pyramid=exemplars,bfloat16=True"  # The fastest.
COLUMNS = ["attempt", "changed", "steps", "minutes", "held-out loss", "margin", "AUC", "95 % interval"]
NOTE = (
    "Held-out loss: of matching networks Eq. 6; of meta-learners Eq. 7 un-adapted / own delta / another's / mean "
    "delta. Margin: of the same four, how far the similarity at the target exceeds that of the rest. "
    "AUC: success on whole clips that no network trained on; of meta-learners, after the slash un-adapted. "
    "Less {reference}: the difference on the same clips, by how many of them it is better or worse; intervals are over "
    "clips. experiments.score_clips plays the clips there and back, too, with the weights of attempts named to it."
)


def define_flags(values: flags.FlagValues) -> None:
    """Defines the binary's flags in `values`."""
    define_string = functools.partial(flags.DEFINE_string, flag_values=values)
    flags.DEFINE_enum("kind", "matching", list(KINDS), "Which network to try on.", flag_values=values)
    define_string("data_dir", None, "Folder of prepared crops (experiments.prepare_crops).")
    define_string(
        "validation_dir", None,
        "Folder or suite file of videos to track, which no network was trained on and no test set has.",
    )  # fmt: skip
    define_string("reference", "recipe", "The attempt with which the others are compared on these videos.")
    define_string("out", None, "Folder of the runs and of table.md.")
    flags.DEFINE_integer("steps", 0, "Steps of each; 0: those of the kind.", 0, flag_values=values)
    flags.DEFINE_list("only", [], "Names of the attempts; all when empty.", flag_values=values)
    flags.DEFINE_bool("list", False, "Show the attempts and train nothing.", flag_values=values)


def choose(kind: Kind, only: list[str], flag: str = "--only") -> list[str]:
    """Returns the names of the attempts that a flag names, or all.

    Raises:
      InputError: There is none of that name.
    """
    if strangers := [name for name in only if name not in kind.attempts]:
        raise InputError(f"{flag}: {', '.join(strangers)} unknown; the attempts are: {', '.join(kind.attempts)}")
    return only or list(kind.attempts)


def folder_of(out: str, name: str) -> pathlib.Path:
    """Returns an attempt's run folder."""
    return pathlib.Path(out) / "".join(letter if letter.isalnum() or letter in ".-" else "-" for letter in name)


def command(kind: Kind, name: str, args: flags.FlagValues, steps: int, more: list[str]) -> list[str]:
    """Returns the words that start an attempt; of a flag that comes twice the last counts."""
    given = [f"--data_dir={args.data_dir}", f"--run_dir={folder_of(args.out, name)}", f"--steps={steps}"]
    given += [f"--validation_dir={args.validation_dir}", f"--track_every={steps}", "--validation_frames=1000000"]
    words = ["--validation_config={config}", *kind.recipe.split(), *more, *kind.attempts[name].split()]
    filled = [word.format(config=CONFIG, steps=steps, out=args.out) for word in words]
    return [sys.executable, "-m", f"experiments.{kind.binary}", *given, *filled]


def train(words: list[str], run_dir: pathlib.Path, steps: int) -> None:
    """Runs an attempt to its end, with its output in train.log.

    Raises:
      InputError: It failed, or Ctrl-C stopped it.
    """
    if _record_path(run_dir, steps).exists():
        return
    run_dir.mkdir(parents=True, exist_ok=True)
    logging.info("%s", run_dir)
    try:
        with open(run_dir / "train.log", "a") as log:
            follow(words, log)
    except KeyboardInterrupt:
        raise InputError(f"stopped in {run_dir}; the same command goes on") from None
    if not _record_path(run_dir, steps).exists():
        raise InputError(f"{run_dir} did not finish: see its train.log; the same command goes on from its checkpoint")


def follow(words: list[str], log: TextIO) -> None:
    """Runs a command to its end, also after Ctrl-C, of which it hears too: it may have to save."""
    with subprocess.Popen(words, stdout=log, stderr=log) as process:
        try:
            process.wait()
        except KeyboardInterrupt:
            process.wait()
            raise


def _record_path(run_dir, steps):
    return run_dir / "weights" / f"step-{steps:06d}.json"


def row(kind: Kind, name: str, run_dir: pathlib.Path, steps: int, reference: pathlib.Path) -> list[str]:
    """Returns an attempt's row of the table; it may not be finished.

    Args:
      kind: Of which network.
      name: The attempt.
      run_dir: Its folder.
      steps: At its end.
      reference: Folder of the attempt that it is compared with, where that is finished.
    """
    from experiments.training import training_log

    changed = kind.attempts[name].format(config=CONFIG, steps=steps, out="out").replace("--", "") or "-"
    path = _record_path(run_dir, steps)
    if not path.exists():
        return [name, changed, "-", "-", "-", "-", "not run", *["-"] * 4]
    record, scalars = _read_record(path), training_log.scalars(str(run_dir))
    losses = list(record.get("held_out_loss", {}).values()) or [_last(scalars, "validation/loss")]
    aucs = [_last(scalars, tag) for tag in ("tracking/auc", "tracking/auc_unadapted")]
    margins = record.get("held_out_margin", {}).values()
    figures = [_figures(values) for values in (losses, margins, aucs)]
    return [
        name,
        changed,
        str(steps),
        f"{record.get('minutes', math.nan):.0f}",
        *figures,
        *_on_clips(run_dir, reference),
    ]


def _read_record(path):
    remedy, number = "delete it, to have it trained anew", (int, float)
    record = files.read_record(path, remedy, minutes=number, held_out_loss=dict, held_out_margin=dict)
    for part in ("held_out_loss", "held_out_margin"):
        files.check_record(record.get(part, {}), path, remedy, **dict.fromkeys(record.get(part, {}), number))
    return record


def _on_clips(run_dir, reference):
    """Returns the cells of an attempt's AUC on single clips, as its last tracking left them."""
    scores, others = (_read_scores(folder) for folder in (run_dir, reference))
    if scores is None:
        return ["-"] * 4
    pair = clip_scores.difference(scores, others) if others and run_dir != reference else None
    return [*clip_scores.in_words(clip_scores.estimate(scores))[1:], *clip_scores.difference_in_words(pair)]


def _read_scores(run_dir):
    path = run_dir / clip_scores.TRACKED
    return clip_scores.read(path)[clip_scores.ONCE] if path.exists() else None


def _last(scalars, tag):
    values = scalars.get(tag)
    return values[max(values)] if values else None


def _figures(values):
    return " / ".join(f"{value:.4f}".lstrip("0") for value in values if value is not None) or "-"


def run(arguments: list[str]) -> None:
    """Trains what is not finished, and writes the table after each attempt; `arguments` are the words after `--`."""
    kind = KINDS[FLAGS.kind]
    chosen = choose(kind, FLAGS.only)
    if FLAGS.list:
        print("\n".join([f"{kind.binary} {kind.recipe}", *(f"  {n:24s} {kind.attempts[n]}" for n in chosen)]))
        return
    if missing := [f"--{name}" for name in ("data_dir", "validation_dir", "out") if not FLAGS[name].value]:
        raise InputError(f"{', '.join(missing)} missing")
    steps = FLAGS.steps or kind.steps
    folders = {name: folder_of(FLAGS.out, name) for name in kind.attempts}
    (reference,) = choose(kind, [FLAGS.reference], "--reference")
    head = [*COLUMNS, f"less {reference}", "95 % interval", "won / lost"]
    path = pathlib.Path(FLAGS.out) / "table.md"
    for name in chosen:
        train(command(kind, name, FLAGS, steps, arguments), folders[name], steps)
        rows = [row(kind, other, folder, steps, folders[reference]) for other, folder in folders.items()]
        note = NOTE.format(reference=reference)
        files.write_text(path, "\n".join([*plain_table.markdown([head, *rows]), "", note, ""]))
    print(path.read_text())


if __name__ == "__main__":
    define_flags(FLAGS)
    app.run(lambda words: command_line.end_in_one_line("attempts", functools.partial(run, words[1:])))
