"""The command's output, files and exit codes, on a tiny OTB."""

import csv
import json

import cv2
import numpy as np
import pytest

from data_pipelines.benchmarks import Benchmark, Counts, otb
from data_pipelines.checks import faults, verification
from data_pipelines.checks.faults import Fault
from experiments import verify_dataset

PICTURE = cv2.imencode(".jpg", np.random.default_rng(0).integers(0, 255, [48, 64, 3]).astype(np.uint8))[1].tobytes()
COUNT = 30


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
    """Returns an OTB-2015 that has two targets."""
    for video in ("Basketball", "Biker"):
        (tmp_path / video / "img").mkdir(parents=True)
        for number in range(1, COUNT + 1):
            (tmp_path / video / "img" / f"{number:04d}.jpg").write_bytes(PICTURE)
        (tmp_path / video / "groundtruth_rect.txt").write_text("9,9,20,20\n" * COUNT)
    tiny = Benchmark("otb2015", Counts(2, 2, 2 * COUNT), lambda data_dir: ("Basketball", "Biker"), otb.read)
    monkeypatch.setitem(verification.BENCHMARKS, "otb2015", tiny)
    return tmp_path


@pytest.fixture
def verify(run_binary, data_dir, capsys):
    """Returns a function that runs the command; it returns exit code and output."""

    def run(**options):
        with pytest.raises(SystemExit) as caught:
            run_binary(verify_dataset, **{"dataset": "otb2015", "data_dir": data_dir, "jobs": 1, **options})
        return caught.value.code, capsys.readouterr().out

    return run


@pytest.mark.parametrize("frames", ["all", "ends", "none"])
@pytest.mark.parametrize("jobs", [1, 2])
def test_nothing_wrong(verify, data_dir, frames, jobs):
    code, out = verify(frames=frames, jobs=jobs)
    assert code == 0 and out.endswith("\nNothing is wrong.\n")
    assert out.startswith(f"otb2015 in {data_dir}\n")
    assert ["annotated", "frames", "60", "60", "0"] in map(str.split, out.splitlines())


@pytest.mark.parametrize("jobs", [1, 2])
def test_faults_are_listed_with_what_to_do(verify, data_dir, jobs):
    for number in range(3, 28):
        (data_dir / "Biker" / "img" / f"{number:04d}.jpg").unlink()
    for number in (7, 9):
        (data_dir / "Basketball" / "img" / f"{number:04d}.jpg").write_bytes(b"")
    code, out = verify(jobs=jobs)
    assert code == 1
    lines = out.splitlines()
    assert ["image", "files", "there", "35", "60", "25"] in map(str.split, lines)
    assert lines[lines.index("missing frame: 25 (unpack the video again)") :] == [
        "missing frame: 25 (unpack the video again)",
        f"  {data_dir}/Biker/img: 25 of them, 0003.jpg to 0027.jpg",
        "",
        "empty frame: 2 (copy the file again)",
        f"  {data_dir}/Basketball/img/0007.jpg",
        f"  {data_dir}/Basketball/img/0009.jpg",
        "",
        "27 faults",
    ]


def test_no_more_lines_than_fit_on_a_screen():
    many = [Fault(faults.MISSING, f"video{number}/img/0001.jpg") for number in range(25)]
    many[3:4] = [Fault(faults.MISSING, f"video3/img/{number:04d}.jpg") for number in range(1, 101)]
    lines = list(verify_dataset.fault_lines(tuple(many)))
    assert len(lines) == 22
    assert lines[0] == "\nmissing frame: 124 (unpack the video again)"
    assert lines[4] == "  video3/img: 100 of them, 0001.jpg to 0100.jpg"
    assert lines[20:] == ["  video19/img/0001.jpg", "  and 5 more"]


def test_missing_target_and_its_consequences(verify, data_dir):
    (data_dir / "Biker").rename(data_dir / "elsewhere")
    code, out = verify()
    assert code == 1
    assert "\nmissing target: 1 (unpack them, or name the ones to check with --targets)\n  Biker\n" in out
    assert "  annotated frames: 30 of 60\n" in out
    code, out = verify(targets="Basketball")
    assert code == 0 and "not checked" in out


def test_all_faults_go_to_a_file(verify, data_dir, tmp_path):
    for number in range(1, 26):
        (data_dir / "Biker" / "img" / f"{number:04d}.jpg").unlink()
    code, out = verify(out=tmp_path / "faults.csv")
    assert code == 1 and out.endswith("\n25 faults\n")
    with open(tmp_path / "faults.csv", newline="") as file:
        records = list(csv.DictReader(file))
    assert len(records) == 25
    assert records[24] == {
        "kind": faults.MISSING,
        "where": f"{data_dir}/Biker/img/0025.jpg",
        "detail": "",
        "what_to_do": "unpack the video again",
    }
    verify(out=tmp_path / "faults.json")
    written = json.loads((tmp_path / "faults.json").read_text())
    assert written["faults"] == records
    assert {"check": "videos", "found": 2, "expected": 2, "faults": 0} in written["checks"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"data_dir": "/none/such"}, "verify_dataset: error: /none/such: no such folder"),
        ({"targets": "Basketball,Nothing"}, "verify_dataset: error: --targets: otb2015 has no Nothing"),
        ({"out": "faults.txt"}, "verify_dataset: error: --out=faults.txt: give a file that ends in .csv or .json"),
        ({"out": "/dev/null/faults.csv"}, "verify_dataset: error: cannot write /dev/null/faults.csv: "),
    ],
)
def test_bad_input_is_one_line(verify, options, message):
    code, _ = verify(**options)
    assert code.startswith(message) and "\n" not in code
