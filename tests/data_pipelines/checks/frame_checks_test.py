"""Tests of looking at frames, on files made and damaged here."""

import os

import cv2
import numpy as np
import pytest

from data_pipelines.checks import faults, frame_checks
from data_pipelines.checks.frame_checks import Chunk
from data_pipelines.datasets import trajectories

WIDTH, HEIGHT = 64, 48
BOX = (8.0, 8.0, 20.0, 20.0)


def encoded(ending=".jpg"):
    """Returns a picture's file."""
    picture = np.random.default_rng(0).integers(0, 255, [HEIGHT, WIDTH, 3]).astype(np.uint8)
    return cv2.imencode(ending, picture)[1].tobytes()


def make_chunk(folder, files, boxes=None):
    """Writes files, None for one that is not there, and returns a chunk of them."""
    for number, data in enumerate(files):
        if data is not None:
            (folder / f"{number:04d}.jpg").write_bytes(data)
    paths = tuple(str(folder / f"{number:04d}.jpg") for number in range(len(files)))
    return Chunk("video", paths, np.array(boxes or [BOX] * len(files), np.float32)[:, None])


def found(tally):
    """Returns what is wrong, as {kind: file names}."""
    kinds = {fault.kind for fault in tally.faults}
    return {kind: sorted(os.path.basename(f.where) for f in tally.faults if f.kind == kind) for kind in kinds}


DAMAGED = {
    "half a JPEG": (faults.CUT_SHORT, lambda: encoded()[:-400]),
    "a JPEG without its last bytes, padded": (faults.CUT_SHORT, lambda: encoded()[:-2] + bytes(300)),
    "the start of a JPEG": (faults.CUT_SHORT, lambda: encoded()[:20]),
    "half a PNG": (faults.CUT_SHORT, lambda: encoded(".png")[:-400]),
    "a PNG without its end": (faults.CUT_SHORT, lambda: encoded(".png")[:-12]),
    "nothing": (faults.EMPTY, lambda: b""),
    "a page of a web server": (faults.UNDECODABLE, lambda: b"<html>404</html>" * 20),
    "no file": (faults.MISSING, lambda: None),
}


@pytest.mark.parametrize("which", frame_checks.FRAMES)
@pytest.mark.parametrize(("kind", "make"), DAMAGED.values(), ids=DAMAGED)
def test_damaged_frame_is_found_whether_decoded_or_not(tmp_path, kind, make, which):
    motion_photo = encoded() + b"\0\0\0\x18ftypmp42" + b"a video\xff\xda" * 99
    chunk = make_chunk(tmp_path, [encoded(), encoded(".png"), make(), encoded() + b"bytes behind" * 9, motion_photo])
    chunks = frame_checks.split(chunk, which)
    assert found(frame_checks.check_all(chunks, 1)) == {kind: ["0002.jpg"]}


def test_damage_that_only_decoding_shows(tmp_path):
    broken = bytearray(encoded(".png"))
    broken[len(broken) // 2] ^= 255
    chunk = make_chunk(tmp_path, [encoded(), bytes(broken), encoded()])
    assert found(frame_checks.check_all(frame_checks.split(chunk, "all"), 1)) == {faults.UNDECODABLE: ["0001.jpg"]}
    assert found(frame_checks.check_all(frame_checks.split(chunk, "ends"), 1)) == {}


@pytest.mark.parametrize(("which", "decoded"), [("all", 300), ("ends", 2), ("none", 0)])
def test_frames_are_decoded_as_asked_and_each_is_looked_at_once(tmp_path, which, decoded):
    chunk = make_chunk(tmp_path, [encoded()] * 300)
    chunks = frame_checks.split(chunk, which)
    assert sum((part.frames for part in chunks), ()) == chunk.frames
    done = []
    tally = frame_checks.check_all(chunks, 1, done.append)
    assert sum(done) == 300 and tally.faults == []
    assert tally.totals["image files there"] == tally.totals["image files complete"] == 300
    assert tally.totals["image files decodable"] == decoded
    assert tally.totals["boxes with an area"] == 300
    assert tally.totals["boxes inside the frame"] == (300 if decoded else 0)


@pytest.mark.parametrize("which", ["all", "ends"])
@pytest.mark.parametrize(
    ("box", "kind"),
    [
        ((8, 8, 0, 5), trajectories.NO_AREA),
        ((8, 8, 5, -1), trajectories.NO_AREA),
        ((64, 8, 5, 5), trajectories.OUTSIDE),
        ((8, 48, 5, 5), trajectories.OUTSIDE),
        ((-5, 8, 5, 5), trajectories.OUTSIDE),
        ((8, -5, 5, 5), trajectories.OUTSIDE),
        ((-4, -4, 5, 5), None),
        ((0, 0, 64, 48), None),
        ((63, 47, 5, 5), None),
        ((np.nan, np.nan, np.nan, np.nan), None),
    ],
)
def test_boxes_are_judged_by_the_size_of_the_frame(tmp_path, which, box, kind):
    chunk = make_chunk(tmp_path, [encoded()] * 3, [BOX, box, BOX])
    tally = frame_checks.check_all(frame_checks.split(chunk, which), 1)
    assert found(tally) == ({kind: ["0001.jpg"]} if kind else {})
    assert all(fault.detail.startswith("x, y, w, h = ") for fault in tally.faults)


def test_several_processes_find_what_one_finds(tmp_path):
    chunk = make_chunk(tmp_path, [b"" if number % 7 == 0 else encoded() for number in range(300)])
    chunks = frame_checks.split(chunk, "all")
    one, two = (frame_checks.check_all(chunks, jobs) for jobs in (1, 2))
    assert len(one.faults) == 43
    assert sorted(one.faults) == sorted(two.faults) and one.totals == two.totals


def test_a_frame_that_kills_its_process_is_a_fault_and_the_others_are_looked_at(tmp_path, deadly_frames):
    files = [encoded()] * 40
    files[3], files[20], files[21] = deadly_frames, b"", deadly_frames
    chunk = make_chunk(tmp_path, files)
    done = []
    tally = frame_checks.check_all([chunk.part(i, i + 8) for i in range(0, 40, 8)], 2, done.append)
    assert found(tally) == {faults.UNDECODABLE: ["0003.jpg", "0021.jpg"], faults.EMPTY: ["0020.jpg"]}
    assert {f.detail for f in tally.faults if f.kind == faults.UNDECODABLE} == {"the decoder dies on it"}
    assert sum(done) == 40


@pytest.fixture
def deadly_frames(tmp_path, monkeypatch):
    """Returns a file that kills the process that decodes it, by way of a start-up file of the processes' Python."""
    (tmp_path / "startup").mkdir()
    (tmp_path / "startup" / "sitecustomize.py").write_text(
        "import os, cv2\n"
        "decode = cv2.imdecode\n"
        "cv2.imdecode = lambda data, flags: os._exit(1) if bytes(data[2:8]) == b'deadly' else decode(data, flags)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "startup"), prepend=os.pathsep)
    return b"BMdeadly"


def test_nothing_reaches_the_screen(tmp_path, capfd):
    frame_checks.check_chunk(make_chunk(tmp_path, [encoded(".png")[:-12] + b"IEND", encoded()[:-600] + b"\xff\xd9"]))
    assert capfd.readouterr() == ("", "")
    os.write(2, b"afterwards it does")
    assert capfd.readouterr().err == "afterwards it does"


def test_annotated_frames(tmp_path):
    def annotate(number, size=(WIDTH, HEIGHT), corners=((0, 0, 8, 9),)):
        path = tmp_path / "Annotations" / "VID" / f"{number}.xml"
        path.parent.mkdir(parents=True, exist_ok=True)
        objects = "".join(
            f"<object><trackid>{trackid}</trackid><name>n01</name><bndbox><xmin>{a}</xmin><ymin>{b}</ymin>"
            f"<xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>"
            for trackid, (a, b, c, d) in enumerate(corners)
        )
        size = f"<size><width>{size[0]}</width><height>{size[1]}</height></size>"
        path.write_text(f"<annotation>{size}{objects}</annotation>")
        return str(path)

    xml = [
        annotate(0),
        annotate(1, size=(WIDTH, HEIGHT + 1)),
        annotate(2, corners=[(0, 0, 8, 9), (5, 5, 5, 9), (64, 0, 70, 9)]),
        annotate(3, corners=[]),
        annotate(4),
        str(tmp_path / "Annotations" / "VID" / "5.xml"),
    ]
    with open(xml[5], "w") as file:
        file.write("<annotation>")
    (tmp_path / "Data" / "VID").mkdir(parents=True)
    images = tuple(map(trajectories.image_path, xml))
    for number in (0, 1, 2, 3, 5):
        with open(images[number], "wb") as file:
            file.write(encoded())
    tally = frame_checks.check_chunk(Chunk("video", images, annotations=tuple(xml)))
    assert found(tally) == {
        faults.WRONG_SIZE: ["1.JPEG"],
        trajectories.NO_AREA: ["2.xml"],
        trajectories.OUTSIDE: ["2.xml"],
        faults.MISSING: ["4.JPEG"],
        faults.BAD_ANNOTATION: ["5.xml"],
    }
    assert [f.detail for f in tally.faults if f.kind == faults.WRONG_SIZE] == ["64x48, not 64x49"]
    assert tally.trajectories == {"video/0"}
    assert tally.totals["boxes with an area"] == 6 and tally.totals["image files of annotated size"] == 4
