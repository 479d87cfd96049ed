import functools
import pathlib
import subprocess
import sys
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from absl import flags

from experiments import vot_tracker
from experiments.shared.options import read
from mlt_tf.errors import InputError
from tests.endings import PATIENCE
from tests.trackers import FakeTracker

ROOT = pathlib.Path(__file__).resolve().parents[2]
SIDE = 30  # Of the target that moves by (3, 2) a frame.


class Rectangle:
    type = "rectangle"

    def __init__(self, *numbers):
        self.numbers = numbers

    def bounds(self):
        return self.numbers

    create = classmethod(lambda cls, *numbers: cls(*numbers))


class Polygon(list):
    type = "polygon"


def test_rectangle_and_polygon_become_boxes():
    np.testing.assert_array_equal(vot_tracker.region_to_xywh(Rectangle(1.5, 2, 30, 40)), [1.5, 2, 30, 40])
    corners = Polygon([(10, 20), (40, 5), (50, 25), (20, 45)])
    np.testing.assert_array_equal(vot_tracker.region_to_xywh(corners), [10, 5, 40, 40])
    assert vot_tracker.region_to_xywh(corners).dtype == np.float32
    np.testing.assert_array_equal(vot_tracker.region_to_xywh(Polygon([(0, 1), (4, 2), (2, 7)])), [0, 1, 4, 6])


@pytest.mark.parametrize("region", [SimpleNamespace(type="mask"), Rectangle(1, 2, float("nan"), 4)])
def test_other_regions_are_refused(region):
    with pytest.raises(InputError, match="mask: expected|rectangle has numbers"):
        vot_tracker.region_to_xywh(region)


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((10, 10, 20, 20), (10, 10, 20, 20)),
        ((-9, 40, 20, 20), (-9, 40, 20, 20)),  # Its centre is inside.
        ((40, -50, 20, 30), (40, -15, 20, 30)),
        ((95, 70, 20, 30), (90, 45, 20, 30)),
    ],
)
def test_a_centre_outside_moves_to_the_edge(box, expected):
    moved = vot_tracker.centred_inside(np.array(box, np.float32), (60, 100, 3))
    np.testing.assert_array_equal(moved, expected)


class FakeTrax:
    """A client that has sent its requests already."""

    Region = SimpleNamespace(RECTANGLE="rectangle", POLYGON="polygon")
    Image = SimpleNamespace(PATH="path")
    TraxStatus = SimpleNamespace(QUIT="quit")
    Rectangle = Rectangle

    def __init__(self, *requests):
        self.requests = [*requests, SimpleNamespace(type="quit")]
        self.replies, self.reason, self.greeting = [], None, None

    def Server(self, *greeting, **_):
        self.greeting = greeting
        return SimpleNamespace(wait=lambda: self.requests.pop(0), status=self.replies.append, quit=self.quit)

    def quit(self, reason):
        self.reason = reason


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    """Paths of 5 frames with a textured square."""
    rng, paths = np.random.default_rng(0), []
    background, square = rng.integers(90, 130, (120, 160, 3)), rng.integers(0, 256, (6, 6, 3))
    square = np.kron(square, np.ones((SIDE // 6, SIDE // 6, 1)))
    for i in range(5):
        frame = background.astype(np.uint8)
        frame[40 + 2 * i : 40 + 2 * i + SIDE, 50 + 3 * i : 50 + 3 * i + SIDE] = square
        paths.append(str(tmp_path_factory.getbasetemp() / f"{i:08d}.png"))
        cv2.imwrite(paths[-1], frame)
    return paths


def request(path, *regions):
    kind = "initialize" if regions else "frame"
    image = {"color": SimpleNamespace(path=lambda: path)}
    return SimpleNamespace(type=kind, image=image, objects=[(region, {}) for region in regions] or None)


def test_session(frames):
    trax = FakeTrax(
        request(frames[0], Rectangle(50, 40, 30, 30)),
        request(frames[1]),
        request(frames[2], Polygon([(10, 20), (40, 5), (50, 25), (20, 45)])),
        request(frames[3]),
    )
    vot_tracker.serve(FakeTracker(), trax)
    assert trax.greeting == (["rectangle", "polygon"], ["path"])
    assert [reply[0][0].numbers for reply in trax.replies] == [
        (50, 40, 30, 30),
        (51, 40, 30, 30),
        (10, 5, 40, 40),
        (11, 5, 40, 40),
    ]
    assert [reply[0][1] for reply in trax.replies] == [{"confidence": f"{c:.5f}"} for c in (1, 0.25, 1, 0.25)]
    assert trax.reason is None


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (request("nowhere.jpg"), "nowhere.jpg"),
        (request("nowhere.jpg", Rectangle(1, 2, 3, 4)), "nowhere.jpg"),
        (None, "2 targets at once"),
    ],
)
def test_the_client_is_told_why_a_session_ends(frames, bad, message):
    two = request(frames[0], Rectangle(1, 2, 3, 4), Rectangle(1, 2, 3, 4))
    trax = FakeTrax(request(frames[0], Rectangle(50, 40, 30, 30)), bad or two)
    with pytest.raises(InputError, match=message):
        vot_tracker.serve(FakeTracker(), trax)
    assert message in trax.reason


def test_without_vot_trax(monkeypatch):
    monkeypatch.setitem(sys.modules, "trax", None)
    values = flags.FlagValues()
    vot_tracker.define_flags(values)
    values(["vot_tracker"])
    with pytest.raises(InputError, match=r"pip install 'mlt_tf\[vot\]'"):
        vot_tracker.run(read(vot_tracker.Request, values))


def test_baseline_gets_its_model_files(monkeypatch):
    asked, trax = [], FakeTrax()
    trax.TraxException = ConnectionError
    monkeypatch.setitem(sys.modules, "trax", trax)

    @functools.lru_cache
    def make_tracker(spec):
        asked.append(spec)
        return SimpleNamespace(warm_up=lambda: None)

    monkeypatch.setattr(vot_tracker.trackers, "make_tracker", make_tracker)
    values = flags.FlagValues()
    vot_tracker.define_flags(values)
    values(["vot_tracker", "--baseline=opencv_nano", "--baseline_models=models", "--threads=2"])
    vot_tracker.run(read(vot_tracker.Request, values))
    assert asked == [vot_tracker.trackers.TrackerSpec("opencv_nano", "models", threads=2)]


def test_bad_flags_end_in_one_line():
    pytest.importorskip("trax", reason="vot-trax is not installed")
    command = [sys.executable, "-m", "experiments.vot_tracker", "--config=tau"]
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    said = "vot_tracker: error: --config: 'tau' is not name=value, nor one of fast, reduced"
    assert done.stderr.splitlines()[-1] == said
    assert "Traceback" not in done.stderr


def test_real_session(frames):
    trax = pytest.importorskip("trax", reason="vot-trax is not installed")
    client_of = pytest.importorskip("trax.client").Client
    command = [sys.executable, "-m", "experiments.vot_tracker", "--variant=mlt_mt"]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    process = subprocess.Popen(command, cwd=ROOT, **pipes)
    images = [{"color": trax.FileImage.create(path)} for path in frames]
    try:
        client = client_of(stream=(process.stdin.fileno(), process.stdout.fileno()), log=len)
        x, y = 50, 40
        polygon = trax.Polygon.create([(x, y), (x + SIDE, y), (x + SIDE, y + SIDE), (x, y + SIDE)])
        for start in (polygon, trax.Rectangle.create(x, y, SIDE, SIDE)):  # One process starts twice.
            status, _ = client.initialize(images[0], [(start, {})], {})
            assert status[0][0].type == trax.Region.RECTANGLE
            np.testing.assert_allclose(status[0][0].bounds(), (x, y, SIDE, SIDE))
            for i in range(1, len(images)):
                ((region, properties),), _ = client.frame(images[i], {}, [])
                np.testing.assert_allclose(region.bounds(), (x + 3 * i, y + 2 * i, SIDE, SIDE), atol=5)
                assert 0.3 < float(properties["confidence"]) <= 1
        with pytest.raises(trax.TraxException):
            client.frame({"color": trax.FileImage.create(frames[0] + ".gone")}, {}, [])
        error = process.communicate(timeout=PATIENCE)[1].decode()
    finally:
        process.kill()
    assert process.returncode == 1
    assert error.splitlines()[-1].startswith("vot_tracker: error: ")
    assert ".gone" in error.splitlines()[-1]
    assert "Traceback" not in error
