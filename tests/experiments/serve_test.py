"""Tests of mlt-web in a real browser, from marking to download, and of how it ends."""

import json
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from absl import flags
from playwright.sync_api import expect, sync_playwright

from experiments import serve
from experiments.web.places import Place
from tests import clips
from tests.endings import PATIENCE, exit_code, run_python
from tests.processes import ROOT
from tests.web_hands import FRAMES, SIZE, choose, drag, open_slowly, place_of, see
from tests.web_pages import FLAGS, SteppedTracker, find_browser, served

PHONE = {"viewport": {"width": 400, "height": 800}, "has_touch": True, "is_mobile": True}


@pytest.fixture(scope="module")
def browser():
    path = find_browser()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def folder(tmp_path):
    clips.write_red_video(tmp_path / "clip.mp4", FRAMES, 12, SIZE[1], SIZE[0])
    return tmp_path


@pytest.fixture
def open_tab(browser):
    """Returns a function that opens a page in a tab of its own browser; what goes wrong in a script fails the test."""
    contexts, faults = [], []

    def open_it(url, script="", **options):
        contexts.append(browser.new_context(**options))
        tab = contexts[-1].new_page()
        tab.add_init_script(script)
        tab.set_default_timeout(120_000)
        tab.on("pageerror", lambda error: faults.append(str(error)))
        tab.on("console", lambda told: faults.append(told.text) if "Content Security" in told.text else None)
        tab.goto(url)
        return tab

    yield open_it
    for context in contexts:
        context.close()
    assert faults == []


def test_mark_track_correct_and_download(open_tab, folder):
    with served(Place(root=folder), SteppedTracker(1000)) as page:
        tab = open_tab(page.url)
        choose(tab)
        drag(tab, 20, 30, 60, 70)
        name = tab.get_by_label("Name of target 1")
        name.fill("cup")
        name.press("Enter")
        tab.press("body", "n")
        for _ in range(2):
            tab.press("body", "ArrowRight")
        see(tab, 2)
        drag(tab, 200, 100, 240, 160)
        expect(tab.locator("#targets li")).to_have_count(2)
        expect(tab.locator("#targets")).to_contain_text("start 2")
        tab.press("body", "t")
        expect(tab.locator("#state")).to_have_text("tracked to the end")
        expect(tab.locator("#number")).to_have_value(str(FRAMES - 1))  # It was followed.
        expect(tab.locator("#update-text")).to_contain_text("update 4 of 4")
        tab.wait_for_function("document.getElementById('update').naturalWidth > 300")
        plot = tab.locator(".plot canvas").first.bounding_box()
        tab.mouse.click(plot["x"] + plot["width"] * 10.5 / FRAMES, plot["y"] + 20)
        see(tab, 10)
        tab.press("body", "1")
        drag(tab, 50, 50, 50, 120)  # The box that was found, 10 pixels on: it is moved.
        expect(tab.locator("#targets")).to_contain_text("fix 10")
        tab.click("text=Track on from 10")
        expect(tab.locator("#state")).to_have_text("tracked to the end")
        expect(tab.locator("#track")).to_be_disabled()
        with tab.expect_download() as download:
            tab.click("text=boxes_1.txt")
        boxes = np.loadtxt(download.value.path(), delimiter=",")
        assert np.abs(boxes[:10, :2] - [[20 + at, 30] for at in range(10)]).max() < 1
        assert np.abs(boxes[10:, :2] - [[30 + at, 100] for at in range(14)]).max() < 1
        record = json.loads((folder / "mlt_output" / "clip.mp4" / "track.json").read_text())
        assert [target["id"] for target in record["targets"]] == ["cup", "2"]
        assert {name for name, _ in page.snapshot()["run"]["files"]} >= {"track.mp4", "track.json", "boxes_2.txt"}


def test_finger_draws_and_a_narrow_page_fits(open_tab, folder):
    with served(Place(clip=str(folder / "clip.mp4"), out=folder / "out"), SteppedTracker(1000)) as page:
        tab = open_tab(page.url, **PHONE)
        tab.locator("#stage").scroll_into_view_if_needed()
        expect(tab.locator("#hint")).to_contain_text("drag a box")
        see(tab, 0)
        finger = tab.context.new_cdp_session(tab)
        for kind, x in (("touchStart", 40), ("touchMove", 70), ("touchMove", 100)):
            where = dict(zip("xy", place_of(tab, x, x)))
            finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [where]})
        finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        expect(tab.locator("#targets li")).to_have_count(1)
        _, x, y, w, h, _ = page.snapshot()["plan"]["targets"][0]["marks"][0]
        assert np.abs(np.subtract([x, y, w, h], [40, 40, 60, 60])).max() < 2
        tab.click("#track")
        expect(tab.locator("#state")).to_have_text("tracked to the end")
        assert tab.evaluate("document.documentElement.scrollWidth") == 400


def test_tabs_share_the_session_and_a_reload_shows_it(open_tab, folder):
    tracker = SteppedTracker(6)
    with served(Place(clip=str(folder / "clip.mp4"), out=folder / "out"), tracker) as page:
        first, second = open_tab(page.url), open_tab(page.url, color_scheme="dark")
        expect(first.locator("#stage")).to_be_visible()
        first.fill("#box", "20,30,40,40")
        first.press("#box", "Enter")
        expect(second.locator("#targets li")).to_have_count(1)
        second.click("#track")
        for tab in (first, second):
            expect(tab.locator("#state")).to_contain_text(f"frame 7 of {FRAMES}")
        first.reload()
        expect(first.locator("#state")).to_contain_text(f"frame 7 of {FRAMES}")
        expect(first.locator("#bar")).to_be_visible()
        first.click("#pause")
        expect(second.locator("#state")).to_contain_text("paused")
        second.close()
        tracker.allow()
        first.click("text=Go on")
        expect(first.locator("#state")).to_have_text("tracked to the end")


def test_keys_play_and_delete(open_tab, folder):
    with served(Place(clip=str(folder / "clip.mp4"), out=folder / "out"), SteppedTracker()) as page:
        tab = open_tab(page.url)
        expect(tab.locator("#about")).to_contain_text(f", {FRAMES} frames")
        number = tab.locator("#number")
        for key, frame in (("End", 23), ("ArrowLeft", 22), ("Shift+ArrowLeft", 12), ("ArrowRight", 13), ("Home", 0)):
            tab.press("body", key)
            expect(number).to_have_value(str(frame))
        tab.press("body", " ")
        expect(tab.locator("#play")).to_have_text("Pause")
        expect(number).to_have_value(str(FRAMES - 1))  # 2 s at 12 frames a second.
        expect(tab.locator("#play")).to_have_text("Play")
        see(tab, FRAMES - 1)
        drag(tab, 20, 30, 60, 70)
        expect(tab.locator("#targets")).to_contain_text("start 23")
        tab.press("body", "Delete")
        expect(tab.locator("#targets li")).to_have_count(0)
        tab.click("#stage")  # A click draws nothing.
        assert page.snapshot()["plan"]["targets"] == []


def targets(page):
    return page.snapshot()["plan"]["targets"]


@pytest.mark.parametrize("late", ["answers", "events"])
def test_who_does_not_wait_for_the_server_gets_what_was_meant(open_tab, folder, late):
    with served(Place(clip=str(folder / "clip.mp4"), out=folder / "out"), SteppedTracker()) as page:
        tab = open_slowly(open_tab, page.url, late)
        drag(tab, 20, 30, 60, 70)
        tab.press("body", "n")
        drag(tab, 200, 100, 240, 160)
        drag(tab, 220, 120, 230, 130)  # The box that was drawn just now: it is moved.
        expect(tab.locator("#targets li")).to_have_count(2)
        expect(tab.locator("#targets li.chosen")).to_contain_text("start 0")
        name = tab.get_by_label("Name of target 2")
        name.fill("cup")
        name.press("Enter")
        drag(tab, 230, 130, 240, 130)  # Still its box.
        tab.press("body", "n")
        drag(tab, 100, 20, 140, 60)
        tab.press("body", "Delete")
        tab.press("body", "n")
        drag(tab, 150, 180, 190, 220)
        expect(tab.locator("#targets li.chosen input")).to_have_value("3")
        meant = {"1": [20, 30, 40, 40], "cup": [220, 110, 40, 60], "3": [150, 180, 40, 40]}
        assert {target["id"]: np.round(target["marks"][0][1:5], -1).tolist() for target in targets(page)} == meant
        assert [len(target["marks"]) for target in targets(page)] == [1, 1, 1]


def test_stroke_is_of_the_frame_that_is_seen(open_tab, folder):
    with served(Place(clip=str(folder / "clip.mp4"), out=folder / "out"), SteppedTracker()) as page:
        tab = open_slowly(open_tab, page.url, "frames")
        tab.press("body", "End")
        expect(tab.locator("#number")).to_have_value(str(FRAMES - 1))
        drag(tab, 20, 30, 60, 70)
        expect(tab.locator("#targets")).to_contain_text("start 0")
        see(tab, 0)
        tab.press("body", "End")
        see(tab, FRAMES - 1)
        tab.mouse.move(*place_of(tab, 30, 30))
        tab.mouse.down()
        tab.press("body", "Home")
        tab.mouse.move(*place_of(tab, 90, 90))
        tab.mouse.up()
        expect(tab.locator("#targets")).to_contain_text(f"start 0fix {FRAMES - 1}")


SERVER = """
import sys, time
from absl import flags
from experiments import serve
from tests.trackers import DriftingTracker
class Slow(DriftingTracker):
    def update(self, image):
        time.sleep(0.2)
        return super().update(image)
values = serve.define_flags(flags.FlagValues())
serve.main(values(["mlt-web", *sys.argv[1:]]), values, lambda *_: Slow())
"""


@pytest.fixture
def process(folder):
    """Serves a folder from a process of its own, and kills what a test leaves of it."""
    words = [sys.executable, "-c", SERVER, str(folder), "--port=0"]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def test_sigterm_in_the_middle_keeps_what_was_tracked(open_tab, folder, process):
    tab = open_tab(re.search(r"open (http://127\.0\.0\.1:\d+/\S+/)", process.stdout.readline())[1])
    choose(tab)
    drag(tab, 20, 30, 60, 70)
    tab.click("#track")
    expect(tab.locator("#state")).to_contain_text(re.compile(rf"frame ([3-9]|1\d) of {FRAMES}"))
    process.send_signal(signal.SIGTERM)
    expect(tab.locator("#link")).to_contain_text("no connection")
    assert process.wait(timeout=PATIENCE) == 130 and "stopped; what was tracked is kept" in process.stderr.read()
    out = folder / "mlt_output" / "clip.mp4"
    record = json.loads((out / "track.incomplete.json").read_text())
    assert record["meta"]["error"] == "stopped by the user" and 3 <= record["meta"]["frames"] < FRAMES
    assert len((out / "boxes.incomplete.txt").read_text().splitlines()) == record["meta"]["frames"]


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["none"], "there is no folder 'none'"),
        (["a", "b"], "2 folders, 'a' and 'b': give one"),
        ([".", "--host=192.0.2.1"], "cannot listen on 192.0.2.1"),
    ],
)
def test_bad_command_line_is_told_in_a_line(words, fault, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values = serve.define_flags(flags.FlagValues())
    assert exit_code(serve.main, values(["mlt-web", *words]), values) == 1
    error = capfd.readouterr().err
    assert error.startswith(f"mlt-web: error: {fault}") and error.count("\n") == 1


def test_missing_extra_is_told_in_a_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    start = "import sys; sys.modules['aiohttp'] = None; from experiments import serve; serve.run()"
    done = run_python("-c", start)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "needs aiohttp, which is not installed: pip install 'mlt_tf[web]'" in done.stderr
