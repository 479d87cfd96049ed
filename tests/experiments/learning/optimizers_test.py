"""Tests of the optimizers."""

import numpy as np
import pytest

from experiments.learning import optimizers
from mlt_tf.errors import InputError


def test_constant_schedule_is_the_rate_itself():
    rate = optimizers.make_schedule("constant", 3e-4, 100, 0)
    values = [float(rate(step)) if callable(rate) else rate for step in (0, 50, 100, 1000)]
    np.testing.assert_allclose(values, 3e-4, rtol=1e-6)


def test_cosine_falls_from_the_rate_to_zero():
    rate = optimizers.make_schedule("cosine", 0.2, 100, 0)
    steps = np.array([0, 25, 50, 75, 100])
    expected = 0.1 * (1 + np.cos(np.pi * steps / 100))
    np.testing.assert_allclose([float(rate(step)) for step in steps], expected, atol=1e-7)


def test_cosine_warms_up_linearly_first():
    rate = optimizers.make_schedule("cosine", 0.2, 120, 20)
    values = np.array([float(rate(step)) for step in range(121)])
    np.testing.assert_allclose(values[:21], np.linspace(0.2 / 50, 0.2, 21), rtol=1e-5)
    np.testing.assert_allclose(values[20:], 0.1 * (1 + np.cos(np.pi * np.arange(101) / 100)), atol=1e-7)


def test_warm_up_goes_with_cosine_only():
    with pytest.raises(InputError, match="--warmup goes with --schedule=cosine only"):
        optimizers.make_schedule("constant", 0.1, 100, 5)


def test_later_begins_some_steps_in():
    inner = optimizers.make_schedule("cosine", 0.2, 100, 0)
    later = optimizers.Later(inner, 30)
    assert float(later(20)) == pytest.approx(float(inner(50))) and float(later(20)) < 0.15
