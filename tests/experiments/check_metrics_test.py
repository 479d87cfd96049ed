"""The comparison with toolkits' scores, on a made-up tracker."""

import json

import pytest

from experiments import check_metrics
from experiments.scoring import scorer

BOX = "11,11,20,20\n"
HALF = "11,11,20,10\n"
TARGETS = ("Basketball", "Deer")
HALF_OF_IT = {  # Half of the frames are perfect, half have an overlap of 0.5 and a centre 5 px off.
    "octave": (20 + 10) / 2 / 21,
    "octave_prec": 1,
    "got10k": (20 + 10) / 2 / 21,
    "t101": (100 + 50) / 2 / 101,
    "ge21": (21 + 11) / 2 / 21,
    "ao": 0.75,
}


@pytest.fixture
def check(run_binary, tmp_path, monkeypatch, capsys):
    """Returns a function that compares with the scores given; it returns exit code and output."""
    monkeypatch.setattr(scorer, "target_names", lambda dataset, data_dir: TARGETS)
    check_metrics._truths.cache_clear()
    for folder, text in (("annotations/OTB100", BOX * 4), ("results/OTB100/Mine", BOX * 2 + HALF * 2)):
        (tmp_path / folder).mkdir(parents=True)
        for name in TARGETS:
            (tmp_path / folder / f"{name}.txt").write_text(text)

    def run(content, **options):
        path = tmp_path / "expected.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        given = {"annotations": tmp_path / "annotations", "results": tmp_path / "results", "expected": path}
        with pytest.raises(SystemExit) as caught:
            run_binary(check_metrics, **{**given, **options})
        return caught.value.code, capsys.readouterr().out

    return run


def entry(**scores):
    return {"OTB": [{"dataset": "OTB2015", "tracker": "Mine", "n": 2, **scores}], "VOT2016": [{"set": "VOT2016"}]}


def test_equal_scores(check):
    code, out = check(entry(**HALF_OF_IT))
    assert code == 0
    rows = [line.split() for line in out.splitlines()[1:-2]]
    assert [row[2] for row in rows] == list(HALF_OF_IT)
    assert all(row[:2] == ["OTB2015", "Mine"] and row[-1] == "yes" and row[3] == row[4] for row in rows)
    assert out.endswith("\n6 scores, 0 differ by more than 5e-05\n")


@pytest.mark.parametrize("score", HALF_OF_IT)
def test_a_difference_in_the_fourth_decimal(check, score):
    code, out = check(entry(**{**HALF_OF_IT, score: HALF_OF_IT[score] + 6e-5}))
    assert code == 1
    assert [line.split()[2] for line in out.splitlines() if "NO, -6.0e-05" in line] == [score]
    assert out.endswith("\n6 scores, 1 differ by more than 5e-05\n")


def test_no_difference_in_the_fifth(check):
    assert check(entry(octave=HALF_OF_IT["octave"] + 4e-5))[0] == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("no json", "no JSON of lists of scores"),
        ("[1]", "no JSON of lists of scores"),
        ({"VOT2016": []}, "no entry of OTB2015, OTB2013, TC128, LaSOT"),
        (entry(octave=0.5, matlab=0.5), "score 'matlab' is unknown"),
        ({"TC128": [{"dataset": "TC128", "tracker": "UDT"}]}, "TC128/UDT: no such folder; unpack the results of UDT"),
    ],
)
def test_bad_input_ends_in_one_line(check, content, message):
    code, _ = check(content)
    assert code.startswith("check_metrics: error: ") and message in code and "\n" not in code


def test_missing_files_end_in_one_line(check, tmp_path):
    assert "none.json: no JSON" in check(entry(octave=1), expected=tmp_path / "none.json")[0]
    (tmp_path / "results" / "OTB100" / "Mine" / "Deer.txt").unlink()
    assert "Mine: 1 of 2 cannot be scored, Deer for one: no result file" in check(entry(octave=1))[0]


def test_every_quantity_of_a_benchmark_that_marks_absence_can_be_computed(tmp_path):
    for folder, text in (("LaSOT", BOX * 4), ("LaSOT_absent", "0\n0\n0\n1\n")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "airplane-1.txt").write_text(text)
    path = tmp_path / "airplane-1.txt"
    path.write_text(BOX * 4)
    truths = scorer.read_truths("lasot", str(tmp_path), ["airplane-1"])
    found = scorer.read_tracker("lasot", {"airplane-1": path}, ["airplane-1"], truths)
    expected = dict.fromkeys(check_metrics.QUANTITIES, 0.0)
    rows = check_metrics.compare({"dataset": "LaSOT", "tracker": "Mine", **expected}, lambda *_: found)
    ours = {row.quantity: row.ours for row in rows}
    assert ours["octave"] == ours["pysot"] == ours["pytracking"] == pytest.approx(3 / 4 * 20 / 21)
    assert ours["absent_excluded"] == ours["pytracking_valid"] == ours["got10k"] == pytest.approx(20 / 21)
    assert ours["octave_nprec"] == ours["pysot_nprec"] == ours["octave_prec"] == 3 / 4
    assert ours["got10k_nprec20"] == ours["got10k_nprec_mean"] == 1
    assert ours["t101_official"] == pytest.approx(3 / 4 * 100 / 101)
    assert set(ours) == set(expected)
