"""The commands that write, each with a small piece of work for it."""

import pathlib
import subprocess
import sys
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

from tests import made_data
from tests.scenes import moving_square

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Case(NamedTuple):
    """One command line; `{data}` stands for the folder of `make_data`, `{out}` for what the command writes to.

    Attributes:
      name: How the table calls it.
      words: The words after `python`.
      again: What is given beside them when it is run again.
      done: What a run says that finds its work done already, and refuses to replace it; "" where none does.
    """

    name: str
    words: str
    again: str = ""
    done: str = ""

    def command(self, data: pathlib.Path, out: pathlib.Path, again: bool = False) -> list[str]:
        """Returns the command line."""
        words = f"{self.words} {self.again if again else ''}".split()
        return [sys.executable, *(word.format(data=data, out=out) for word in words)]


_TRAINING = (
    "--data_dir {data}/crops --steps 4 --save_every 1 --batch 4 --deterministic --validate_every 0 --show_every 0"
)
_OWN = "-m experiments.evaluate --data_dir {data}/own --config memory=4,pyramid=exemplars --out {out}"
_COMPARED = "--dataset otb2015 --data_dir {data}/runs/OTB --results_dir {data}/runs/ours,{data}/runs/others"

CASES = (
    Case("mlt-track", "-m experiments.track {data}/own/A/img --box 100,70,40,40 --fast --out {out}", "--overwrite"),
    Case("evaluate", f"{_OWN} --variant mlt_mt"),
    Case("evaluate --jobs 2", f"{_OWN} --variant mlt_mt --jobs 2 --threads 1"),
    Case(
        "evaluate --baseline",
        "-m experiments.evaluate --data_dir {data}/own --baseline opencv_mil --jobs 2 --out {out}",
    ),
    Case(
        "score_clips",
        "-m experiments.score_clips --videos {data}/own --trackers unadapted --play 12 --out {out} --table {out}/t.md",
    ),
    Case("prepare_crops", "-m experiments.prepare_crops --data_dir {data}/ilsvrc --out {out} --jobs 1"),
    Case("prepare_crops --jobs 2", "-m experiments.prepare_crops --data_dir {data}/ilsvrc --out {out} --jobs 2"),
    Case("train_matching", f"-m experiments.train_matching {_TRAINING} --run_dir {{out}}/run"),
    Case(
        "train_meta",
        f"-m experiments.train_meta {_TRAINING} --matching {{data}}/matching.npz --run_dir {{out}}/run "
        "--cache_dir {out}/cache --features cached --views 2,2 --contexts 3 --samples 2 --splits train,validation",
    ),
    Case("export_model", "-m experiments.export_model --variant mlt_mt --out {out}/model", done="exists already"),
    Case(
        "export_model --format tflite",
        "-m experiments.export_model --variant mlt_mt --format tflite --out {out}/model",
        done="exists already",
    ),
    Case(
        "ship_weights",
        "-m experiments.ship_weights --variant mlt_mt --weights {data}/matching224.npz --data none --out {out}/w.npz",
    ),
    Case(
        "make_tables",
        "-m experiments.make_tables --dataset otb2015 --data_dir {data}/runs/OTB --results_dir {data}/runs/others "
        "--json {out}/scores.json",
    ),
    Case("make_page", f"-m experiments.make_page {_COMPARED} --out {{out}}/page.html"),
    Case("make_figures", f"-m experiments.make_figures --figure 4 {_COMPARED} --out {{out}}"),
    Case("compare_variants", f"-m experiments.compare_variants {_COMPARED} --out {{out}}/t.md --json {{out}}/t.json"),
    Case("study_losses", f"-m experiments.study_losses {_COMPARED} --table {{out}}/t.md"),
    Case("build_stand_ins", "-m experiments.build_stand_ins --datasets ilsvrc_vid --out {out}"),
    Case("show_batches", "-m experiments.show_batches --data_dir {data}/crops --batch 2 --sheets 3 --out {out}"),
    Case(
        "verify_dataset",
        "-m experiments.verify_dataset --dataset otb2015 --data_dir {data}/runs/OTB --targets Deer,Jogging-1 "
        "--out {out}/faults.csv --jobs 2",
    ),
)


def make_data(data: pathlib.Path, run: Callable = subprocess.run) -> None:
    """Makes what the commands work on: sequences, a tiny ILSVRC and OTB, crops, networks that learned nothing."""
    for name, step in (("A", (3, 1)), ("B", (-2, 2))):
        (data / "own" / name / "img").mkdir(parents=True)
        boxes = []
        for number, (frame, box) in enumerate(moving_square(10, step), 1):
            cv2.imwrite(str(data / "own" / name / "img" / f"{number:04d}.png"), frame[..., ::-1])
            boxes.append(box + [1, 1, 0, 0])
        np.savetxt(data / "own" / name / "groundtruth_rect.txt", boxes, "%d", ",")
    for name, write in (("ilsvrc", made_data.write_ilsvrc), ("runs", made_data.write_otb_runs)):
        (data / name).mkdir()
        write(data / name)
    prepare = [sys.executable, "-m", "experiments.prepare_crops", f"--data_dir={data}/ilsvrc", f"--out={data}/crops"]
    run([*prepare, "--jobs=1"], cwd=ROOT, check=True, capture_output=True)
    networks = (
        "from mlt_tf import pretrained; from mlt_tf.networks.matching import MatchingNetwork as M\n"
        "for channels, name in ((192, 'matching'), (224, 'matching224')):\n"
        f"    pretrained.save('{data}/' + name + '.npz', pretrained.Networks(M(channels)), {{'step': 1, 'seed': 1}})"
    )
    run([sys.executable, "-c", networks], cwd=ROOT, check=True, capture_output=True)
