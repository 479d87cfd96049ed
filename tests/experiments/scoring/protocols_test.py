"""What the named protocols say, and that a choice that does not exist is refused."""

import dataclasses

import numpy as np
import pytest

from experiments.scoring import protocols
from experiments.scoring.protocols import Protocol


def differences(protocol, other):
    """Returns the fields, but for the name, in which two protocols differ."""
    fields = [field.name for field in dataclasses.fields(Protocol) if field.name != "name"]
    return {field for field in fields if getattr(protocol, field) != getattr(other, field)}


@pytest.mark.parametrize(
    ("protocol", "other", "expected"),
    [
        (protocols.TC128, protocols.OTB, set()),
        (protocols.UAV, protocols.OTB, set()),
        (protocols.LASOT, protocols.OTB, {"absent", "normalised"}),
        (protocols.JWLIM, protocols.OTB, {"thresholds"}),
        (
            protocols.PYSOT,
            protocols.LASOT,
            {"success_truth", "precision_truth", "first_is_truth", "repeat_bad"},
        ),
        (
            protocols.GOT10K,
            protocols.OTB,
            {"success_truth", "precision_truth", "left_out", "repeat_bad", "normalised", "smallest_unit"},
        ),
        (protocols.T101, protocols.GOT10K, {"thresholds"}),
        (protocols.GE21, protocols.GOT10K, {"thresholds", "strict"}),
        (protocols.FIRST_AS_WRITTEN, protocols.GOT10K, {"first_is_truth"}),
        (protocols.LASOT_T101, protocols.LASOT, {"thresholds"}),
        (protocols.LASOT_WITHOUT_ABSENT, protocols.LASOT, {"left_out"}),
        (protocols.PYTRACKING, protocols.LASOT, {"invalid_error"}),
        (protocols.PYTRACKING_VALID, protocols.PYTRACKING, {"left_out"}),
    ],
)
def test_how_protocols_differ(protocol, other, expected):
    assert differences(protocol, other) == expected


def test_thresholds_are_those_of_the_toolkits_to_the_last_bit():
    linspace, twentieths = np.array(protocols.THRESHOLDS_21), np.array(protocols.THRESHOLDS_21_OF_TWENTIETHS)
    np.testing.assert_array_equal(linspace, np.linspace(0, 1, 21))
    np.testing.assert_array_equal(twentieths, [k / 20 for k in range(21)])
    np.testing.assert_allclose(linspace, twentieths, atol=1e-15)
    assert np.any(linspace != twentieths)
    np.testing.assert_array_equal(protocols.THRESHOLDS_101, np.linspace(0, 1, 101))
    np.testing.assert_array_equal(protocols.PYSOT.thresholds, np.arange(0, 1.05, 0.05))


def test_which_ground_truth_toolkits_count():
    rules = {name: (protocol.success_truth, protocol.precision_truth) for name, protocol in protocols.PROTOCOLS.items()}
    assert rules["PYSOT"] == ("sized", "centred")
    assert rules["GOT10K"] == ("finite", "finite")
    assert rules["OTB"] == rules["LASOT"] == rules["PYTRACKING"] == ("positive", "positive")


def test_names_are_keys():
    assert {"OTB", "LASOT", "UAV", "TC128", "GOT10K", "T101", "GE21", "JWLIM", "PYSOT", "PYTRACKING"} <= set(
        protocols.PROTOCOLS
    )
    assert all(protocol.name == name for name, protocol in protocols.PROTOCOLS.items())


@pytest.mark.parametrize(
    "choice",
    [{"success_truth": "any"}, {"precision_truth": "any"}, {"absent": "hit"}, {"left_out": frozenset({"last"})}],
)
def test_an_unknown_choice_is_refused(choice):
    with pytest.raises(ValueError, match="choose from"):
        Protocol("MINE", **choice)
