r"""Trains variations of a recipe, one after the other, and tables what each gave on videos that none trained on.

    python -m experiments.attempts --kind=matching --data_dir=crops --validation_dir=videos --out=attempts/matching
    python -m experiments.attempts --kind=meta --data_dir=crops --validation_dir=videos --out=attempts/meta -- \
        --matching=runs/matching/weights/step-014000.npz

Every attempt is a run of train_matching or train_meta in a folder of its own: what is finished is not trained again,
and what was interrupted goes on. Flags after `--` go to every training. `--list` shows the attempts.
"""

import dataclasses
import math
import os
import pathlib
import subprocess
import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, TextIO

from absl import flags, logging

from experiments import recipes
from experiments.scoring import clip_scores
from experiments.shared import command_line, help_text, options, output, plain_table
from experiments.shared.options import option
from experiments.training import run_record, training_log
from experiments.training.recipe import MetaRecipe, Recipe
from mlt_tf import files
from mlt_tf.errors import InputError

FLAGS = flags.FLAGS


class Kind(NamedTuple):
    """Attempts at one network.

    Attributes:
      binary: What trains it.
      paper: The recipe that its binary has by default.
      recipe: The recipe that is varied.
      attempts: For each attempt, which fields of the recipe differ.
      tracked: For some, settings of the tracker that differ, as --validation_config has them.
    """

    binary: str
    paper: Recipe
    recipe: Recipe
    attempts: dict[str, dict[str, Any]]
    tracked: Mapping[str, str] = MappingProxyType({})


MATCHING = Kind(
    "train_matching",
    recipes.PAPER_MATCHING,
    recipes.ATTEMPTED_MATCHING,
    recipes.MATCHING_ATTEMPTS,
)
META = Kind(
    "train_meta",
    recipes.PAPER_META,
    recipes.ATTEMPTED_META,
    recipes.META_ATTEMPTS,
    {"first context not kept": "keep_first=False"},
)
KINDS = {"matching": MATCHING, "meta": META}
# Fields of which a cache of features knows: attempts that differ in them have caches of their own.
CACHED = ("splits", "views", "view_augmentation", "pasted_stills", "cutouts_share", "bfloat16")
CONFIG = "pyramid=exemplars,bfloat16=True"  # The fastest.
COLUMNS = ["attempt", "changed", "steps", "minutes", "held-out loss", "margin", "AUC", "95 % interval"]
NOTE = (
    "Held-out loss: of matching networks Eq. 6; of meta-learners Eq. 7 un-adapted / own delta / another's / mean "
    "delta. Margin: of the same four, how far the similarity at the target exceeds that of the rest. "
    "AUC: success on whole clips that no network trained on; of meta-learners, after the slash un-adapted. "
    "Less {reference}: the difference on the same clips, by how many of them it is better or worse; intervals are over "
    "clips. experiments.score_clips plays the clips there and back, too, with the weights of attempts named to it."
)


@dataclasses.dataclass(frozen=True)
class Request:
    """What is asked for."""

    kind: str = option("matching", "Which network to try on.", choices=tuple(KINDS))
    data_dir: str | None = option(None, "Folder of prepared crops (experiments.prepare_crops).")
    validation_dir: str | None = option(
        None, "Folder or suite file of videos to track, which no network was trained on and no test set has."
    )
    reference: str = option("recipe", "The attempt with which the others are compared on these videos.")
    out: str | None = option(None, "Folder of the runs and of table.md.")
    steps: int = option(0, "Steps of each; 0: those of the kind.", lower=0)
    only: tuple[str, ...] = option((), "Names of the attempts; all when empty.")
    list: bool = option(False, "Show the attempts and train nothing.")


def define_flags(values: flags.FlagValues) -> None:
    """Defines the binary's flags in `values`."""
    options.define(Request, values)
    help_text.need(values, **dict.fromkeys(("data_dir", "validation_dir", "out"), "unless --list is given"))


def choose(kind: Kind, only: Sequence[str], flag: str = "--only") -> list[str]:
    """Returns the names of the attempts that a flag names, or all.

    Raises:
      InputError: There is none of that name.
    """
    if strangers := [name for name in only if name not in kind.attempts]:
        raise InputError(f"{flag}: {', '.join(strangers)} unknown; the attempts are: {', '.join(kind.attempts)}")
    return list(only or kind.attempts)


def folder_of(out: str, name: str) -> pathlib.Path:
    """Returns an attempt's run folder."""
    return pathlib.Path(out) / "".join(letter if letter.isalnum() or letter in ".-" else "-" for letter in name)


def recipe_of(kind: Kind, name: str, steps: int) -> Recipe:
    """Returns an attempt's recipe."""
    return dataclasses.replace(kind.recipe, steps=steps, **kind.attempts[name])


def command(kind: Kind, name: str, request: Request, steps: int, more: Sequence[str]) -> list[str]:
    """Returns the words that start an attempt; of a flag that comes twice the last counts."""
    varied, recipe = dataclasses.replace(kind.recipe, steps=steps), recipe_of(kind, name, steps)
    words = [f"--data_dir={request.data_dir}", f"--run_dir={folder_of(request.out, name)}"]
    words += [f"--validation_dir={request.validation_dir}", f"--track_every={steps}", "--validation_frames=1000000"]
    words += [f"--validation_config={','.join(filter(None, [CONFIG, kind.tracked.get(name)]))}"]
    words += [f"--validate_every={0 if kind is META else steps}", *changes(kind.paper, varied), *more]
    if kind is META:
        words.append(f"--cache_dir={cache_of(request.out, varied, recipe)}")
    return [sys.executable, "-Pm", f"experiments.{kind.binary}", *words, *changes(varied, recipe)]


def changes(recipe: Recipe, other: Recipe) -> list[str]:
    """Returns the flags that make another recipe of a recipe."""
    pairs = [(f.name, getattr(recipe, f.name), getattr(other, f.name)) for f in dataclasses.fields(recipe)]
    return [run_record.typed(name, value) for name, before, value in pairs if value != before]


def cache_of(out: str, recipe: MetaRecipe, other: MetaRecipe) -> pathlib.Path:
    """Returns the folder of the features of a variation: that of the recipe, unless its features are others."""
    own = [word.removeprefix("--") for word in changes(recipe, other) if word[2:].partition("=")[0] in CACHED]
    own += ["videos"] if bool(recipe.stills_share) > bool(other.stills_share) else []
    return pathlib.Path(out) / "-".join(["cache", *own]).replace("=", "-").replace(",", "-")


def train(words: list[str], run_dir: pathlib.Path, steps: int) -> None:
    """Runs an attempt to its end, with its output in train.log.

    Raises:
      InputError: It failed, its log cannot be written, or Ctrl-C stopped it.
    """
    if _record_path(run_dir, steps).exists():
        return
    logging.info("%s", run_dir)
    path = run_dir / "train.log"
    with output.writing(path, "--out"):
        run_dir.mkdir(parents=True, exist_ok=True)
        path.touch()
    try:
        with open(path, "a") as log:
            follow(words, log)
    except KeyboardInterrupt:
        raise InputError(f"stopped in {run_dir}; the same command goes on") from None
    if not _record_path(run_dir, steps).exists():
        raise InputError(f"{run_dir} did not finish: see its train.log; the same command goes on from its checkpoint")


def follow(words: list[str], log: TextIO) -> None:
    """Runs a command of ours to its end, also after Ctrl-C, of which it hears too: it may have to save.

    It finds this very project, whatever `experiments` there may be in the current folder.
    """
    root = str(pathlib.Path(__file__).resolve().parents[1])
    places = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    with subprocess.Popen(words, stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": places}) as process:
        try:
            process.wait()
        except KeyboardInterrupt:
            process.wait()
            raise


def _record_path(run_dir, steps):
    return run_dir / "weights" / f"step-{steps:06d}.json"


def changed_in(kind: Kind, name: str) -> str:
    """Says in what an attempt differs from the recipe."""
    words = changes(kind.recipe, dataclasses.replace(kind.recipe, **kind.attempts[name]))
    words += [f"--validation_config={kind.tracked[name]}"] if name in kind.tracked else []
    return " ".join(words).replace("--", "")


def row(kind: Kind, name: str, run_dir: pathlib.Path, steps: int, reference: pathlib.Path) -> list[str]:
    """Returns an attempt's row of the table; it may not be finished.

    Args:
      kind: Of which network.
      name: The attempt.
      run_dir: Its folder.
      steps: At its end.
      reference: Folder of the attempt that it is compared with, where that is finished.
    """
    changed = changed_in(kind, name) or "-"
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


def run(request: Request, more: Sequence[str]) -> None:
    """Trains what is not finished, and writes the table after each attempt; `more` goes to every training."""
    kind = KINDS[request.kind]
    chosen = choose(kind, request.only)
    if request.list:
        recipe = " ".join(changes(kind.paper, kind.recipe))
        print("\n".join([f"{kind.binary} {recipe}", *(f"  {name:24s} {changed_in(kind, name)}" for name in chosen)]))
        return
    if missing := [f"--{name}" for name in ("data_dir", "validation_dir", "out") if not getattr(request, name)]:
        raise InputError(f"{', '.join(missing)} missing")
    steps = request.steps or kind.recipe.steps
    folders = {name: folder_of(request.out, name) for name in kind.attempts}
    (reference,) = choose(kind, [request.reference], "--reference")
    head = [*COLUMNS, f"less {reference}", "95 % interval", "won / lost"]
    path = pathlib.Path(request.out) / "table.md"
    for name in chosen:
        train(command(kind, name, request, steps, more), folders[name], steps)
        rows = [row(kind, other, folder, steps, folders[reference]) for other, folder in folders.items()]
        note = NOTE.format(reference=reference)
        with output.writing(path, "--out"):
            files.write_text(path, "\n".join([*plain_table.markdown([head, *rows]), "", note, ""]))
    print(path.read_text())


def main(argv: list[str]) -> None:
    """Does what the flags say; the words after `--` go to every training."""
    command_line.end_in_one_line("attempts", lambda: run(options.read(Request, FLAGS), argv[1:]))


def console() -> None:
    """Runs the command from its command line."""
    define_flags(FLAGS)
    command_line.start(main)


if __name__ == "__main__":
    console()
