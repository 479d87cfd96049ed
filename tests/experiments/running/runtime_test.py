"""Tests of the choice of what computes the trunk."""

import pytest
from absl import flags

from experiments import evaluate, track
from experiments.app import request
from experiments.running import runtime
from experiments.shared import options
from mlt_tf.errors import InputError


@pytest.mark.parametrize("asked", [{"runtime": "openvino"}, {"trunk_file": "trunk.xml"}])
def test_a_runtime_and_its_trunk_go_together(asked):
    with pytest.raises(
        InputError, match="--runtime=openvino and --trunk_file=FOLDER/trunk.xml go together; .*--format"
    ):
        runtime.loaded_with(runtime.RuntimeOptions(**asked))


def test_mlt_track_and_evaluate_have_the_same_flags():
    words = ["command", "--runtime=openvino", "--trunk_file=a/trunk.xml"]
    values = track.define_flags(flags.FlagValues())
    values(words)
    settings = request.tracker_settings(options.read(request.Request, values))
    assert settings == {"openvino": "a/trunk.xml"}
    values = flags.FlagValues()
    evaluate.define_flags(values)
    values([*words, "--variant=mlt"])
    (spec,) = evaluate.tracker_specs(values)
    assert spec.openvino == "a/trunk.xml" and spec.tflite is None
    values = track.define_flags(flags.FlagValues())
    values(["command"])
    assert request.tracker_settings(options.read(request.Request, values)) == {}
