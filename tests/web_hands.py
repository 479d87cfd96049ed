"""What a user of the page of mlt-web does in a tab, with a clip of `FRAMES` frames of `SIZE`; and slow links."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

SIZE = (320, 240)
FRAMES = 24
expect.set_options(timeout=120_000)  # Of a busy machine.
SLOW = """
const wait = () => new Promise((go) => setTimeout(go, 400)), ask = fetch;
window.fetch = async (path, ...given) => {
  if (%(frames)s && path.startsWith("frames/") && !path.endsWith("/0.jpg")) await wait();
  const answer = await ask(path, ...given);
  if (%(answers)s && path.startsWith("do/")) await wait();
  return answer;
};
if (%(events)s) window.EventSource = class extends EventSource {
  addEventListener(kind, handle) {
    super.addEventListener(kind, (event) => wait().then(() => handle(event)));
  }
};
"""


def place_of(tab: Page, x: float, y: float) -> tuple[float, float]:
    """Returns where a pixel of the frame is in the window."""
    left, top, width = tab.evaluate(
        "() => {const b = document.getElementById('stage').getBoundingClientRect(); return [b.left, b.top, b.width];}"
    )
    return left + x * width / SIZE[0], top + y * width / SIZE[0]


def see(tab: Page, frame: int) -> None:
    """Waits until a frame's picture is there: a stroke is of the frame that is seen."""
    expect(tab.locator("#number")).to_have_value(str(frame))
    expect(tab.locator("#stage")).to_have_attribute("data-frame", str(frame))


def drag(tab: Page, x: float, y: float, to_x: float, to_y: float) -> None:
    """Draws from one pixel of the frame to another."""
    tab.mouse.move(*place_of(tab, x, y))
    tab.mouse.down()
    tab.mouse.move(*place_of(tab, (x + to_x) / 2, (y + to_y) / 2))
    tab.mouse.move(*place_of(tab, to_x, to_y))
    tab.mouse.up()


def choose(tab: Page) -> None:
    """Opens the clip of a folder's page, and waits until it is read."""
    tab.select_option("#clips", "clip.mp4")
    expect(tab.locator("#about")).to_contain_text(f"{FRAMES} frames")
    expect(tab.locator("#about")).not_to_contain_text("reading")
    see(tab, 0)


def open_slowly(open_tab: Callable[..., Page], url: str, late: str) -> Page:
    """Opens a page's tab on a link that is late with one thing: "answers", "events" or "frames"."""
    script = SLOW % {each: str(each == late).lower() for each in ("answers", "events", "frames")}
    tab = open_tab(url, script=script)
    expect(tab.locator("#about")).to_contain_text(f", {FRAMES} frames")
    see(tab, 0)
    return tab
