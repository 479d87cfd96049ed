"""Tests of the figure of scores."""

import cv2
import matplotlib.colors
import numpy as np
import pytest

from experiments.figures import score_figure
from experiments.figures.score_figure import Course


def course(name, lost=(), updated=(), fixed=(), absent=0):
    frames = np.arange(40, 100)
    scores = np.where(frames < 40 + absent, np.nan, 0.7)
    return Course(name, frames, scores, *(np.isin(frames, chosen) for chosen in (lost, updated, fixed)))


def test_spans_are_runs_of_frames():
    frames = np.arange(5, 12)
    assert score_figure.spans(frames, np.isin(frames, [5, 6, 9, 11])) == [(4.5, 6.5), (8.5, 9.5), (10.5, 11.5)]
    assert score_figure.spans(frames, np.zeros(7, bool)) == []


def test_panel_has_the_scores_lost_spans_updates_and_corrections():
    figure = score_figure.draw([course("a", range(50, 60), [69, 99], [80]), course("cup", absent=30)], 0.35)
    first, second = figure.axes
    (score, updates, fix, threshold) = first.lines
    np.testing.assert_array_equal(score.get_ydata(), np.full(60, 0.7))
    assert updates.get_xdata().tolist() == [69, 99] and set(fix.get_xdata()) == {80}
    assert set(threshold.get_ydata()) == {0.35} and len(first.patches) == 1 and len(second.patches) == 0
    assert np.isnan(second.lines[0].get_ydata()).sum() == 30 and second.get_ylabel() == "target cup"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["lost", "score", "update", "fix"]


def test_picture_shows_lost_spans_in_their_colour(tmp_path):
    score_figure.write(tmp_path / "a", [course("1", range(40, 100))], None)
    picture = cv2.imread(str(tmp_path / "a"))[..., ::-1] / 255
    paler = 1 - 0.25 * (1 - np.array(matplotlib.colors.to_rgb(score_figure.LOST)))
    assert 0.3 < np.mean(np.all(np.abs(picture - paler) < 0.02, -1)) < 0.95


@pytest.mark.filterwarnings("error")
def test_targets_without_updates_leave_room_for_their_scores(tmp_path):
    score_figure.write(tmp_path / "a", [course(name, absent=30) for name in "abc"], 0.35)
    blue = np.array(matplotlib.colors.to_rgb(score_figure.LINE))
    picture = cv2.imread(str(tmp_path / "a"))[..., ::-1] / 255
    columns = np.flatnonzero(np.all(np.abs(picture - blue) < 0.1, -1)[80:].any(0))
    assert np.ptp(columns) > 300


def test_many_targets_end_somewhere():
    assert len(score_figure.draw([course(str(n)) for n in range(30)], None).axes) == 12
