"""The command's tables, files, notes and errors, on made-up results of four targets."""

import json
import shutil

import numpy as np
import pytest

from experiments import compare_variants
from experiments.scoring import scorer

TARGETS = ("Basketball", "Biker", "Deer", "Girl")
FRAMES = 20
HITS = {  # Frames with the right box; that many 21ths are the AUC, as no overlap exceeds the last of 21 thresholds.
    "results/mlt": (20, 10, 7, 5),
    "results/mlt_mt": (10, 10, 14, 5),
    "results/twin": (20, 10, 7, 5),
    "seed1/mlt": (20, 13, 7, 8),
    "seed2/mlt": (20, 10, 10, 14),
}


def write(folder, hits):
    """Writes results on the targets, right in their first frames."""
    folder.mkdir(parents=True, exist_ok=True)
    for target, right in zip(TARGETS, hits):
        (folder / f"{target}.txt").write_text("11,11,20,20\n" * right + "111,111,20,20\n" * (FRAMES - right))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Returns a folder with an OTB of four targets in truth/, and results of HITS."""
    monkeypatch.setattr(scorer, "target_names", lambda dataset, data_dir: TARGETS)
    write(tmp_path / "truth", [FRAMES] * 4)
    for name, hits in HITS.items():
        write(tmp_path / name, hits)
    return tmp_path


@pytest.fixture
def show(run_binary, folder, capsys):
    """Returns a function that runs the command; it returns its error or None, what it printed, and the JSON file."""

    def run(**options):
        path = folder / "out" / "figures.json"
        path.unlink(missing_ok=True)
        given = {"dataset": "otb2015", "data_dir": folder / "truth", "results_dir": folder / "results"}
        given |= {"trackers": "mlt,mlt_mt", "resamples": 500, "json": path}
        try:
            run_binary(compare_variants, **{**given, **options})
            error = None
        except SystemExit as caught:
            error = caught.code
        return error, capsys.readouterr(), json.loads(path.read_text()) if path.is_file() else None

    return run


def seeds(folder):
    return f"mlt={folder}/seed1/mlt,{folder}/seed2/mlt"


def test_figures_by_hand(show):
    error, printed, content = show()
    assert error is None and printed.err == ""
    assert content["trackers"]["mlt"]["auc"] == pytest.approx(42 / 84)
    assert content["trackers"]["mlt_mt"]["auc"] == pytest.approx(39 / 84)
    assert content["trackers"]["mlt"]["targets"] == pytest.approx(
        {"Basketball": 20 / 21, "Biker": 10 / 21, "Deer": 7 / 21, "Girl": 5 / 21}
    )
    (pair,) = content["pairs"]
    assert (pair["first"], pair["second"], pair["won"], pair["lost"]) == ("mlt", "mlt_mt", 1, 1)
    assert pair["difference"] == pytest.approx(3 / 84)
    assert pair["gains"] == {"Basketball": pytest.approx(10 / 21)} and pair["losses"] == {"Deer": pytest.approx(-1 / 3)}
    assert content["resamples"] == 500 and content["protocol"] == "OTB"


def test_tables(show):
    _, printed, _ = show(trackers="mlt,mlt_mt,twin")
    heading, *lines = printed.out.splitlines()
    assert heading == "OTB-2015, all 4 targets: success AUC by the rules of OTB; 500 resamples, seed 0"
    trackers, pairs, targets, legend = "\n".join(lines[1:]).split("\n\n")
    assert [line.split()[:2] for line in trackers.splitlines()] == [
        ["tracker", "AUC"], ["mlt", ".500"], ["mlt_mt", ".464"], ["twin", ".500"],
    ]  # fmt: skip
    names = ["mlt - mlt_mt", "mlt - twin", "mlt_mt - twin"]
    assert [line.split("  ")[0] for line in pairs.splitlines()[1:]] == names
    assert pairs.splitlines()[1].split()[3] == "+.036" and pairs.splitlines()[1].split()[-2:] == ["1", "1"]
    assert pairs.splitlines()[2].split()[3:] == ["+.000", "+.000", "to", "+.000", "0.0", "%", "0", "0"]
    assert targets.splitlines()[1].split() == ["mlt", "-", "mlt_mt", "Basketball", "+.476", "Deer", "-.333"]
    assert targets.splitlines()[2].split() == ["mlt", "-", "twin", "-", "-"]
    assert "beyond .005" in legend


def test_identical_results_have_an_interval_of_nothing(show):
    (pair,) = show(trackers="mlt,twin")[2]["pairs"]
    assert pair["interval"] == [0, 0] and pair["difference"] == pair["ahead"] == 0


def test_figures_repeat_by_seed(show, folder):
    first = show(seeds=seeds(folder))[2]
    assert show(seeds=seeds(folder))[2] == first
    other = show(seeds=seeds(folder), seed=1)[2]
    assert other["pairs"][0]["interval"] != first["pairs"][0]["interval"]
    assert other["pairs"][0]["difference"] == first["pairs"][0]["difference"]


def test_seeds_are_averaged_and_their_spread_shown(show, folder):
    error, printed, content = show(seeds=seeds(folder))
    assert error is None
    mlt = content["trackers"]["mlt"]
    folders = [str(folder / name) for name in ("results/mlt", "seed1/mlt", "seed2/mlt")]
    assert mlt["seeds"] == pytest.approx(dict(zip(folders, (42 / 84, 48 / 84, 54 / 84))))
    assert mlt["auc"] == pytest.approx(48 / 84) and mlt["spread"] == pytest.approx(12 / 84)
    assert mlt["deviation"] == pytest.approx(6 / 84)
    assert mlt["targets"]["Girl"] == pytest.approx(9 / 21)
    assert content["pairs"][0]["difference"] == pytest.approx(9 / 84)
    lines = printed.out.splitlines()[2:5]
    assert [cell.strip() for cell in lines[0].split("  ") if cell][-3:] == ["each seed", "max - min", "std"]
    assert lines[1].split()[-5:] == [".500", ".571", ".643", ".143", ".071"]
    assert lines[2].split()[-3:] == ["-"] * 3  # One seed.


def test_seeds_of_several_trackers(show, folder):
    write(folder / "seed1" / "mlt_mt", (12, 10, 14, 5))
    content = show(seeds=[seeds(folder), f"mlt_mt={folder}/seed1/mlt_mt"])[2]
    assert [len(content["trackers"][name]["seeds"]) for name in ("mlt", "mlt_mt")] == [3, 2]
    assert content["pairs"][0]["difference"] == pytest.approx((48 - 40) / 84)


def test_markdown(show, folder):
    path = folder / "deep" / "differences.md"
    _, printed, _ = show(out=path)
    lines = path.read_text().splitlines()
    assert lines[0] == f"**{printed.out.splitlines()[0]}**"
    assert lines[2:4] == ["| tracker | AUC | 95 % interval |", "| --- | --- | --- |"]
    assert "| mlt - mlt_mt | Basketball +.476 | Deer -.333 |" in lines
    rows = [line for line in lines if line.startswith("|")]
    cells = {cell.strip() for row in rows if "---" not in row for cell in row.strip("|").split(" | ")}
    assert all(cell in printed.out for cell in cells)
    assert [name.name for name in path.parent.iterdir()] == ["differences.md"]


def test_only_common_targets_are_compared_and_the_others_named(show, folder):
    (folder / "results" / "mlt_mt" / "Biker.txt").unlink()
    (folder / "seed1" / "mlt" / "Deer.txt").unlink()
    error, printed, content = show(seeds=seeds(folder), out=folder / "d.md")
    assert error is None and list(content["trackers"]["mlt"]["targets"]) == ["Basketball", "Girl"]
    notes = [
        "left out for all trackers, no result of mlt_mt: 1 targets, Biker",
        f"left out for all trackers, no result in {folder}/seed1/mlt: 1 targets, Deer",
    ]
    assert content["notes"] == notes
    assert printed.err.splitlines() == [f"compare_variants: note: {note}" for note in notes]
    assert printed.out.startswith("OTB-2015, PARTIAL: 2 of 4 targets: ")
    assert all(f"- {note}" in (folder / "d.md").read_text().splitlines() for note in notes)


def test_faulty_seed_is_refused_or_skipped(show, folder):
    (folder / "seed1" / "mlt" / "Deer.txt").write_text("1,2,3,4\n")
    error, _, _ = show(seeds=seeds(folder))
    assert "seed1/mlt/Deer.txt: 1 rows for 20 frames" in error and error.endswith("or give --skip_faulty")
    error, printed, content = show(seeds=seeds(folder), skip_faulty=True)
    assert error is None and "Deer" not in content["trackers"]["mlt"]["targets"]
    assert "mlt: skipped: " in printed.err


def test_all_seeds_must_leave_two_targets(show, folder):
    for name in TARGETS[1:]:
        (folder / "seed1" / "mlt" / f"{name}.txt").unlink()
    error, _, _ = show(seeds=seeds(folder))
    assert error == "compare_variants: error: 1 targets are in all results; an interval over targets needs at least two"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trackers": "mlt"}, "mlt alone cannot be compared; give at least two trackers"),
        ({"trackers": "mlt,KCF"}, "no KCF in --results_dir; it has mlt, mlt_mt, twin"),
        ({"data_dir": ""}, "--data_dir is needed"),
        ({"results_dir": "/nowhere"}, "/nowhere: no such folder"),
        ({"seeds": "mlt"}, "--seeds=mlt: expected TRACKER=FOLDER,FOLDER"),
        ({"seeds": "mlt="}, "expected TRACKER=FOLDER,FOLDER"),
        ({"seeds": "twin={}/seed1/mlt"}, "twin is not compared; compared are mlt, mlt_mt"),
        ({"seeds": "mlt={}/seed3/mlt"}, "seed3/mlt: no such folder"),
        ({"seeds": "mlt={0}/seed1/mlt,{0}/seed1/mlt"}, "seed1/mlt is given twice"),
        ({"seeds": "mlt={}/results/mlt"}, "results/mlt is given twice"),
        ({"seeds": "mlt={}/seed1"}, "seed1: no results of this data set"),
        ({"out": "/dev/null/d.md"}, "cannot write /dev/null/d.md: Not a directory; make room"),
    ],
)
def test_bad_input_ends_in_one_line(show, folder, options, message):
    error, _, content = show(**{flag: value.format(folder) for flag, value in options.items()})
    assert error.startswith("compare_variants: error: ") and message in error and "\n" not in error
    assert content is None


def test_every_pair_of_trackers_is_compared():
    values = {name: np.full([1, 2], score) for name, score in (("a", 0.3), ("b", 0.2), ("c", 0.1))}
    aucs = compare_variants.Aucs("T", "OTB", ("Deer", "Girl"), {name: [] for name in values}, values, ())
    report = compare_variants.compare(aucs, 10, 0)
    assert [(pair.first, pair.second) for pair in report.pairs] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert all(pair.ahead == 1 for pair in report.pairs)


def test_own_sequence_that_is_not_complete_is_told_and_the_others_are_compared(run_binary, otb_runs, tmp_path, capsys):
    root = shutil.copytree(otb_runs, tmp_path / "copy")
    (root / "OTB" / "Deer" / "img" / "0012.jpg").unlink()
    given = {"layout": "otb", "data_dir": root / "OTB", "results_dir": root / "others", "resamples": 10}
    with pytest.raises(SystemExit, match="^1$"):
        run_binary(compare_variants, json=tmp_path / "t.json", **given)
    assert "note: left out for all trackers, Deer: " in capsys.readouterr().err
    assert len(json.loads((tmp_path / "t.json").read_text())["trackers"]["DSST"]["targets"]) == 3
