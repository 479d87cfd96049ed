"""What all figures share: the trackers' names and looks, sizes for screen and print, and how they get into files."""

import io
import itertools
import logging
import pathlib
from collections.abc import Iterable
from typing import NamedTuple

import matplotlib
from matplotlib.figure import Figure

from experiments.shared import output
from mlt_tf import files


class Style(NamedTuple):
    """How a tracker looks.

    Attributes:
      label: Its name for a reader.
      box: Colour of its boxes on frames.
      line: Colour of its curves on white.
      dashes: Its curves' line style.
      width: Its curves' width in points.
      marker: Of its curves, some way apart. No two trackers have both its dashes and its marker, whatever the colour.
    """

    label: str
    box: str
    line: str
    dashes: str = "-"
    width: float = 1.4
    marker: str = ""


class Page(NamedTuple):
    """How wide a figure is, and how large its letters are.

    Attributes:
      width: Inches; None: as wide as what it shows wants.
      head: Points of the figure's title.
      title: Points of a panel's title.
      text: Points of labels and ticks.
      small: Points of legends.
      lines: Of the width that lines have on a screen.
    """

    width: float | None
    head: float
    title: float
    text: float
    small: float
    lines: float = 1.0


SCREEN = Page(None, 13, 11, 10, 9)
# The column and the text of two columns of CVPR's and ICCV's style files.
PAGES = {"column": Page(3.25, 8, 7.5, 7, 6.5, 0.65), "page": Page(6.875, 9, 8, 7, 6.5, 0.65)}
_FONTS = {"pdf.fonttype": 42, "ps.fonttype": 42}  # TrueType, which publishers take; Type 3, the default, they do not.

# The colours of boxes are Fig. 5's. Curves have the same hues, dark enough for white paper.
_KNOWN = {
    "siamfc": Style("SiamFC", "#00ff00", "#1a9a1a", "--"),
    "siamfc-3s": Style("SiamFC-3s", "#00ff00", "#1a9a1a", "--", marker="o"),
    "srdcf": Style("SRDCF", "#0000ff", "#0000ff", "-", marker="s"),
    "hdt": Style("HDT", "#00ffff", "#00a9bd", "-.", marker="^"),
    "cnn-svm": Style("CNN-SVM", "#ffff00", "#c9a800", "-", marker="v"),
    "dsst": Style("DSST", "#ee82ee", "#b44fd0", "-", marker="D"),
    "mlt": Style("MLT", "#ff0000", "#ff0000", width=2.6),
    "mlt_mt": Style("MLT-mt", "#ff8c00", "#e07000", "--", 1.8, "x"),
    "mlt_mt_ft": Style("MLT-mt+ft", "#a0522d", "#8b4513", ":", 2.2),
    "opencv_mil": Style("OpenCV MIL", "#b0b0b0", "#808080", "-."),
}
PAPERS = ("siamfc", "siamfc-3s", "srdcf", "hdt", "cnn-svm", "dsst", "mlt")  # The trackers of Fig. 5.
# In turn for all others, with the dashes and markers that no known one has.
_OTHERS = ("#ff69b4", "#17807e", "#000000", "#6b8e23", "#191970", "#cd853f", "#7b68ee", "#b22222")
_TAKEN = {(look.dashes, look.marker) for look in _KNOWN.values()}
_OTHER_LINES = [
    line
    for line in itertools.product(("-", "--", "-.", ":"), ("P", "o", "s", "^", "v", "D", "x"))
    if line not in _TAKEN
]


def styles(trackers: Iterable[str]) -> dict[str, Style]:
    """Gives each tracker its looks: known ones their own, others the next of a fixed list, in the order given."""
    found, others = {}, 0
    for tracker in trackers:
        known = _KNOWN.get(tracker.lower())
        if known is None:
            colour = _OTHERS[others % len(_OTHERS)]
            dashes, marker = _OTHER_LINES[others % len(_OTHER_LINES)]
            known = Style(tracker, colour, colour, dashes, marker=marker)
            others += 1
        found[tracker] = known
    return found


def drawn_last(tracker: str) -> bool:
    """Sorts MLT behind all others, so that it is drawn over them."""
    return tracker.lower() == "mlt"


def save(figure: Figure, folder: pathlib.Path, name: str, page: Page = SCREEN) -> list[pathlib.Path]:
    """Writes a figure as `<name>.png` and `<name>.pdf`, exactly as wide as the page says.

    Raises:
      InputError: The folder cannot be written to.
    """
    paths = [folder / f"{name}.{kind}" for kind in ("png", "pdf")]
    logging.getLogger("fontTools").setLevel(logging.WARNING)  # It tells of every table that it leaves out.
    cut = {"bbox_inches": "tight", "pad_inches": 0.08} if page.width is None else {}
    with output.writing(folder, "--out"), files.whole(*paths) as partial, matplotlib.rc_context(_FONTS):
        for path in partial:
            figure.savefig(path, dpi=150 if page.width is None else 300, **cut)
    return paths


def as_png(figure: Figure, dpi: int = 130) -> bytes:
    """Returns a figure as the bytes of a PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, bbox_inches="tight", pad_inches=0.05)
    return buffer.getvalue()
