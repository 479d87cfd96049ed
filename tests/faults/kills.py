"""Kills the commands that write at random moments, runs each again, and looks at what they leave.

    python -m tests.faults.kills --kills 200 --work /tmp/kills

Half of the kills come at a moment drawn evenly, half right after a change in the folder that is written to, of a kind
drawn evenly among those that are seen. SIGKILL and SIGTERM go to the command, SIGINT to all its processes, as Ctrl-C
does. After each:

    half-written   a file under its final name is damaged, or is not that of an undisturbed run
    alive          a process of the command is there `GRACE` seconds later
    second run     the same command does not end with 0
    result         it ends with another result than an undisturbed run
    litter         it leaves files that an undisturbed run does not
"""

import argparse
import collections
import os
import pathlib
import random
import shutil
import signal
import subprocess
import tempfile
import time
from typing import NamedTuple

from tests.faults import results
from tests.faults.cases import CASES, Case, make_data
from tests.faults.runs import GRACE, POLL, Reference, end_of, kind_of, measure, snapshot, start, wait_for_none

PATIENT = 120.0  # Seconds that a command has to end by itself after SIGTERM or SIGINT.
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
_BY_TFDS = "1.0.0/metadata.json"  # Which it adds to a data set that is there already.
FAULTS = ("half-written", "alive", "second run", "result", "litter")


class Killed(NamedTuple):
    """What came of one kill."""

    case: str
    signal: str
    moment: str
    faults: dict[str, str]


def choose_moment(reference: Reference, rng: random.Random) -> tuple[float, str | None, int]:
    """Draws when to kill: after so many seconds, or at the n-th change of a kind, with the seconds as the latest."""
    if not reference.changes or rng.random() < 0.5:
        early = rng.random() < 0.25
        first, last = (0.0, reference.first) if early else (reference.first, reference.seconds)
        return rng.uniform(first, last), None, 0
    kind = rng.choice(sorted(set(reference.changes)))
    return 3 * reference.seconds + 30, kind, rng.randint(1, reference.changes.count(kind))


def run_and_kill(
    case: Case, data: pathlib.Path, out: pathlib.Path, reference: Reference, number: int, rng: random.Random
) -> tuple[str, str | None]:
    """Starts a command and kills it; returns when that was, or None where it had ended, and who is still alive."""
    seconds, kind, nth = choose_moment(reference, rng)
    process, mark = start(case, data, out)
    deadline, before, seen = time.monotonic() + seconds, {}, 0
    while process.poll() is None and time.monotonic() < deadline:
        if kind is not None:
            now = snapshot(out)
            changed = [kind_of(name) for name in now.keys() ^ before.keys()] or ["growth"] * (now != before)
            before, seen = now, seen + changed.count(kind)
            if seen >= nth:
                break
        time.sleep(POLL)
    if process.poll() is not None:
        wait_for_none(mark, GRACE)
        return None, None
    (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
    stuck = ""
    try:
        process.wait(PATIENT)
    except subprocess.TimeoutExpired:
        stuck = "the command itself; "
        process.kill()
    left = wait_for_none(mark, GRACE)
    when = f"change {nth} of {kind}" if kind else f"{seconds:.2f} s of {reference.seconds:.2f}"
    return when, (stuck + "; ".join(left)) or None


def check_final_names(out: pathlib.Path, reference: Reference) -> str | None:
    """Says which of the files that an undisturbed run leaves are there but damaged or others."""
    with tempfile.TemporaryDirectory() as folder:
        for name in results.names(out):
            if name in reference.content and not name.endswith(("/", "events")) and (out / name).is_file():
                copy = pathlib.Path(folder) / name
                copy.parent.mkdir(parents=True, exist_ok=True)
                for other in out.glob(f"{name.removesuffix('.index')}.data-*") if name.endswith(".index") else ():
                    shutil.copy(other, copy.parent)
                shutil.copy(out / name, copy)
        try:
            found = results.read(pathlib.Path(folder))
        except results.Broken as error:
            return str(error)
    growing = {name for name in found if name.endswith((".jsonl", ".log", "data-00000-of-00001"))}
    others = [name for name, content in found.items() if name not in growing and content != reference.content[name]]
    return f"not that of an undisturbed run: {', '.join(others)}" if others else None


def run_again(case: Case, data: pathlib.Path, out: pathlib.Path, reference: Reference) -> dict[str, str]:
    """Runs a killed command again; returns the faults."""
    process, mark = start(case, data, out, again=True)
    code, words = end_of(process)
    wait_for_none(mark, GRACE)
    if code and not (case.done and case.done in words):
        return {"second run": f"ends with {code}: {words[-300:]}"}
    try:
        found = results.read(out)
    except results.Broken as error:
        return {"result": str(error)}
    faults = {}
    known = (*reference.content, *(name for name in found if name.endswith(_BY_TFDS)))
    if strangers := [name for name in found if name not in known]:
        faults["litter"] = ", ".join(strangers)
    lacking = [name for name in reference.content if name not in found]
    others = [name for name in found if name in reference.content and not name.endswith(".jsonl")]
    others = [name for name in others if found[name] != reference.content[name]]
    if lacking or others:
        faults["result"] = f"lacks {', '.join(lacking) or 'nothing'}, differs in {', '.join(others) or 'nothing'}"
    return faults


def kill_once(case: Case, data: pathlib.Path, work: pathlib.Path, reference: Reference, rng: random.Random) -> Killed:
    """Kills a command that is not done yet, and checks what it leaves."""
    number = rng.choice(SIGNALS)
    for _ in range(10):
        out = work / "out"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        when, left = run_and_kill(case, data, out, reference, number, rng)
        if when:
            break
    else:
        return Killed(case.name, number.name, "never: it was always faster", {})
    faults = {"alive": left} if left else {}
    if broken := check_final_names(out, reference):
        faults["half-written"] = broken
    faults |= run_again(case, data, out, reference)
    if faults:
        shutil.copytree(out, work / "kept" / f"{time.time():.0f}", dirs_exist_ok=True)
    return Killed(case.name, number.name, when, faults)


def table(killed: list[Killed]) -> str:
    """Lays out what was found, a row a command."""
    lines = [f"| command | kills | {' | '.join(FAULTS)} |", "|---|---:|" + "---:|" * len(FAULTS)]
    by_case = collections.defaultdict(list)
    for one in killed:
        by_case[one.case].append(one)
    for name, ones in [*by_case.items(), ("all", killed)]:
        counts = [sum(fault in one.faults for one in ones) for fault in FAULTS]
        lines.append(f"| {name} | {len(ones)} | {' | '.join(map(str, counts))} |")
    return "\n".join(lines)


def shares(references: dict[str, Reference], kills: int, rng: random.Random) -> list[str]:
    """Shares kills out among commands, more to the faster ones, each at least two; in an order drawn at random."""
    weights = {name: reference.seconds**-0.5 for name, reference in references.items()}
    rest = kills - 2 * len(weights)
    names = [name for name in weights for _ in range(2)]
    names += rng.choices(list(weights), list(weights.values()), k=max(rest, 0))
    rng.shuffle(names)
    return names[:kills]


def main() -> None:
    """Does what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=60, help="how many in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after so many")
    parser.add_argument("--only", nargs="*", default=[], help="names of commands; all when not given")
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder for data, results and table.md")
    asked = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # As a background job it would be ignored, below too.
    chosen = {case.name: case for case in CASES if not asked.only or case.name in asked.only}
    asked.work.mkdir(parents=True, exist_ok=True)
    work = asked.work.resolve()
    if not (work / "data").exists():
        (work / "data").mkdir()
        make_data(work / "data")
    given = results.names(work / "data")
    rng, killed, references, begun = random.Random(asked.seed), [], {}, time.monotonic()
    for name, case in chosen.items():
        references[name] = measure(case, work / "data", work)
        print(f"{name}: {references[name].seconds:.1f} s, {len(references[name].content)} files", flush=True)
    for name in shares(references, asked.kills, rng):
        one = kill_once(chosen[name], work / "data", work, references[name], rng)
        killed.append(one)
        minutes = (time.monotonic() - begun) / 60
        print(f"{minutes:.1f} min: {name}: {one.signal} at {one.moment}: {one.faults or 'nothing'}", flush=True)
        summary = f"{len(killed)} kills, seed {asked.seed}, {minutes:.0f} minutes\n\n{table(killed)}\n"
        (work / "table.md").write_text(summary)
        if minutes > asked.minutes:
            break
    if results.names(work / "data") != given:
        print("what was given has changed:", set(results.names(work / "data")) ^ set(given))
    print(f"\n{summary}")


if __name__ == "__main__":
    main()
