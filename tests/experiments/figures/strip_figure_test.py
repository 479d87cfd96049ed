"""Strips: which sequences and frames, and whose boxes in which colours."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from experiments.figures import figure_style, strip_figure
from mlt_tf.errors import InputError


@pytest.mark.parametrize(
    ("length", "count", "frames"), [(11, 5, [2, 4, 6, 8, 10]), (100, 2, [50, 99]), (3, 5, [1, 2]), (1, 5, [0])]
)
def test_frames_are_spread_evenly(length, count, frames):
    assert strip_figure.choose_frames(length, count) == frames


def test_shots_are_the_frames_asked_for(compare):
    compared = compare()
    shots = strip_figure.read_shots(compared, "Deer", [4, 11])
    assert [shot.number for shot in shots] == [5, 12]
    assert [int(shot.image.mean()) for shot in shots] == [50, 120]
    np.testing.assert_allclose(shots[0].boxes_xywh["mlt"], [12, 7, 20, 16])


def test_sequences_are_the_papers_then_those_of_most_difference(compare):
    compared = compare()
    sequence, score = compared.sequences["Deer"], compared.scores["mlt"].sequences["Deer"]
    names = ["A", "B", "Car24", "C", "Box", "D", "E", "F"]
    spread = dict(zip(names, (0.1, 0.6, 0.0, 0.2, 0.0, 0.5, 0.3, 0.4)))

    def scores(sign):
        each = {name: score._replace(auc=0.5 + sign * spread[name] / 2) for name in names}
        return compared.scores["mlt"]._replace(sequences=each)

    many = compared._replace(sequences=dict.fromkeys(names, sequence), scores={"mlt": scores(1), "DSST": scores(-1)})
    assert strip_figure.choose_sequences(many, []) == ["Box", "Car24", "B", "D", "F", "E"]
    assert strip_figure.choose_sequences(many, ["E", "A"]) == ["E", "A"]
    with pytest.raises(InputError, match="--sequences: no results of Bolt by all trackers, but of A, B"):
        strip_figure.choose_sequences(many, ["Bolt"])


def test_figure_5(compare):
    compared = compare()
    strips = {name: strip_figure.read_shots(compared, name, [2, 6, 10]) for name in ("Deer", "Basketball")}
    figure = strip_figure.draw_strips(strips, list(compared.scores))
    assert len(figure.axes) == 6
    assert [axes.get_ylabel() for axes in figure.axes] == ["Deer", "", "", "Basketball", "", ""]
    axes = figure.axes[1]
    assert [to_hex(box.get_edgecolor()) for box in axes.patches] == ["#ee82ee", "#ff69b4", "#ff0000"]  # MLT on top.
    assert axes.patches[-1].get_bbox().bounds == pytest.approx((16, 7, 19, 15))
    (text,) = axes.texts
    assert text.get_text() == "#007" and text.get_color() == "#ffff00"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["MLT", "DSST", "Newcomer"]
    assert axes.images[0].get_array().mean() == pytest.approx(70, abs=1)


@pytest.mark.parametrize("width", ["column", "page"])
def test_strips_fill_the_width_of_print(compare, width):
    compared, page = compare(), figure_style.PAGES[width]
    figure = strip_figure.draw_strips({"Deer": strip_figure.read_shots(compared, "Deer", [2, 6, 10])}, ["mlt"], page)
    assert figure.get_figwidth() == pytest.approx(page.width)
    assert figure.axes[-1].get_position().x1 * page.width == pytest.approx(page.width - 0.06)


def test_box_that_is_none_is_not_drawn(compare):
    compared = compare(trackers="DSST,mlt")
    (shot,) = strip_figure.read_shots(compared, "Deer", [3])
    shot.boxes_xywh["DSST"] = np.full(4, np.nan)
    axes = strip_figure.draw_strips({"Deer": [shot]}, ["DSST", "mlt"]).axes[0]
    assert [to_hex(box.get_edgecolor()) for box in axes.patches] == ["#ff0000"]


def test_large_frames_are_thinned_and_their_boxes_stay(compare):
    shot = strip_figure.Shot(1, np.zeros([1000, 1600, 3], np.uint8), {"mlt": np.array([1500, 900, 80, 80])})
    axes = strip_figure.draw_strips({"Big": [shot]}, ["mlt"]).axes[0]
    assert axes.images[0].get_array().shape[1] <= 480
    assert axes.get_xlim() == (-0.5, 1599.5) and axes.patches[0].get_x() == 1500
