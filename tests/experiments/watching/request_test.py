"""Tests of how a run's watching is asked for: the defaults, and what flags refuse."""

import pytest
from absl import flags

from experiments.shared import options
from experiments.watching.request import AUTO, Watching


def read(*words):
    values = flags.FlagValues()
    options.define(Watching, values)
    values(["test", *words])
    return options.read(Watching, values)


def test_flags_are_read_and_the_others_keep_their_defaults():
    assert read() == Watching() and Watching().validation_sets == AUTO
    asked = read("--validate_every=0", "--validation_sets=", "--profile_steps=10,20", "--validation_layout=vot")
    assert (asked.validate_every, asked.validation_sets, asked.profile_steps) == (0, (), ("10", "20"))
    assert asked.validation_layout == "vot" and asked.track_every == 0


@pytest.mark.parametrize(
    "word",
    [
        "--validate_every=-1", "--validation_batches=0", "--track_every=-1", "--validation_frames=1",
        "--validation_layout=got10k", "--show_every=often",
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(word):
    with pytest.raises(flags.IllegalFlagValueError, match=word[2:].partition("=")[0]):
        read(word)
