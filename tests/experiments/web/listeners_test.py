"""Tests of how the tabs are told: in order, whole from the start, and not for ever where one falls behind."""

import asyncio
import json

import pytest
from aiohttp import ClientSession, ClientTimeout, test_utils, web

from experiments.web import listeners
from experiments.web.listeners import Listeners
from tests.endings import PATIENCE


def hear(play):
    """Serves listeners; `play` gets them, and a function that opens a tab and returns its stream of events."""

    async def run():
        told, app = Listeners(), web.Application()

        async def serve(request):
            return await told.serve(request, {"state": told.told})

        app.router.add_get("/", serve)
        async with (
            test_utils.TestServer(app) as server,
            ClientSession(timeout=ClientTimeout(PATIENCE)) as session,
        ):
            await play(told, lambda: session.get(server.make_url("/")))

    asyncio.run(run())


async def event(tab):
    """Reads the next event of a tab: its number, kind and value."""
    text = (await tab.content.readuntil(b"\n\n")).decode()
    number, kind, value = (line.partition(": ")[2] for line in text.strip().split("\n"))
    return int(number), kind, json.loads(value)


def test_tab_begins_whole_and_hears_what_follows_in_order():
    async def play(told, open_tab):
        told.tell("rows", "before")
        async with open_tab() as first:
            assert first.headers["Content-Type"] == "text/event-stream"
            assert await event(first) == (1, "snapshot", {"state": 1})
            async with open_tab() as second:
                await event(second)
                assert len(told) == 2
                for value in ([1.5, None], "a\nb"):
                    told.tell("rows", value)
                for tab in (first, second):
                    assert [await event(tab) for _ in range(2)] == [(2, "rows", [1.5, None]), (3, "rows", "a\nb")]
                told.close()
                assert [await tab.content.read() for tab in (first, second)] == [b"", b""]
        assert len(told) == 0

    hear(play)


def test_tab_that_falls_behind_is_ended_and_the_others_go_on(monkeypatch):
    monkeypatch.setattr(listeners, "_PATIENCE", 3)

    async def play(told, open_tab):
        async with open_tab() as slow:
            await event(slow)
            for number in range(5):  # At once: the tab can take none of them meanwhile.
                told.tell("rows", number)
            assert len(told) == 0
            assert [(await event(slow))[2] for _ in range(3)] == [0, 1, 2]
            assert await slow.content.read() == b""
        async with open_tab() as again:
            assert await event(again) == (5, "snapshot", {"state": 5})

    hear(play)


def test_silent_tab_is_kept_alive_and_one_that_leaves_is_forgotten(monkeypatch):
    monkeypatch.setattr(listeners, "_ALIVE_EVERY", 0.01)

    async def play(told, open_tab):
        async with open_tab() as tab:
            await event(tab)
            assert await tab.content.readuntil(b"\n\n") == b": alive\n\n"
            tab.close()
            async with asyncio.timeout(PATIENCE):
                while len(told):
                    await asyncio.sleep(0.01)
        told.tell("rows", "to nobody")

    hear(play)


def test_what_json_cannot_say_is_an_error():
    with pytest.raises(ValueError, match="JSON"):
        Listeners().tell("rows", float("nan"))
