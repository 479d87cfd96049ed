"""Tests of what kills commands and looks at what they leave: it finds nothing where nothing is, and each fault."""

import random
import signal

import pytest

from tests.faults import kills, runs
from tests.faults.cases import Case

WHOLE = """
import os, sys, time
out = sys.argv[1]
with open(out + "/.part", "w") as file:
    file.write('{"a": ')
    file.flush()
    time.sleep(0.5)
    file.write("1}")
os.replace(out + "/.part", out + "/a.json")
time.sleep(0.5)
"""


@pytest.fixture
def kill(tmp_path, monkeypatch):
    """Returns a function that kills a program by SIGKILL right after a change, and returns the faults found."""
    monkeypatch.setattr(kills, "SIGNALS", (signal.SIGKILL,))
    monkeypatch.setattr(kills, "GRACE", 0.5)

    def run(program, change):
        (tmp_path / "program.py").write_text(program)
        case = Case("program", f"{tmp_path}/program.py {{out}}")
        reference = runs.Reference({"a.json": [{"a": 1}]}, 1.0, 0.0, ())
        monkeypatch.setattr(kills, "choose_moment", lambda *_: (30.0, change, 1))
        return kills.kill_once(case, tmp_path, tmp_path, reference, random.Random(0)).faults

    return run


@pytest.mark.parametrize("change", ["/.part", "/a.json"])
def test_program_that_writes_whole_has_no_faults(kill, change):
    assert kill(WHOLE, change) == {}


def test_half_written_file_is_found(kill):
    assert kill(WHOLE.replace("/.part", "/a.json"), "/a.json").keys() == {"half-written"}


def test_process_that_goes_on_is_found_and_ended(kill):
    child = "import subprocess\nsubprocess.Popen(['sleep', '99'], start_new_session=True)\n"
    faults = kill(child + WHOLE, "/.part")
    assert faults == {"alive": "sleep 99 "}


def test_second_run_that_fails_is_found(kill):
    refuses = "import os, sys\nassert not os.path.exists(sys.argv[1] + '/.part'), 'there is a part'\n"
    faults = kill(refuses + WHOLE, "/.part")
    assert faults.keys() == {"second run"} and "there is a part" in faults["second run"]


def test_other_result_and_litter_are_found(kill):
    grows = WHOLE.replace('"1}"', 'f"{len(os.listdir(out))}}}"').replace('"/.part"', 'f"/part-{os.getpid()}"')
    faults = kill(grows, "/part-#")
    assert faults.keys() == {"result", "litter"} and "part-" in faults["litter"]


def test_undisturbed_run_is_measured(tmp_path):
    (tmp_path / "program.py").write_text(WHOLE)
    reference = runs.measure(Case("program", f"{tmp_path}/program.py {{out}}"), tmp_path, tmp_path)
    assert reference.content == {"a.json": [{"a": 1}]} and 1 < reference.seconds < 30
    assert reference.changes[0] == "/.part" and "/a.json" in reference.changes and 0 < reference.first < 10
