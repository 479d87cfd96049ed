"""The command's files, what it prints, and its errors."""

import shutil

import cv2
import numpy as np
import pytest

from experiments import make_figures
from experiments.figures import response_figure
from mlt_tf import tracker
from mlt_tf.tracker import Update


@pytest.fixture
def draw(run_binary, otb_runs, tmp_path, capsys):
    """Returns a function that runs the command; it returns the error, None without one, and what was printed."""

    def run(figure, **options):
        given = {"dataset": "otb2015", "data_dir": otb_runs / "OTB", "out": tmp_path / "out"}
        if figure != 6:
            given["results_dir"] = f"{otb_runs / 'ours'},{otb_runs / 'others'}"
        try:
            run_binary(make_figures, figure=figure, **{**given, **options})
            error = None
        except SystemExit as caught:
            error = caught.code
        return error, capsys.readouterr()

    return run


@pytest.fixture
def stub_tracker(monkeypatch):
    """Puts a tracker into `mlt_tf` that updates in frame 3, moving more in Jogging-2, and not at all in Basketball."""

    class Stub:
        loads, started = [], 0

        @classmethod
        def load(cls, variant, weights):
            cls.loads.append((variant, weights))
            return cls()

        def init(self, frame, box_xywh):
            self.frames, self.started = 1, self.started + 1

        def update(self, frame):
            self.frames += 1
            before = np.zeros([2, 17, 17])
            after = before + (0.3 if self.started == 4 else 0.1)
            self.last_update = Update(self.frames, np.zeros([2, 255, 255, 3], np.uint8), before, after)
            return type("State", (), {"updated": self.frames == 3 and self.started > 1})

    monkeypatch.setattr(tracker, "Tracker", Stub)
    return Stub


def files(tmp_path):
    return sorted(path.name for path in (tmp_path / "out").iterdir())


def test_figure_4(draw, tmp_path):
    error, printed = draw(4)
    assert error is None and printed.err == ""
    assert printed.out.splitlines()[0] == "OTB-2015, PARTIAL: 4 of 100 targets, 3 trackers"
    names = ("figure4", "figure4_overall", "figure4_precision")
    assert files(tmp_path) == [f"{name}.{kind}" for name in names for kind in ("pdf", "png")]
    height, width, _ = cv2.imread(str(tmp_path / "out" / "figure4.png")).shape
    assert 2300 < width < 2700 and 1200 < height < 1700


@pytest.mark.parametrize(("width", "pixels"), [("column", 975), ("page", 2062)])
def test_width_of_print(draw, tmp_path, width, pixels):
    assert draw(5, frames=3, width=width)[0] is None
    assert cv2.imread(str(tmp_path / "out" / "figure5.png")).shape[1] == pixels


def test_what_is_left_out_is_noted(draw, otb_runs, tmp_path):
    root = shutil.copytree(otb_runs, tmp_path / "copy")
    (root / "ours" / "mlt" / "Deer.txt").unlink()
    error, printed = draw(4, results_dir=f"{root / 'ours'},{root / 'others'}")
    assert error is None
    assert printed.err == "make_figures: note: left out for all trackers, no result of mlt: 1 targets, Deer\n"
    assert "3 of 100" in printed.out


def test_figure_5_is_of_the_papers_trackers(draw, tmp_path):
    error, printed = draw(5, frames=3)
    assert error is None and files(tmp_path) == ["figure5.pdf", "figure5.png"]
    assert printed.out.splitlines()[0].endswith("2 trackers")  # Newcomer is none of the paper's.
    height, width, _ = cv2.imread(str(tmp_path / "out" / "figure5.png")).shape
    assert height > width  # Four rows of three frames, each of 64 x 48.
    assert draw(5, trackers="Newcomer", sequences="Deer")[1].out.splitlines()[0].endswith("1 trackers")
    wide = cv2.imread(str(tmp_path / "out" / "figure5.png")).shape
    assert wide[1] > 3 * wide[0]


@pytest.fixture
def drawn(monkeypatch):
    """Returns a list that gets the titles of the examples that are drawn, split into words."""
    titles, draw_responses = [], response_figure.draw_responses

    def record(examples, page):
        titles.extend(example.title.split() for example in examples)
        return draw_responses(examples, page)

    monkeypatch.setattr(response_figure, "draw_responses", record)
    return titles


def test_figure_6_runs_the_tracker(draw, drawn, stub_tracker, tmp_path):
    error, printed = draw(6, variant="mlt_mt_ft", weights="w.npz", examples=2)
    assert error is None and stub_tracker.loads == [("mlt_mt_ft", "w.npz")]
    assert printed.out.splitlines()[:3] == [
        "Deer: 1 updates moved the response by 0.1000 in the mean",
        "Jogging-1: 1 updates moved the response by 0.1000 in the mean",
        "Jogging-2: 1 updates moved the response by 0.3000 in the mean",
    ]
    assert files(tmp_path) == ["figure6.pdf", "figure6.png"]
    assert drawn == [["Jogging-2,", "after", "3"], ["Deer,", "after", "3"]]  # By falling movement.
    two = cv2.imread(str(tmp_path / "out" / "figure6.png")).shape
    assert two[0] > 1.1 * two[1]  # Three rows of two, and the bar.


def test_figure_6_takes_sequences_named(draw, drawn, stub_tracker):
    error, _ = draw(6, sequences="Basketball,Jogging-1,Deer", examples=1)
    assert error is None and [title[0] for title in drawn] == [
        "Jogging-1,",
        "Deer,",
    ]  # In the order given; Basketball has no update.
    error, _ = draw(6, sequences="Deer", max_frames=2)
    assert error == "make_figures: error: mlt was not updated once in Deer; give longer sequences"


def hits(total):
    """Returns result rows on a target of `otb_runs` of which the first `total` are right."""
    return np.array([[5 + 2 * n, 8, 20, 16] if n < total else [40, 30, 10, 10] for n in range(12)])


@pytest.fixture
def adapted(tmp_path):
    """Returns a folder with results of `mlt` and `mlt_mt`; a frame is 1/12 of 20/21 of AUC, .079."""
    frames = {"Basketball": (9, 6), "Deer": (6, 8), "Jogging-1": (7, 6), "Jogging-2": (6, 12)}
    for target, pair in frames.items():
        for tracker_name, right in zip(("mlt", "mlt_mt"), pair):
            folder = tmp_path / "adapted" / tracker_name
            folder.mkdir(parents=True, exist_ok=True)
            np.savetxt(folder / f"{target}.txt", hits(right), "%d", ",")
    return tmp_path / "adapted"


@pytest.fixture
def always_updated(monkeypatch, stub_tracker):
    """Has the stub update in all sequences; returns it."""
    monkeypatch.setattr(stub_tracker, "started", 1)
    return stub_tracker


def test_figure_6_takes_what_gains_and_loses_most(draw, drawn, always_updated, adapted, tmp_path):
    error, printed = draw(6, choose="gain", results_dir=adapted)
    assert error is None and printed.err == ""
    assert printed.out.splitlines()[0] == "OTB-2015, PARTIAL: 4 of 100 targets, 2 trackers"
    gains = [["Basketball", "+.238"], ["Jogging-1", "+.079"], ["Jogging-2", "-.476"], ["Deer", "-.159"]]
    assert drawn == [[*gain, "after", "frame", "3"] for gain in gains]
    assert files(tmp_path) == ["figure6.pdf", "figure6.png"]


def test_figure_6_runs_only_what_it_shows(draw, drawn, always_updated, adapted):
    error, printed = draw(6, choose="gain", results_dir=adapted, examples=1)
    assert error is None and [title[0] for title in drawn] == ["Basketball", "Jogging-2"]
    run_on = [line.split(":")[0] for line in printed.out.splitlines() if "moved the response" in line]
    assert run_on == ["Basketball", "Jogging-2"]


def test_figure_6_says_what_was_not_updated(draw, drawn, stub_tracker, adapted):
    error, printed = draw(6, choose="gain", results_dir=adapted, examples=1)  # The stub leaves the first one alone.
    assert error is None and [title[0] for title in drawn] == ["Jogging-2"]
    assert printed.err == "make_figures: note: Basketball: left out, mlt was not updated once in it\n"


def test_gains_need_both_results_and_a_difference(draw, stub_tracker, adapted):
    for options, message in (
        ({}, "--results_dir is needed"),
        ({"results_dir": adapted, "variant": "mlt_mt_ft"}, "no mlt_mt_ft in --results_dir; it has mlt, mlt_mt"),
        ({"results_dir": adapted, "sequences": "Deer"}, "--sequences and --choose=gain: give one of the two"),
        ({"results_dir": adapted / "mlt"}, "no tracker's folder in it"),
    ):
        error, _ = draw(6, choose="gain", **options)
        assert error.startswith("make_figures: error: ") and message in error and "\n" not in error
    shutil.rmtree(adapted / "mlt_mt")
    error, _ = draw(6, choose="gain", results_dir=adapted)
    assert error.startswith("make_figures: error: --choose=gain: no mlt_mt in --results_dir; it has mlt; make them")
    shutil.copytree(adapted / "mlt", adapted / "mlt_mt")
    error, _ = draw(6, choose="gain", results_dir=adapted)
    assert "mlt and mlt_mt score alike on Basketball, Deer, Jogging-1, Jogging-2" in error
    assert stub_tracker.loads == []


@pytest.mark.parametrize(
    ("figure", "options", "message"),
    [
        (4, {"results_dir": "/nowhere"}, "/nowhere: no such folder"),
        (4, {"out": "/dev/null/figures"}, "cannot write /dev/null/figures: "),
        (5, {"sequences": "Bolt"}, "--sequences: no results of Bolt by all trackers"),
        (6, {"sequences": "Nobody"}, "--sequences: otb2015 has no Nobody"),
        (6, {"sequences": "Deer,Bolt"}, "--sequences: Bolt not in"),
        (6, {"data_dir": "/nowhere"}, "/nowhere: no such folder"),
    ],
)
def test_bad_input_ends_in_one_line(draw, figure, options, message):
    error, _ = draw(figure, **options)
    assert error.startswith("make_figures: error: ") and message in error and "\n" not in error


def test_annotations_alone_have_no_frames(draw, otb_runs, tmp_path):
    root = shutil.copytree(otb_runs / "OTB", tmp_path / "OTB", ignore=shutil.ignore_patterns("*.jpg"))
    error, _ = draw(5, data_dir=root)
    assert "0003.jpg" in error and error.startswith("make_figures: error: ")
    error, _ = draw(6, data_dir=root)
    assert "no frames of Basketball, Deer, Jogging-1, Jogging-2; give the data set, not its annotations" in error
    assert draw(4, data_dir=root)[0] is None
