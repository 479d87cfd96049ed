"""How toolkits turn boxes into scores: each benchmark's own way, and the ones that others use instead.

Published numbers for the same boxes differ by up to .01, because toolkits differ in the thresholds, in `>` or `>=`, in
which ground truth counts and in what becomes of frames without a target. A Protocol writes these choices down.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

# One threshold in 21 differs in its last bit between these two, and overlaps are often exactly a threshold.
THRESHOLDS_21 = tuple(np.linspace(0, 1, 21).tolist())
THRESHOLDS_21_OF_TWENTIETHS = tuple((np.arange(21) / 20).tolist())
THRESHOLDS_101 = tuple(np.linspace(0, 1, 101).tolist())

TRUTH_RULES = ("positive", "sized", "centred", "finite")
ABSENT_RULES = ("scored", "missed")
LEFT_OUT_KINDS = frozenset({"first", "absent", "invalid", "nan"})


@dataclasses.dataclass(frozen=True)
class Protocol:
    """The choices that a score depends on; the defaults are OTB's.

    Which ground truth counts is one of, in the benchmark's 1-based pixels: "positive" (x, y, w, h all > 0), "sized"
    (w, h > 0), "centred" (both coordinates of the centre > 0), "finite" (all that is no NaN). Frames with other ground
    truth are invalid.

    Attributes:
      name: For tables.
      thresholds: Of overlap; AUC is the mean of the success curve over them.
      strict: A frame is a success if its overlap is > the threshold; if not strict, >=.
      plus_one: Overlaps are of boxes a pixel wider and higher, as where x + w is taken for the last pixel.
      success_truth: Which ground truth counts in success; an invalid frame is a miss.
      precision_truth: Which ground truth counts in precision and normalised precision.
      invalid_error: The centre error of an invalid frame: -1, so that it is a hit, or infinity, a miss.
      invalid_normalised_error: The same for the normalised error.
      absent: Frames marked absent are "scored" like others, or "missed": never a hit, but divided by.
      left_out: Frames of these kinds are neither hit nor divided by: the "first", the "absent", those "invalid" in
        success, those whose ground truth has a "nan".
      first_is_truth: The first result box is replaced with the ground truth.
      repeat_bad: A result row with NaN or without area is replaced with the last good one before it.
      normalised: Whether normalised precision is defined: errors in units of the ground truth's w and h, thresholds 0,
        0.01, ... 0.5; quoted at 0.2.
      smallest_unit: Sizes below it count as this in normalised precision.
    """

    name: str
    thresholds: tuple[float, ...] = THRESHOLDS_21
    strict: bool = True
    plus_one: bool = False
    success_truth: str = "positive"
    precision_truth: str = "positive"
    invalid_error: float = -1.0
    invalid_normalised_error: float = -1.0
    absent: str = "scored"
    left_out: frozenset[str] = frozenset()
    first_is_truth: bool = True
    repeat_bad: bool = True
    normalised: bool = False
    smallest_unit: float = 0.0

    def __post_init__(self) -> None:
        """Refuses a choice that does not exist."""
        for field, rules in (
            ("success_truth", TRUTH_RULES),
            ("precision_truth", TRUTH_RULES),
            ("absent", ABSENT_RULES),
        ):
            if getattr(self, field) not in rules:
                raise ValueError(f"{field}={getattr(self, field)!r}: choose from {', '.join(rules)}")
        if unknown := self.left_out - LEFT_OUT_KINDS:
            raise ValueError(f"left_out={sorted(unknown)}: choose from {', '.join(sorted(LEFT_OUT_KINDS))}")


# The benchmarks' own.
OTB = Protocol("OTB")
TC128 = dataclasses.replace(OTB, name="TC128")
# UAV20L's frames without a visible target have NaN as ground truth; the benchmark's code, OTB's, counts them: as misses
# in success and, by their error of -1, as hits in precision.
UAV = dataclasses.replace(OTB, name="UAV")
# Absent frames are dropped before scoring, and what is left is divided by the number of all frames.
LASOT = dataclasses.replace(OTB, name="LASOT", absent="missed", normalised=True)

# Other toolkits'.
JWLIM = dataclasses.replace(OTB, name="JWLIM", thresholds=THRESHOLDS_21_OF_TWENTIETHS)  # OTB's authors' Python.
GOT10K = Protocol(
    "GOT10K",
    success_truth="finite",
    precision_truth="finite",
    left_out=frozenset({"nan"}),
    repeat_bad=False,
    normalised=True,
    smallest_unit=1.0,
)
PYSOT = Protocol(
    "PYSOT",
    success_truth="sized",
    precision_truth="centred",
    absent="missed",
    first_is_truth=False,
    repeat_bad=False,
    normalised=True,
)
PYTRACKING = Protocol("PYTRACKING", invalid_error=np.inf, absent="missed", normalised=True)

# What a single choice makes of it.
T101 = dataclasses.replace(GOT10K, name="T101", thresholds=THRESHOLDS_101)
GE21 = dataclasses.replace(GOT10K, name="GE21", thresholds=THRESHOLDS_21_OF_TWENTIETHS, strict=False)
LASOT_T101 = dataclasses.replace(LASOT, name="LASOT_T101", thresholds=THRESHOLDS_101)
LASOT_WITHOUT_ABSENT = dataclasses.replace(LASOT, name="LASOT_WITHOUT_ABSENT", left_out=frozenset({"absent"}))
PYTRACKING_VALID = dataclasses.replace(PYTRACKING, name="PYTRACKING_VALID", left_out=frozenset({"absent", "invalid"}))
FIRST_AS_WRITTEN = dataclasses.replace(GOT10K, name="FIRST_AS_WRITTEN", first_is_truth=False)

PROTOCOLS: Mapping[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        *(OTB, TC128, UAV, LASOT),
        *(JWLIM, GOT10K, PYSOT, PYTRACKING),
        *(T101, GE21, LASOT_T101, LASOT_WITHOUT_ABSENT, PYTRACKING_VALID, FIRST_AS_WRITTEN),
    )
}
