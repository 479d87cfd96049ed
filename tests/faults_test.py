"""Tests of what kills commands and looks at what they leave: it finds nothing where nothing is, and each fault."""

import random
import signal

import pytest

from tests.endings import PATIENCE
from tests.faults import kills, runs
from tests.faults.cases import Case

WHOLE = """
import os, sys, time
out = sys.argv[1]
first = not os.path.exists(out + "/../begun")
open(out + "/../begun", "w").close()
def hang(name):  # Until the kill, in the first run.
    time.sleep(600 * (first and name == CHANGE))
with open(out + "/.part", "w") as file:
    file.write('{"a": ')
    file.flush()
    hang("/.part")
    file.write("1}")
os.replace(out + "/.part", out + "/a.json")
hang("/a.json")
"""


@pytest.fixture
def kill(tmp_path, monkeypatch):
    """Returns a function that kills a program by SIGKILL right after a change, and returns the faults found."""
    monkeypatch.setattr(kills, "SIGNALS", (signal.SIGKILL,))

    def run(program, change, hangs=None):
        (tmp_path / "program.py").write_text(program.replace("CHANGE", repr(hangs or change)))
        case = Case("program", f"{tmp_path}/program.py {{out}}")
        reference = runs.Reference({"a.json": [{"a": 1}]}, 1.0, 0.0, ())
        monkeypatch.setattr(kills, "choose_moment", lambda *_: (PATIENCE, change, 1))
        return kills.kill_once(case, tmp_path, tmp_path, reference, random.Random(0)).faults

    return run


@pytest.mark.parametrize("change", ["/.part", "/a.json"])
def test_program_that_writes_whole_has_no_faults(kill, change):
    assert kill(WHOLE, change) == {}


def test_half_written_file_is_found(kill):
    assert kill(WHOLE.replace("/.part", "/a.json"), "/a.json").keys() == {"half-written"}


def test_process_that_goes_on_is_found_and_ended(kill, monkeypatch):
    monkeypatch.setattr(kills, "GRACE", 0.5)
    child = "import subprocess\nsubprocess.Popen(['sleep', '999'], start_new_session=True)\n"
    faults = kill(child + WHOLE, "/.part")
    assert faults == {"alive": "sleep 999 "}


def test_second_run_that_fails_is_found(kill):
    refuses = "import os, sys\nassert not os.path.exists(sys.argv[1] + '/.part'), 'there is a part'\n"
    faults = kill(refuses + WHOLE, "/.part")
    assert faults.keys() == {"second run"} and "there is a part" in faults["second run"]


def test_other_result_and_litter_are_found(kill):
    grows = WHOLE.replace('"1}"', 'f"{len(os.listdir(out))}}}"').replace('+ "/.part"', '+ f"/part-{os.getpid()}"')
    faults = kill(grows, "/part-#", hangs="/.part")
    assert faults.keys() == {"result", "litter"} and "part-" in faults["litter"]


def test_undisturbed_run_is_measured(tmp_path, monkeypatch):
    waits = f"while not os.path.exists({str(tmp_path / 'seen')!r}): time.sleep(0.01)"

    def look(out):
        found = snapshot(out)
        if found:
            (tmp_path / "seen").touch()
        return found

    snapshot = runs.snapshot
    monkeypatch.setattr(runs, "snapshot", look)
    (tmp_path / "program.py").write_text(WHOLE.replace('hang("/.part")', waits).replace("CHANGE", "None"))
    reference = runs.measure(Case("program", f"{tmp_path}/program.py {{out}}"), tmp_path, tmp_path)
    assert reference.content == {"a.json": [{"a": 1}]} and 0 < reference.first < reference.seconds
    assert reference.changes[0] == "/.part"
