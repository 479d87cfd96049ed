"""Tests of a run as the tabs see it, told by hand what a run's thread would tell."""

import asyncio
import types

import pytest

from experiments.app.plan import Mark, Plan, Target
from experiments.app.record import Entry, Record
from experiments.web import progress
from experiments.web.progress import Known, Progress
from experiments.web.tracking import End

PLAN = Plan((Target("1", (Mark(2, (10, 10, 20, 20)),)),), start=2)
BEFORE = Record(PLAN, tuple(Entry(frame, {"1": None}) for frame in (2, 3)), {"complete": False})


class Run:
    """Stands in for a run: notes what is asked of it, and tells what a test has it tell."""

    def __init__(self, job, tell):
        self.tell, self.asked = tell, []

    def __getattr__(self, name):
        return lambda: self.asked.append(name)


@pytest.fixture
def see(monkeypatch):
    """Returns a function that begins a run for `play`: it gets the progress and what lets the run tell something."""
    monkeypatch.setattr(progress, "Run", Run)

    def see_it(play, before=None):
        async def main():
            ended = []
            job = types.SimpleNamespace(plan=PLAN, before=before)
            seen = Progress(job, lambda: ended.append(seen.phase))

            async def told(kind, value=None):
                seen._run.tell(kind, value)
                await asyncio.sleep(0)  # The event loop hears of it in its next turn.
                return ended

            await play(seen, told)

        asyncio.run(main())

    return see_it


def test_run_goes_from_loading_to_done(see):
    async def play(seen, told):
        assert (seen.phase, seen.active, seen.record()) == ("loading", True, None)
        await told("loaded")
        assert seen.state(None) == {
            "phase": "tracking", "error": None, "begin": 2, "next": 2, "end": None, "rate": None, "left": None,
        }  # fmt: skip
        await told("meta", {"input": "clip.mp4"})
        for frame in (2, 3, 4):
            await told("entry", Entry(frame, {"1": None}))
        await told("update", ("1", 4, 0.5, b"jpeg"))
        entries, updates = seen.take_news()
        assert [entry.frame for entry in entries] == [2, 3, 4] and updates == [("1", 4, 0.5, b"jpeg")]
        assert seen.take_news() == ([], []) and seen.known == Known(PLAN, 5)
        assert await told("end", End(None, ["track.json"])) == ["done"]
        assert not seen.active and seen.files == ["track.json"] and seen.known.end == float("inf")
        assert seen.record() == Record(PLAN, tuple(seen.entries), {"input": "clip.mp4", "complete": True})

    see(play)


def test_time_left_is_judged_by_the_latest_frames(see, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(progress, "time", types.SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(progress, "_RATE_OVER", 3)

    async def play(seen, told):
        await told("loaded")
        for frame, now in ((2, 0.0), (3, 90.0), (4, 90.5), (5, 91.0)):
            clock[0] = now
            await told("entry", Entry(frame, {"1": None}))
        state = seen.state(16)
        assert (state["next"], state["end"], state["rate"], state["left"]) == (6, 16, 2.0, 5.0)
        seen.pause()
        assert seen.state(16)["left"] is None
        seen.resume()
        assert seen.state(16)["rate"] is None  # The pause does not count.

    see(play)


def test_what_was_known_is_there_and_is_not_told_again(see):
    async def play(seen, told):
        assert [entry.frame for entry in seen.entries] == [2, 3] and seen.record() is BEFORE
        for frame in (2, 3):
            await told("entry", Entry(frame, {"1": None}))
        assert seen.take_news() == ([], []) and seen.record() is BEFORE
        await told("entry", Entry(4, {"1": None}))
        assert seen.state(None)["begin"] == 4 and len(seen.entries) == 3
        assert await told("end", End("stopped", [])) == ["stopped"]
        assert len(seen.record().entries) == 3 and not seen.record().complete

    see(play, BEFORE)


def test_pause_holds_while_the_tracker_loads(see):
    async def play(seen, told):
        seen.pause()
        await told("loaded")
        assert seen.phase == "paused"
        seen.resume()
        assert seen.phase == "tracking" and seen._run.asked == ["pause", "resume"]

    see(play)


def test_end_waits_for_the_run_and_failures_have_their_line(see):
    async def play(seen, told):
        waiting = asyncio.create_task(seen.end())
        await asyncio.sleep(0)
        assert seen._run.asked == ["stop"] and not waiting.done()
        assert await told("end", End("no memory", [])) == ["failed"]
        await waiting
        assert (seen.phase, seen.error) == ("failed", "no memory")

    see(play)


@pytest.mark.parametrize(("frame", "known"), [(1, False), (2, True), (4, True), (5, False)])
def test_a_frame_is_known_from_the_plans_start(frame, known):
    assert Known(PLAN, 5).entry(frame) == known
