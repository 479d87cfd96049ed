"""What all figures share: the trackers' names and colours, and how a figure gets into files."""

import io
import pathlib
from collections.abc import Iterable
from typing import NamedTuple

from matplotlib.figure import Figure

from mlt_tf import files
from mlt_tf.errors import InputError


class Style(NamedTuple):
    """How a tracker looks.

    Attributes:
      label: Its name for a reader.
      box: Colour of its boxes on frames.
      line: Colour of its curves on white.
      dashes: Its curves' line style.
      width: Its curves' width in points.
    """

    label: str
    box: str
    line: str
    dashes: str = "-"
    width: float = 1.4


# The colours of boxes are Fig. 5's. Curves have the same hues, dark enough for white paper.
_KNOWN = {
    "siamfc": Style("SiamFC", "#00ff00", "#1a9a1a"),
    "siamfc-3s": Style("SiamFC-3s", "#00ff00", "#1a9a1a"),
    "srdcf": Style("SRDCF", "#0000ff", "#0000ff"),
    "hdt": Style("HDT", "#00ffff", "#00a9bd"),
    "cnn-svm": Style("CNN-SVM", "#ffff00", "#c9a800"),
    "dsst": Style("DSST", "#ee82ee", "#b44fd0"),
    "mlt": Style("MLT", "#ff0000", "#ff0000", width=2.6),
    "mlt_mt": Style("MLT-mt", "#ff8c00", "#e07000", "--", 1.8),
    "mlt_mt_ft": Style("MLT-mt+ft", "#a0522d", "#8b4513", ":", 2.2),
    "opencv_mil": Style("OpenCV MIL", "#b0b0b0", "#808080", "-."),
}
PAPERS = ("siamfc", "siamfc-3s", "srdcf", "hdt", "cnn-svm", "dsst", "mlt")  # The trackers of Fig. 5.
# In turn for all others; when they are used up, again with dashes.
_OTHERS = ("#ff69b4", "#17807e", "#000000", "#6b8e23", "#191970", "#cd853f", "#7b68ee", "#b22222")
_OTHER_DASHES = ("-", "--", "-.", ":")


def styles(trackers: Iterable[str]) -> dict[str, Style]:
    """Gives each tracker its looks: known ones their own, others the next of a fixed list, in the order given."""
    found, others = {}, 0
    for tracker in trackers:
        known = _KNOWN.get(tracker.lower())
        if known is None:
            colour = _OTHERS[others % len(_OTHERS)]
            known = Style(tracker, colour, colour, _OTHER_DASHES[others // len(_OTHERS) % len(_OTHER_DASHES)])
            others += 1
        found[tracker] = known
    return found


def drawn_last(tracker: str) -> bool:
    """Sorts MLT behind all others, so that it is drawn over them."""
    return tracker.lower() == "mlt"


def save(figure: Figure, folder: pathlib.Path, name: str) -> list[pathlib.Path]:
    """Writes a figure as `<name>.png` and `<name>.pdf`.

    Raises:
      InputError: The folder cannot be written to.
    """
    paths = [folder / f"{name}.{kind}" for kind in ("png", "pdf")]
    try:
        with files.whole(*paths) as partial:
            for path in partial:
                figure.savefig(path, dpi=150, bbox_inches="tight", pad_inches=0.08)
    except OSError as error:
        raise InputError(f"--out={folder}: cannot be written to ({error.strerror}); give another folder") from error
    return paths


def as_png(figure: Figure, dpi: int = 130) -> bytes:
    """Returns a figure as the bytes of a PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, bbox_inches="tight", pad_inches=0.05)
    return buffer.getvalue()
