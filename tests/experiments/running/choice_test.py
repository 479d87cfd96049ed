"""Tests of the choice of sequences: what a benchmark has of them at hand, and what is told where it has not."""

import pytest

from experiments.running import choice
from experiments.running.choice import Choice
from mlt_tf.errors import InputError


@pytest.fixture
def otb2015(tmp_path):
    """Returns a folder with Couple and Deer of OTB-2015, three frames each."""
    lengths = {"Couple": 140, "Deer": 71}
    for name, length in lengths.items():
        folder = tmp_path / "otb" / name / "img"
        folder.mkdir(parents=True)
        for i in range(1, length + 1):
            (folder / f"{i:04d}.jpg").touch()
        (folder.parent / "groundtruth_rect.txt").write_text("21,21,20,20\n" * length)
    return str(tmp_path / "otb")


def test_what_is_at_hand_is_read_and_the_whole_counted(otb2015):
    chosen, total = choice.read(Choice(otb2015, "otb2015"))
    assert [sequence.name for sequence in chosen] == ["Couple", "Deer"] and total == 100
    (deer,), _ = choice.read(Choice(otb2015, "otb2015", names=("Deer",)))
    assert deer.name == "Deer"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"names": ("Nobody",)}, "--sequences: otb2015 has no target Nobody"),
        ({"names": ("Deer", "David")}, "David"),
        ({"data_dir": "nowhere"}, "nowhere: no such folder; give the one that holds otb2015"),
        ({"data_dir": "tests"}, "tests: no target of otb2015 in it"),
    ],
)
def test_what_a_benchmark_lacks_is_told(otb2015, asked, message):
    with pytest.raises(InputError, match=message):
        choice.read(Choice(**{"data_dir": otb2015, "dataset": "otb2015", **asked}))


def test_each_benchmark_has_its_rules_and_ones_own_sequences_otbs():
    assert choice.rules(Choice("anywhere", "otb2015")) is choice.scorer.DATASETS["otb2015"].protocol
    assert choice.rules(Choice("anywhere")).name == "OTB without absent frames"
