"""Tests of what a tracker is loaded from, where flags do not go together; what fits is tested with the trackers."""

import pytest

from mlt_tf import loading
from mlt_tf.errors import InputError


@pytest.mark.parametrize(
    ("files", "overrides", "message"),
    [
        (("a.tflite", "b.xml"), {}, "two trunks, .*: give one of them"),
        ((None, "b.xml"), {"bfloat16": True}, "bfloat16=True is of TensorFlow's trunk"),
        ((None, None), {"trunk": "middling"}, "trunk='middling' in the tracker's settings: give one of full, light"),
    ],
)
def test_contradictions_are_told_before_anything_is_read(files, overrides, message):
    with pytest.raises(InputError, match=message):
        loading.load("mlt", "missing.npz", *files, overrides)


def test_variant_decides_the_updates():
    networks, settings, trunk, updates = loading.load("mlt_mt_ft", None, None, None, {"pyramid": "exemplars"})
    assert (networks.meta_learner, settings.pyramid, trunk, updates) == (None, "exemplars", None, "fine_tuning")
