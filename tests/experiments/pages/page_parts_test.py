"""Tables, pictures and plots as HTML."""

import base64
import re

import numpy as np
import pytest

from experiments.figures import figure_style
from experiments.pages import page_parts

LOOKS = figure_style.styles(["mlt", "DSST"])


def test_table_escapes_and_carries_values():
    rows = [
        [page_parts.Cell("<b>", 'x"y'), page_parts.number(0.12345)],
        [page_parts.Cell("c", "c"), page_parts.number(None)],
    ]
    made = page_parts.table(["name", "A&B"], rows, "scores")
    assert "<b>" not in made and "&lt;b&gt;" in made and 'data-value="x&quot;y"' in made and "A&amp;B" in made
    assert '<td data-value="0.12345">0.123</td>' in made and '<td data-value="-1">-</td>' in made
    assert made.count("<tr>") == 3 and 'id="scores"' in made


def test_number():
    assert page_parts.number(39.12, 1) == ("39.1", "39.12", "")
    assert page_parts.number(0.5, kind="best") == ("0.500", "0.5", "best")


def test_image_is_in_the_page():
    made = page_parts.image(b"\x00\x01", "image/png", 'a "b"')
    assert made == f'<img alt="a &quot;b&quot;" src="data:image/png;base64,{base64.b64encode(bytes([0, 1])).decode()}">'


def test_key_has_every_tracker():
    made = page_parts.key(LOOKS, "box", truth="#ffffff")
    assert re.findall(r"background:(#\w+)", made) == ["#ff0000", "#ee82ee", "#ffffff"]
    assert re.findall(r"</i>([^<]+)", made) == ["MLT", "DSST", "truth"]


def test_thinned_lines_keep_their_means_and_gaps():
    values = np.arange(600.0)
    thin = page_parts.thinned(values, 100)
    assert len(thin) == 100 and thin[0] == pytest.approx(2.5) and thin.mean() == pytest.approx(values.mean())
    values[6:12], values[13] = np.nan, np.nan
    thin = page_parts.thinned(values, 100)
    assert (
        np.isnan(thin[1]) and thin[2] == pytest.approx(np.mean([12, 14, 15, 16, 17])) and not np.isnan(thin[3:]).any()
    )
    np.testing.assert_array_equal(page_parts.thinned(np.arange(7.0), 100), np.arange(7))


def test_overlap_plot_draws_the_focus_last_and_breaks_at_nan():
    overlaps = {"mlt": np.array([1.0, 0.5, np.nan, 0.5, 0.0]), "DSST": np.zeros(5)}
    made = page_parts.overlap_plot(overlaps, LOOKS, "mlt", "five frames")
    paths = re.findall(r'<path d="([^"]+)".*?stroke="(#\w+)" stroke-width="([\d.]+)"', made)
    assert [colour for _, colour, _ in paths] == [LOOKS["DSST"].line, "#ff0000"]
    assert float(paths[1][2]) > float(paths[0][2])
    assert paths[1][0] == "M0.0 4.0L80.0 48.0M240.0 48.0L320.0 92.0"
    assert 'aria-label="five frames"' in made and "xmlns" not in made
    assert page_parts.overlap_plot({"mlt": np.array([1.0])}, LOOKS, "mlt", "one").count("<path") == 1
