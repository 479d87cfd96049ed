"""Tests that the defaults are the paper's and that wrong settings are refused."""

import dataclasses

import numpy as np
import pytest

from mlt_tf import config
from mlt_tf.config import TrackerConfig
from mlt_tf.errors import InputError


def test_defaults_are_those_of_the_paper():
    settings = TrackerConfig()
    # Sec. 4.1
    assert (settings.scale_step, settings.scale_damping) == (1.035, 0.59)
    assert (settings.window_influence, settings.tau, settings.update_interval) == (0.25, 0.5, 30)
    assert settings.samples == 8  # Sec. 3.2.2
    assert (settings.pyramid, settings.growth) == ("contexts", 1.0)
    # Sec. 4.2.1
    assert (settings.finetune_interval, settings.finetune_steps, settings.finetune_rate) == (50, 30, 1e-3)


def test_sizes_are_those_of_the_paper():
    assert (config.EXEMPLAR_SIZE, config.CONTEXT_SIZE, config.RESPONSE_CELLS) == (127, 255, 17)
    assert (config.TRUNK_CHANNELS, config.MATCHING_CHANNELS, config.TARGET_CHANNELS) == (256, 192, 32)
    assert config.BASELINE_CHANNELS == 224


def test_replace_changes_a_copy():
    settings = TrackerConfig()
    changed = settings.replace(tau=0.25, samples=4, keep_first=False, pyramid="exemplars")
    assert dataclasses.asdict(settings) == dataclasses.asdict(TrackerConfig())
    expected = {**dataclasses.asdict(settings), "tau": 0.25, "samples": 4, "keep_first": False, "pyramid": "exemplars"}
    assert dataclasses.asdict(changed) == expected


def test_whole_numbers_serve_as_floats():
    settings = TrackerConfig().replace(tau=1)
    assert settings.tau == 1.0 and type(settings.tau) is float


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(InputError, match="unknown tracker setting 'taw'.*scale_step.*tau"):
        TrackerConfig().replace(taw=0.5)


def test_setting_that_is_gone_says_so():
    with pytest.raises(InputError, match="'penalise' is gone after commit 171a062: .*; leave it out"):
        TrackerConfig().replace(penalise="similarity")


@pytest.mark.parametrize(
    "name, value",
    [
        ("tau", "0.5"),
        ("tau", None),
        ("tau", True),
        ("tau", [0.5]),
        ("samples", 8.0),
        ("samples", True),
        ("samples", np.int64(8)),
        ("keep_first", 1),
        ("keep_first", "no"),
        ("pyramid", None),
        ("pyramid", 3),
    ],
)
def test_wrong_type_names_setting_and_type(name, value):
    expected = type(getattr(TrackerConfig(), name)).__name__
    with pytest.raises(InputError, match=f"{name}=.*expected {expected}"):
        TrackerConfig().replace(**{name: value})


@pytest.mark.parametrize(
    "name, value",
    [
        ("update_interval", 0),
        ("samples", 0),
        ("memory", -1),
        ("finetune_interval", 0),
        ("finetune_steps", 0),
        ("pyramid", "images"),
        ("label_radius", -1.0),
        ("scale_step", 1.0),
        ("scale_step", 0.9),
        ("growth", 0.0),
        ("unadapted_share", -0.1),
        ("unadapted_share", 1.0),
        ("window_influence", -0.1),
        ("window_influence", 1.1),
    ],
)
def test_impossible_value_is_refused_in_one_line(name, value):
    for make in (TrackerConfig().replace, TrackerConfig):
        with pytest.raises(InputError, match=name) as caught:
            make(**{name: value})
        assert "\n" not in str(caught.value)


def test_settings_cannot_be_changed_in_place():
    with pytest.raises(dataclasses.FrozenInstanceError):
        TrackerConfig().tau = 0.1
