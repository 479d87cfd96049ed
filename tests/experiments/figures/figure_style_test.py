"""The trackers' looks, and figures in files."""

import cv2
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from experiments.figures import figure_style
from mlt_tf.errors import InputError


def test_boxes_have_the_papers_colours():
    looks = figure_style.styles(["SiamFC", "SRDCF", "HDT", "CNN-SVM", "DSST", "mlt"])
    wanted = {"SiamFC": "lime", "SRDCF": "blue", "HDT": "cyan", "CNN-SVM": "yellow", "DSST": "violet", "mlt": "red"}
    assert {tracker: to_rgb(look.box) for tracker, look in looks.items()} == {t: to_rgb(c) for t, c in wanted.items()}
    assert looks["mlt"].label == "MLT"
    assert figure_style.styles(["SiamFC-3s"])["SiamFC-3s"].box == looks["SiamFC"].box


def test_no_two_trackers_look_alike():
    known = ["SiamFC", "SRDCF", "HDT", "CNN-SVM", "DSST", "mlt", "mlt_mt", "mlt_mt_ft", "opencv_mil"]
    looks = figure_style.styles([*known, *(f"T{n}" for n in range(20))])
    assert len({(look.dashes, look.marker) for look in looks.values()}) == 29  # Without colour.
    assert len({look.box for look in figure_style.styles([*known, *"ABCDEFGH"]).values()}) == 17
    assert looks["T3"].label == "T3"


def test_curves_show_on_white():
    known = ["SiamFC", "SRDCF", "HDT", "CNN-SVM", "DSST", "mlt", "mlt_mt", "mlt_mt_ft", "opencv_mil", *"ABCDEFGH"]
    for tracker, look in figure_style.styles(known).items():
        assert np.dot(to_rgb(look.line), [0.299, 0.587, 0.114]) < 0.66, tracker


@pytest.mark.parametrize(("width", "inches"), [("column", 3.25), ("page", 6.875)])
def test_print_is_as_wide_as_its_page(tmp_path, width, inches):
    page = figure_style.PAGES[width]
    figure = Figure(figsize=(page.width, 1), layout="constrained")
    figure.subplots().set_xlabel("overlap")
    png, pdf = figure_style.save(figure, tmp_path, "figure9", page)
    assert cv2.imread(str(png)).shape[1] == int(300 * inches)
    assert f"/MediaBox [ 0 0 {inches * 72:g} 72 ]".encode() in pdf.read_bytes()


def test_fonts_are_embedded_as_truetype(tmp_path):
    figure = Figure(figsize=(2, 1))
    figure.subplots().set_title("overlap")
    _, pdf = figure_style.save(figure, tmp_path, "figure9")
    content = pdf.read_bytes()
    assert b"/Subtype /Type0" in content and b"/FontFile2" in content  # Type 42 in a PDF.
    assert b"/Type3" not in content


def test_figure_is_saved_twice(tmp_path):
    figure = Figure(figsize=(2, 1))
    figure.subplots()
    png, pdf = figure_style.save(figure, tmp_path / "new", "figure9")
    assert (png.name, pdf.name) == ("figure9.png", "figure9.pdf")
    assert cv2.imread(str(png)).shape[1] > 200 and pdf.read_bytes().startswith(b"%PDF")
    assert figure_style.as_png(figure).startswith(b"\x89PNG")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot write .*file: .*; make room or choose another --out"):
        figure_style.save(figure, tmp_path / "file", "figure9")
