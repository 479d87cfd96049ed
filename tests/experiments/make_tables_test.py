"""The command's table, JSON file, errors and exit codes."""

import json

import pytest

from experiments import make_tables
from experiments.scoring import scorer

BOX = "11,11,20,20\n"
FAR = "111,111,20,20\n"
TARGETS = ("Basketball", "Biker", "Deer")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Returns a folder with the ground truth of an OTB of three targets, and two trackers' results."""
    monkeypatch.setattr(scorer, "target_names", lambda dataset, data_dir: TARGETS)
    write(tmp_path / "truth", **dict.fromkeys(TARGETS, BOX * 4))
    write(tmp_path / "results" / "Good", **dict.fromkeys(TARGETS, BOX * 4))
    write(tmp_path / "results" / "Poor", **{name.lower(): BOX + FAR * 3 for name in TARGETS})
    return tmp_path


def write(folder, **texts):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.txt").write_text(text)


@pytest.fixture
def score(run_binary, folder, capsys):
    """Returns a function that runs the command; it returns exit code, output, errors and the JSON file's content."""

    def run(**options):
        path = folder / "out" / "scores.json"
        path.unlink(missing_ok=True)
        given = {"dataset": "otb2015", "results_dir": folder / "results", "data_dir": folder / "truth", "json": path}
        with pytest.raises(SystemExit) as caught:
            run_binary(make_tables, **{**given, **options})
        printed = capsys.readouterr()
        content = json.loads(path.read_text()) if path.is_file() else None
        code = caught.value.code
        return code, printed.out, printed.err if isinstance(code, int) else code, content

    return run


def test_table_and_json(score):
    code, out, err, content = score()
    assert code == 0 and err == ""
    lines = out.splitlines()
    assert lines[0] == "otb2015 by the rules of OTB"
    assert [line.split() for line in lines[2:]] == [
        ["tracker", "AUC", "precision", "sequences", "frames"],
        ["Good", "0.9524", "1.0000", "3", "12"],
        ["Poor", "0.2381", "0.2500", "3", "12"],
    ]
    assert content["Good"] == {
        "auc": pytest.approx(20 / 21),
        "precision": 1,
        "mean_overlap": 1,
        "sequences": 3,
        "frames": 12,
        "dataset": "otb2015",
        "protocol": "OTB",
    }
    assert list(content) == ["Good", "Poor"]


def test_part_is_said_to_be_part(score, folder):
    (folder / "results" / "Good" / "Deer.txt").unlink()
    code, out, err, content = score(trackers="Good")
    assert code == 0
    assert out.splitlines()[-1].endswith("PARTIAL: 2 of 3")
    assert err == "make_tables: note: Good: PARTIAL: no results of 1 sequences: Deer\n"
    assert content["Good"]["partial"] is True and content["Good"]["missing"] == ["Deer"]
    (folder / "truth" / "Biker.txt").unlink()
    code, out, err, content = score(trackers="Good")
    assert out.splitlines()[-1].endswith("PARTIAL: 1 of 3")
    assert "note: Good: PARTIAL: no ground truth of 1 sequences with results: Biker\n" in err
    assert content["Good"]["missing"] == ["Biker", "Deer"]


def test_a_tracker_with_a_faulty_file_is_not_scored(score, folder):
    write(folder / "results" / "Poor", biker=BOX * 5, deer="")
    code, out, err, content = score()
    assert code == 1
    assert list(content) == ["Good"] and "Poor" not in out
    assert err.splitlines() == [
        f"make_tables: error: {folder}/results/Poor/biker.txt: 5 rows for 4 frames; it must have one a frame: "
        "replace the file or remove it",
        f"make_tables: error: {folder}/results/Poor/deer.txt: no boxes in it; expected one x,y,w,h a frame",
    ]


def test_faulty_files_can_be_skipped(score, folder):
    write(folder / "results" / "Poor", biker=BOX * 5)
    code, out, err, content = score(skip_faulty=True)
    assert code == 0
    assert content["Poor"]["partial"] is True and content["Poor"]["missing"] == ["Biker"]
    assert "note: Poor: skipped: " in err and "biker.txt: 5 rows for 4 frames" in err
    assert "PARTIAL: 2 of 3" in out


def test_a_folder_of_something_else_among_others(score, folder):
    write(folder / "results" / "Notes", todo="write")
    code, _, err, content = score()
    assert code == 1 and list(content) == ["Good", "Poor"]
    assert err.count("\n") == 1 and "results/Notes: no results of this data set, none of its 1 .txt files" in err


def test_nothing_of_the_data_set(score, folder):
    (folder / "elsewhere" / "OTB").mkdir(parents=True)
    code, out, err, content = score(results_dir=folder / "elsewhere")
    assert code == 1 and out == "" and content is None
    assert "/elsewhere/OTB: no results of this data set, it has no .txt file; expected Basketball.txt" in err


def test_a_faulty_tracker_alone_writes_nothing(score, folder):
    write(folder / "results" / "Poor", biker=BOX * 5)
    code, out, err, content = score(trackers="Poor")
    assert (code, out, content) == (1, "", None) and err.count("\n") == 1


def test_many_faults_are_cut_short(score, folder, monkeypatch):
    monkeypatch.setattr(make_tables, "_SHOWN", 2)
    write(folder / "results" / "Good", **dict.fromkeys(TARGETS, BOX))
    _, _, err, _ = score(trackers="Good")
    assert err.count("\n") == 3 and err.endswith("make_tables: error: Good: and 1 more faulty files\n")


def test_notes_on_what_was_scored(score, folder):
    rows = BOX + "nan,nan,nan,nan\n" * 2 + BOX
    write(folder / "results" / "Good", Biker=rows, Jogging=BOX, readme="text")
    code, _, err, content = score(trackers="Good")
    assert code == 0 and content["Good"]["bad_rows"] == {"Biker": 2}
    assert "note: Good: rows that are no boxes (NaN, infinite, without area): Biker 2\n" in err
    assert "note: Good: not of this data set: 2 files: Jogging.txt, readme.txt\n" in err
    assert "CHECK" not in err


def test_results_that_count_from_0_are_pointed_out(score, folder):
    write(folder / "results" / "Good", **dict.fromkeys(TARGETS, BOX.replace("11", "10") * 4))
    _, _, err, _ = score(trackers="Good")
    assert "note: Good: CHECK: first boxes lie one pixel up and left" in err


def test_another_protocol(score, folder):
    write(folder / "results" / "Good", Deer=BOX * 2 + "nan,nan,nan,nan\n" * 2)
    _, out, _, content = score(protocol="GOT10K")
    assert content["Good"]["protocol"] == "GOT10K"
    assert content["Good"]["auc"] == pytest.approx((1 + 1 + 0.5) / 3 * 20 / 21)
    assert content["Good"]["normalised_precision"] == pytest.approx((1 + 1 + 0.5) / 3)
    assert "norm. prec." in out and "by the rules of GOT10K" in out


def test_the_test_set_of_lasot_scored_as_lasot(run_binary, tmp_path, capsys):
    write(tmp_path / "LaSOT", **{"airplane-1": BOX * 4})
    write(tmp_path / "LaSOT_absent", **{"airplane-1": "0\n0\n1\n1\n"})
    write(tmp_path / "results" / "SiamDW", **{"airplane-1": BOX * 4})
    with pytest.raises(SystemExit) as caught:
        run_binary(make_tables, dataset="lasot", results_dir=tmp_path / "results", data_dir=tmp_path)
    printed = capsys.readouterr()
    assert caught.value.code == 0
    assert printed.out.startswith("lasot_protocol_1 by the rules of LASOT\n")
    last = printed.out.splitlines()[-1]
    assert last.split()[:6] == ["SiamDW", "0.4762", "0.5000", "0.5000", "1", "4"]
    assert last.endswith("  PARTIAL: 1 of 1400")
    assert "no results of 1399 sequences: airplane-2, airplane-3, " in printed.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"results_dir": "/none/such"},
            "the trackers' folders, as `python -m experiments.evaluate --variant mlt --out",
        ),
        ({"data_dir": "/none/such"}, "/none/such: no such folder; give the one that holds otb2015"),
        ({"trackers": "Good,Better"}, "no tracker Better; it has Good, Poor"),
        ({"json": "/dev/null/scores.json"}, "cannot write /dev/null/scores.json: "),
    ],
)
def test_bad_flags_end_in_one_line(score, options, message):
    code, _, err, _ = score(**options)
    assert code == err and err.startswith("make_tables: error: ") and message in err and "\n" not in err


def test_a_trackers_own_folder_is_pointed_out(score, folder):
    code, _, _, _ = score(results_dir=folder / "results" / "Good")
    assert "no tracker's folder in it; give the folder above those with the .txt files" in code


def test_ground_truth_of_something_else(score, folder):
    (folder / "elsewhere").mkdir()
    code, _, _, content = score(data_dir=folder / "elsewhere")
    assert "no ground truth of otb2015 in it" in code and content is None


@pytest.fixture
def show(run_binary, capsys):
    """Returns a function that prints a table of the paper; it returns exit code or error, output and notes."""

    def run(**options):
        with pytest.raises(SystemExit) as caught:
            run_binary(make_tables, **options)
        printed = capsys.readouterr()
        return caught.value.code, printed.out, printed.err

    return run


def test_a_table_of_the_paper(show, folder):
    write(folder / "ours" / "otb2015" / "mlt", Deer=BOX * 4)
    given = {"table": 1, "ours": folder / "ours", "data_dir": folder / "truth"}
    code, out, err = show(**given, raw=[f"otb2015={folder / 'results'}"])
    assert (code, err) == (0, "") and out.startswith("Table 1. Success AUC of one-pass evaluation, and speed\n\n")
    assert "here   .952 partial (1 of 3) [1]  " in out and f"- {folder}/results: of no column: Good, Poor\n" in out
    code, out, err = show(**given, format="csv")
    assert code == 0 and "Table 1,OTB-2015,MLT,.952 partial (1 of 3),.611,,mlt on otb2015,,,,\n" in out
    assert "make_tables: note: partial: the mean of only some targets" in err
    assert r"\begin{table*}" in show(table=2, format="latex")[1]
    assert "| MLT-mt | here | not run |" in show(table=2, format="markdown")[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "give --dataset, to score raw results, or --table, for a table of the paper; one of the two"),
        ({"table": 1, "dataset": "otb2015"}, "give --dataset, to score raw results, or --table, for a table of the"),
        ({"table": 1, "json": "x", "results_dir": "y"}, "--results_dir, --json: not with --table"),
        ({"dataset": "otb2015", "ours": "x", "data_dir": "y"}, "--ours: not with --dataset"),
        ({"dataset": "otb2015"}, "--results_dir and --data_dir needed"),
        ({"table": 2, "ours": "x"}, "--data_dir needed"),
        ({"table": 2, "ours": "/none/such", "data_dir": "y"}, "--ours=/none/such: no such folder"),
        ({"table": 2, "vot": "/none/such"}, "--vot=/none/such: no such file"),
    ],
)
def test_flags_that_do_not_go_together_end_in_one_line(show, options, message):
    code, out, err = show(**options)
    assert code.startswith(f"make_tables: error: {message}") and "\n" not in code and (out, err) == ("", "")
