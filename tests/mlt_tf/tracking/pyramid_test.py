"""Tests of the scales at which targets are searched for."""

import numpy as np
import pytest

from mlt_tf.config import PYRAMIDS, TrackerConfig
from mlt_tf.tracking import pyramid


@pytest.mark.parametrize("kind", PYRAMIDS)
def test_targets_are_as_large_as_before_smaller_and_larger(kind):
    made = pyramid.make(TrackerConfig(pyramid=kind, scale_step=1.25))
    sizes, _ = zip(*made.matches())
    np.testing.assert_allclose([*sizes, *made.patches], [1, 0.8, 1.25])
    assert len(made.contexts) * len(made.exemplars) + len(made.patches) == 3


def test_contexts_are_of_three_sizes_or_exemplars_are():
    contexts, exemplars = (pyramid.make(TrackerConfig(pyramid=kind)) for kind in ("contexts", "exemplars"))
    assert [side for _, side in contexts.matches()] == [1, 1 / 1.035, 1.035] == list(contexts.contexts)
    assert [side for _, side in exemplars.matches()] == [1, 1, 1] and exemplars.contexts == (1.0,)
    np.testing.assert_allclose(exemplars.exemplars, [1, 1.035, 1 / 1.035])  # Cut closer, it is of a grown target.


def test_matches_name_the_contexts_of_the_first_exemplar_first():
    assert pyramid.Pyramid((1.0, 3.0), (1.0, 2.0)).matches() == [(1, 1), (3, 3), (0.5, 1), (1.5, 3)]


@pytest.mark.parametrize("near, exemplars", [(False, 1), (True, 3)])
def test_searches_near_by_have_exemplars_for_patches_and_states_hold_those(near, exemplars):
    settings = TrackerConfig(pyramid="patches", near=near)
    assert pyramid.make(settings, near=True) == pyramid.make(TrackerConfig(pyramid="exemplars"))
    assert len(pyramid.of_state(settings).exemplars) == exemplars
    for kind in ("contexts", "exemplars"):
        assert pyramid.make(TrackerConfig(pyramid=kind), near=True) == pyramid.make(TrackerConfig(pyramid=kind))
