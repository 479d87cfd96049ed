import subprocess
import sys

import pytest

from data_pipelines.benchmarks import BENCHMARKS, read_benchmark
from mlt_tf.errors import InputError


@pytest.mark.parametrize("benchmark", BENCHMARKS.values(), ids=BENCHMARKS)
def test_a_benchmark_names_as_many_targets_as_published(benchmark, tmp_path):
    targets = benchmark.targets(str(tmp_path))
    assert len(set(targets)) == len(targets) == benchmark.published.targets
    assert benchmark.published.videos <= benchmark.published.targets < benchmark.published.frames


@pytest.mark.parametrize("benchmark", BENCHMARKS.values(), ids=BENCHMARKS)
def test_another_layout_is_refused_with_what_was_expected(benchmark, tmp_path):
    with pytest.raises(InputError, match=f"is not there; expected .*{benchmark.targets(str(tmp_path))[0]}"):
        read_benchmark(benchmark.name, str(tmp_path))
    with pytest.raises(InputError, match="nowhere: no such folder"):
        read_benchmark(benchmark.name, str(tmp_path / "nowhere"))


def test_targets_come_in_the_order_asked_for(lay_out):
    root = lay_out({f"{name}.txt": "1,1,5,5\n" for name in ("Girl", "Dog", "Car4")})
    sequences = read_benchmark("otb2015", root, ["Girl", "Car4"], check_frames=False)
    assert [sequence.name for sequence in sequences] == ["Girl", "Car4"]


def test_frames_are_looked_for_unless_told_otherwise(lay_out):
    root = lay_out({"Girl.txt": "1,1,5,5\n"})
    with pytest.raises(InputError, match="1 of 1 frames are missing"):
        read_benchmark("otb2015", root, ["Girl"])


def test_an_unknown_benchmark_or_target_is_refused_with_the_known(tmp_path):
    with pytest.raises(InputError, match="benchmark 'otb' is unknown; choose from otb2013, otb2015"):
        read_benchmark("otb", str(tmp_path))
    with pytest.raises(InputError, match="otb2013 has no target Bird1, Nobody; it has Basketball, Bolt"):
        read_benchmark("otb2013", str(tmp_path), ["Girl", "Bird1", "Nobody"])
    with pytest.raises(InputError, match="no target zebra-21; it has airplane-1, ... zebra-20, 1400 in all"):
        read_benchmark("lasot_protocol_1", str(tmp_path), ["zebra-21"])


def test_reading_needs_no_tensorflow():
    code = "import sys, data_pipelines.benchmarks; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
