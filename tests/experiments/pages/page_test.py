"""The page as a reader of its HTML, and as a browser, sees it."""

import html.parser
import json
import re
import shutil
import subprocess

import pytest

from experiments.pages import page
from tests.endings import PATIENCE

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ORIGIN = page.Origin("2020-02-02 02:02 UTC", "c0ffee", "python -m x", {"mlt": {"commit": "beef", "settings": "a=<1>"}})
JPEG = b"\xff\xd8thumbnail"


class Reader(html.parser.HTMLParser):
    """Collects tags, the texts of table rows by table, and all text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.tables, self.text, self.open = [], {}, "", []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "line", "path", "br"):
            self.open.append(tag)
        if tag == "table":
            self.rows = self.tables.setdefault(dict(attrs)["id"], [])
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        if tag not in ("line", "path"):
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.text += data
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data


@pytest.fixture
def build(compare):
    """Returns a function that builds a page of `otb_runs`."""

    def make(thumbnails=None, **options):
        compared = compare(**options)
        return page.build(compared, ORIGIN, "mlt" if "mlt" in compared.scores else "DSST", thumbnails)

    return make


def with_auc(compared, **aucs):
    """Returns a comparison of a tracker with the given AUC of each target."""
    score = compared.scores["mlt"].sequences["Deer"]
    each = {name: score._replace(auc=auc) for name, auc in aucs.items()}
    return compared._replace(scores={"mlt": compared.scores["mlt"]._replace(sequences=each)})


def test_header_says_where_it_comes_from(build):
    read = Reader(build())
    for text in ("2020-02-02 02:02 UTC", "c0ffee", "python -m x", "OTB-2015", "the rules of OTB", "commit beef"):
        assert text in read.text
    assert "PARTIAL: 4 of 100 targets, those that all 3 trackers shown have a result of" in read.text
    assert "settings a=<1>" in read.text and "nothing on record" in read.text
    assert not read.open
    assert "PARTIAL" not in Reader(build(dataset=None, layout="otb")).text


def test_tables_have_the_scores(build):
    tables = Reader(build()).tables
    assert tables["trackers"] == [
        ["tracker", "AUC", "precision", "mean overlap", "fps"],
        ["MLT", "0.952", "1.000", "1.000", "20.0"],
        ["Newcomer", "0.516", "1.000", "0.542", "-"],
        ["DSST", "0.079", "0.083", "0.083", "-"],
    ]
    assert tables["targets"][0] == ["target", "frames", "MLT", "DSST", "Newcomer", "attributes"]
    assert tables["targets"][2] == ["Deer", "12", "0.952", "0.079", "0.516", "MB FM IPR BC LR"]
    assert len(tables["targets"]) == 5


def test_best_of_each_row_is_marked(build):
    cells = [attrs["data-value"] for tag, attrs in Reader(build()).tags if tag == "td" and attrs.get("class") == "best"]
    assert cells == ["0.952"] * 4


def test_page_requests_nothing(build):
    text = build({name: [(1, JPEG)] for name in ("Basketball", "Deer", "Jogging-1", "Jogging-2")})
    assert not re.search(r"(https?:)?//[a-z]", re.sub(r"base64,[\w+/=]+", "", text))
    for tag, attrs in Reader(text).tags:
        assert tag not in ("link", "iframe", "object", "embed", "base")
        assert attrs.get("src", "data:").startswith("data:") and "href" not in attrs
    assert "url(" not in text and "@import" not in text and "default-src 'none'" in text


def test_frames_enter_only_when_given(build):
    without = Reader(build())
    images = [attrs["src"] for tag, attrs in without.tags if tag == "img"]
    assert len(images) == 2 and all(src.startswith("data:image/png") for src in images)  # The two plots.
    assert "none of the data set's are in this page" in without.text
    names = ("Basketball", "Deer", "Jogging-1", "Jogging-2")
    given = Reader(build({name: [(3, JPEG), (9, JPEG)] for name in names}))
    alts = [attrs["alt"] for tag, attrs in given.tags if tag == "img" and "jpeg" in attrs["src"]]
    assert sorted(alts) == sorted(f"frame {n} of {name}" for name in names for n in (3, 9))
    assert "none of the data set's" not in given.text


def test_every_target_has_its_overlaps(build):
    plots = [attrs["aria-label"] for tag, attrs in Reader(build()).tags if tag == "svg"]
    for name in ("Basketball", "Deer", "Jogging-1", "Jogging-2"):
        assert sum(f"{name}, 12 frames: MLT 1.000" in label for label in plots) == 2  # Of all, and best or worst.


@pytest.mark.parametrize(
    ("aucs", "best", "worst"),
    [
        ({"a": 0.1, "b": 0.9, "c": 0.5, "d": 0.7, "e": 0.3, "f": 0.2, "g": 0.6}, "bdg", "afe"),
        ({"a": 0.1, "b": 0.9, "c": 0.5}, "bc", "a"),
        ({"a": 0.1}, "a", ""),
    ],
)
def test_extremes(compare, aucs, best, worst):
    assert page.extremes(with_auc(compare(), **aucs), "mlt") == (list(best), list(worst))


def browse(path, width=1000):
    """Opens a page in a headless browser and returns its document, after scripts."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip("no chromium or google-chrome on this machine")
    profile = f"--user-data-dir={path.parent / 'profile'}"
    options = (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--virtual-time-budget=2000",
        f"--window-size={width},800",
    )
    done = subprocess.run(
        [browser, *options, profile, "--dump-dom", path.as_uri()], capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_browser_sorts_the_table(build, tmp_path):
    press = "document.querySelectorAll('#trackers button')[{}].click();"
    read = "out.push([...document.querySelectorAll('#trackers tbody tr')].map(r => r.cells[0].textContent));"
    script = "let out = [];" + "".join(press.format(column) + read for column in (0, 0, 2, 4, 4))
    script += "document.title = JSON.stringify(out);"
    path = tmp_path / "page.html"
    path.write_text(build().replace("</body>", f"<script>{script}</script></body>"))
    title = re.search(r"<title>(.*?)</title>", browse(path))[1]
    by_name, back, by_precision, by_fps, slowest = json.loads(title)
    assert by_name == ["DSST", "MLT", "Newcomer"] and back == by_name[::-1]
    assert by_precision[-1] == "DSST" and by_fps[0] == "MLT" and slowest[-1] == "MLT"


def test_browser_shows_it_in_a_narrow_window(build, tmp_path):
    names = ("Basketball", "Deer", "Jogging-1", "Jogging-2")
    inner = build({name: [(1, JPEG)] * 4 for name in names})
    script = (
        "window.onload = () => {const inner = document.querySelector('iframe').contentDocument;"
        "document.title = inner.documentElement.scrollWidth + ' ' + inner.images[0].naturalWidth;};"
    )
    path = tmp_path / "narrow.html"
    frame = f'<iframe width="400" height="800" style="border:0" srcdoc="{html.escape(inner)}"></iframe>'
    path.write_text(f"<title></title><script>{script}</script>{frame}")
    width, plot = map(int, re.search(r"<title>(.*?)</title>", browse(path))[1].split())
    assert width <= 400 and plot > 600  # Nothing sticks out, and the pictures are read.
