"""Tests of the steps as XLA programs."""

import pytest

from mlt_tf import config
from mlt_tf.deploy import programs
from mlt_tf.errors import InputError

SETTINGS = config.TrackerConfig(memory=2, samples=2)


def test_programs_of_mlt(mlt):
    made = programs.make_programs(mlt, SETTINGS, batch=2)
    assert set(made) == {"track_step", "update_step"}
    step = made["track_step"]
    shapes = {arg["name"]: (arg["shape"], arg["dtype"]) for arg in step.args}
    assert step.args[0]["name"] == "z" and shapes["z"] == ([2, 3, 255, 255, 3], "float32")
    assert shapes["contexts"] == ([2, 3, 255, 255, 3], "uint8")
    assert {"box_cxcywh", "score", "frames"} <= set(step.results) and len(set(step.results)) == len(step.results)
    assert made["update_step"].results == ["kernel", "offset", "gates"]
    for program in made.values():
        assert len(program.hlo) > 10_000
        sizes = sum(value.size for value in program.state)
        assert sizes > 2.6e6  # The trunk at least.


@pytest.mark.parametrize("updates, names", [("none", {"track_step"}), ("fine_tuning", {"track_step", "update_step"})])
def test_programs_of_the_baselines(baseline, updates, names):
    assert set(programs.make_programs(baseline, SETTINGS, batch=1, updates=updates)) == names


def test_patches_are_refused_as_a_program_cannot_cut_them(baseline):
    with pytest.raises(InputError, match="pyramid=patches"):
        programs.make_programs(baseline, SETTINGS.replace(pyramid="patches"), batch=1)
