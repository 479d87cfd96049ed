import subprocess
import sys

import pytest

from experiments.shared import command_line
from mlt_tf.errors import InputError


@pytest.mark.parametrize("kind", [InputError, FloatingPointError])
def test_bad_input_ends_in_one_line(kind):
    def work():
        raise kind("no crops")

    with pytest.raises(SystemExit, match="^binary: error: no crops$"):
        command_line.end_in_one_line("binary", work)


def test_other_errors_pass():
    def work():
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        command_line.end_in_one_line("binary", work)


@pytest.mark.parametrize("binary", ["evaluate", "export_model", "make_tables"])
def test_tensorflow_starts_only_where_it_is_needed(binary):
    code = f"import sys; from experiments import {binary}; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
