"""Contexts with their responses before and after adaptation: which, and how they are drawn."""

import types

import numpy as np
import pytest

from data_pipelines.datasets import sequences
from experiments.figures import figure_style, response_figure
from mlt_tf.tracker import Update


def make_update(frame, moved):
    """Makes an update of four contexts of which the one at index 2 moved most."""
    before = np.random.default_rng(frame).uniform(-0.2, 0.4, [4, 17, 17])
    change = moved * np.array([1.0, 0.5, 1.5, 1.0])[:, None, None]
    contexts = np.stack([np.full([255, 255, 3], 10 * index, np.uint8) for index in range(4)])
    return Update(frame, contexts, before, before + change)


class StubTracker:
    """Updates after frames 3 and 6, and keeps what it was given."""

    def __init__(self):
        self.boxes, self.greys = [], []

    def init(self, frame, box_xywh):
        self.boxes.append(box_xywh)
        self.greys = [int(frame.mean())]

    def update(self, frame):
        self.greys.append(int(frame.mean()))
        updated = len(self.greys) in (3, 6)
        if updated:
            self.last_update = make_update(len(self.greys), 0.1)
        return types.SimpleNamespace(updated=updated)


def test_tracker_follows_the_sequence(otb_runs):
    (deer,) = sequences.load_sequences(str(otb_runs / "OTB"), "otb", ["Deer"])
    tracker = StubTracker()
    updates = response_figure.follow(tracker, deer)
    assert [update.frame for update in updates] == [3, 6]
    assert tracker.greys == [10 * n for n in range(1, 13)]
    np.testing.assert_array_equal(tracker.boxes, deer.boxes_xywh[:1])
    assert len(response_figure.follow(tracker, deer, max_frames=5)) == 1 and len(tracker.greys) == 5


def test_mean_movement():
    assert response_figure.mean_movement([make_update(30, 0.1), make_update(60, 0.3)]) == pytest.approx(0.2)
    assert response_figure.mean_movement([]) == 0


def test_example_is_what_moved_most():
    updates = [make_update(30, 0.1), make_update(60, -0.3), make_update(90, 0.2)]
    example = response_figure.pick_example("Deer", updates)
    assert (example.name, example.frame, example.moved) == ("Deer", 60, pytest.approx(0.45))
    assert np.all(example.z == 20)
    np.testing.assert_array_equal(example.before, updates[1].unadapted[2])
    np.testing.assert_array_equal(example.after, updates[1].adapted[2])


def test_title_names_the_gain_there_is():
    updates = [make_update(30, 0.1)]
    assert response_figure.pick_example("Deer", updates).title == "Deer, after 30"
    assert response_figure.pick_example("Deer", updates, -0.0447).title == "Deer -.045\nafter frame 30"


def make_examples(count):
    return [response_figure.pick_example(f"S{n}", [make_update(30, 0.1 * (n + 1))]) for n in range(count)]


def test_figure_6():
    examples = make_examples(8)
    figure = response_figure.draw_responses(examples)
    grid = np.array(figure.axes[:-1]).reshape(6, 6)
    assert [axes.get_ylabel() for axes in grid[:, 0]] == ["context z", "before", "after"] * 2
    assert [axes.get_title() for axes in grid[3]] == ["S6, after 30", "S7, after 30", *[""] * 4]
    maps = np.stack([response for example in examples for response in (example.before, example.after)])
    for position, example in enumerate(examples):
        block, column = divmod(position, 6)
        z, before, after = (axes.images[0] for axes in grid[3 * block : 3 * block + 3, column])
        np.testing.assert_array_equal(z.get_array(), example.z)
        np.testing.assert_allclose(before.get_array(), example.before)
        np.testing.assert_allclose(after.get_array(), example.after)
        assert before.get_clim() == after.get_clim() == pytest.approx((maps.min(), maps.max()))
    assert not grid[5, 2].images
    assert len(response_figure.draw_responses(examples[:1]).axes) == 4


def test_bar_explains_colours_that_rise_in_lightness():
    figure = response_figure.draw_responses(make_examples(2))
    bar, after = figure.axes[-1], figure.axes[-2].images[0]
    assert bar.get_ylabel() == "similarity (mean cosine)" and bar.get_ylim() == pytest.approx(after.get_clim())
    lightness = after.get_cmap()(np.linspace(0, 1, 64))[:, :3] @ [0.299, 0.587, 0.114]
    assert np.all(np.diff(lightness) > 0)


@pytest.mark.parametrize(("page", "columns"), [("column", 3), ("page", 6)])
def test_columns_of_print(page, columns):
    page = figure_style.PAGES[page]
    figure = response_figure.draw_responses(make_examples(8), page)
    assert figure.axes[0].get_gridspec().ncols == columns and figure.get_figwidth() == page.width
    assert figure.axes[0].get_title() == "S0\nafter 30"
