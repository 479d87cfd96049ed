"""What the paper prints in its Tables 1 and 2, and which of our data sets and variants its rows and columns are.

Choi, Kwon, Lee, "Deep Meta Learning for Real-Time Target-Aware Visual Tracking", ICCV 2019.
"""

from collections.abc import Mapping
from typing import NamedTuple

PAPER = "Choi, Kwon, Lee, Deep Meta Learning for Real-Time Target-Aware Visual Tracking, ICCV 2019"


class PaperTable(NamedTuple):
    """A table of the paper: its figures by (row, column), those that it leaves blank left out; and remarks on it."""

    caption: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    figures: Mapping[tuple[str, str], float]
    notes: tuple[str, ...]


DATASETS: Mapping[str, str] = {
    "OTB-2015": "otb2015",
    "OTB-2013": "otb2013",
    "LaSOT I": "lasot_protocol_1",
    "LaSOT II": "lasot_protocol_2",
    "TC-128": "tc128",
    "UAV20L": "uav20l",
}
VARIANTS: Mapping[str, str] = {"MLT": "mlt", "MLT-mt": "mlt_mt", "MLT-mt+ft": "mlt_mt_ft"}
FPS = "FPS"
FPS_DATASET = "OTB-2015"  # The paper's speed is the mean over its videos.
# The experiment of the VOT toolkit, and its figure.
VOT: Mapping[str, tuple[str, str]] = {
    "VOT-2016 baseline": ("baseline", "accuracy"),
    "VOT-2016 unsupervised": ("unsupervised", "overlap"),
}

# Folders of published raw results that a column may be scored from, the first that is there. The paper's figures are
# those of CFNet's conv5 on OTB-2015 and of its conv2 on OTB-2013.
_RAW_FOLDERS: Mapping[str, tuple[str, ...]] = {"SiamFC": ("SiamFC-3s", "SiamFC")}
_RAW_FOLDERS_ON: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("CFNet", "OTB-2015"): ("CFNet-conv5", "CFNet"),
    ("CFNet", "OTB-2013"): ("CFNet-conv2", "CFNet"),
}


def raw_folders(tracker: str, dataset: str) -> tuple[str, ...]:
    """Names the folders of raw results that a column of Table 1 may be scored from on a data set, a row of it."""
    return _RAW_FOLDERS_ON.get((tracker, dataset)) or _RAW_FOLDERS.get(tracker, (tracker,))


def _table(
    caption: str, columns: tuple[str, ...], rows: Mapping[str, tuple[float | None, ...]], *notes: str
) -> PaperTable:
    pairs = {(row, column): value for row in rows for column, value in zip(columns, rows[row], strict=True)}
    figures = {place: value for place, value in pairs.items() if value is not None}
    return PaperTable(caption, tuple(rows), columns, figures, notes)


TABLES: Mapping[str, PaperTable] = {
    "1": _table(
        "Success AUC of one-pass evaluation, and speed",
        ("MLT", "SiamFC", "StructSiam", "DSiam", "CFNet", "SINT", "SRDCF", "PTAV", "ECO-HC", "STAPLE_CA", "BACF")
        + ("DSST", "HDT"),
        {
            "OTB-2015": (0.611, 0.582, 0.621, None, 0.586, 0.580, 0.598, 0.635, 0.643, 0.598, 0.630, 0.520, 0.564),
            "OTB-2013": (0.621, 0.607, 0.638, 0.642, 0.611, 0.635, 0.626, 0.663, 0.652, 0.621, 0.678, 0.554, 0.603),
            "LaSOT I": (0.368, 0.358, 0.356, 0.353, 0.296, 0.339, 0.339, 0.269, 0.311, 0.262, 0.277, 0.233, None),
            "LaSOT II": (0.345, 0.336, 0.335, 0.333, 0.275, 0.314, 0.314, 0.250, 0.304, 0.238, 0.259, 0.207, None),
            FPS: (48, 58, 45, 45, 43, 4, 5, 25, 60, 35, 35, 24, 10),
        },
        "the paper's FPS: on a GTX TITAN X (Maxwell), MLT's the mean over the videos of OTB-2015",
        "the paper's LaSOT II: the text at hand prints 12 values for 13 columns; they are read from the left, so that "
        "HDT's is the blank one",
    ),
    "2": _table(
        "Success AUC of one-pass evaluation; for VOT-2016 overlap in the A-R ranking (baseline) and mean overlap "
        "(unsupervised)",
        (*DATASETS, *VOT),
        {
            "MLT": (0.611, 0.621, 0.368, 0.345, 0.498, 0.435, 0.537, 0.421),
            "MLT-mt": (0.564, 0.571, 0.357, 0.330, 0.477, 0.366, 0.514, 0.412),
            "MLT-mt+ft": (0.523, 0.510, 0.331, 0.305, 0.419, 0.342, 0.517, 0.411),
        },
    ),
}
