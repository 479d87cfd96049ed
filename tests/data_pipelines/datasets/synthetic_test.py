"""Tests of the rendered clips, and that the bundled one is no give-away."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from data_pipelines.datasets import synthetic
from mlt_tf import boxes

ASSETS = Path(__file__).parents[3] / "experiments" / "assets"
SMALL = (160, 120)


@pytest.fixture(scope="module")
def demo():
    """Returns the bundled clip as it ships: decoded frames and the boxes of its text file."""
    capture = cv2.VideoCapture(str(ASSETS / "demo.mp4"))
    frames = []
    while (read := capture.read())[0]:
        frames.append(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB))
    truth = np.loadtxt(ASSETS / "demo_groundtruth.txt", delimiter=",", dtype=np.float32)
    return synthetic.Clip(np.stack(frames), truth)


@pytest.fixture(scope="module")
def template_maps(demo):
    """Returns the correlation of the first frame's target patch with every frame, [N, H - h + 1, W - w + 1]."""
    x, y, w, h = np.round(demo.boxes_xywh[0]).astype(int)
    patch = demo.frames[0, y : y + h, x : x + w]
    return np.stack([cv2.matchTemplate(frame, patch, cv2.TM_CCOEFF_NORMED) for frame in demo.frames])


def follow_maxima(maps, first_box, reach):
    """Follows each map's maximum at most `reach` target sides from the last one; the box keeps its size."""
    x, y, w, h = np.round(first_box).astype(int)
    columns, rows = np.arange(maps.shape[2]), np.arange(maps.shape[1])
    track = []
    for values in maps:
        near = (np.abs(columns - x) <= reach * w) & (np.abs(rows - y) <= reach * h)[:, None]
        y, x = np.unravel_index(np.where(near, values, -2).argmax(), values.shape)
        track.append((x, y, w, h))
    return np.array(track, np.float32)


def centres_and_sides(boxes_xywh):
    """Returns centres [N, 2] and the geometric mean of the sides [N]."""
    return boxes_xywh[:, :2] + boxes_xywh[:, 2:] / 2, np.sqrt(np.prod(boxes_xywh[:, 2:], -1))


def test_demo_is_complete_and_small(demo):
    assert demo.frames.shape == (120, 360, 480, 3)
    assert demo.boxes_xywh.shape == (120, 4)
    assert (ASSETS / "demo.mp4").stat().st_size < 2_000_000


def test_demo_is_what_the_generator_renders(demo):
    clip = synthetic.render_clip(frames=10)
    np.testing.assert_allclose(demo.boxes_xywh[:10], clip.boxes_xywh, atol=1e-3)
    error = np.abs(demo.frames[:10].astype(int) - clip.frames)
    assert error.mean() < 5, "colours swapped, or the video's quality is poor"


def test_a_box_that_never_moves_loses_the_demo(demo):
    assert boxes.iou(demo.boxes_xywh[:1], demo.boxes_xywh).mean() < 0.3


@pytest.mark.parametrize("reach", [0.5, 1, 2, np.inf])
def test_template_matching_loses_the_demo(demo, template_maps, reach):
    track = follow_maxima(template_maps, demo.boxes_xywh[0], reach)
    overlaps = boxes.iou(track, demo.boxes_xywh)
    assert overlaps[0] > 0.9
    assert overlaps.mean() < 0.3


def test_demo_moves_and_changes_gently_but_far(demo):
    centre, side = centres_and_sides(demo.boxes_xywh)
    step = np.linalg.norm(np.diff(centre, axis=0), axis=-1)
    assert step.max() < 8
    assert (step / side[1:]).max() < 0.2
    assert np.abs(np.diff(np.log(side))).max() < np.log(1.035)  # no more than one scale step of the tracker
    assert np.linalg.norm(centre - centre[0], axis=-1).max() > 4 * side[0]
    assert side.max() / side[0] > 1.2 and side.min() / side[0] < 0.8 and side.max() / side.min() > 1.6


def test_same_seed_gives_the_same_pixels_and_another_seed_does_not():
    one, same, other = (synthetic.render_clip(seed, frames=4, size=SMALL) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.frames, same.frames)
    np.testing.assert_array_equal(one.boxes_xywh, same.boxes_xywh)
    assert np.abs(one.frames.astype(int) - other.frames).mean() > 1
    assert not np.allclose(one.boxes_xywh, other.boxes_xywh, atol=1)


def test_fewer_frames_are_the_start_of_the_same_clip():
    short, long = (synthetic.render_clip(frames=n, size=SMALL) for n in (2, 5))
    np.testing.assert_array_equal(short.frames, long.frames[:2])
    np.testing.assert_array_equal(short.boxes_xywh, long.boxes_xywh[:2])


@pytest.mark.parametrize("size", [SMALL, (96, 128), (320, 64)])
@pytest.mark.parametrize("seed", range(4))
def test_boxes_lie_inside_the_frame(seed, size):
    clip = synthetic.render_clip(seed, frames=130, size=size)
    assert clip.frames.shape == (130, size[1], size[0], 3) and clip.frames.dtype == np.uint8
    assert clip.boxes_xywh.shape == (130, 4) and clip.boxes_xywh.dtype == np.float32
    assert (clip.boxes_xywh[:, :2] >= 0).all() and (clip.boxes_xywh[:, 2:] > 4).all()
    assert (clip.boxes_xywh[:, :2] + clip.boxes_xywh[:, 2:] <= size).all()


@pytest.mark.parametrize("scale, degrees", [(1.0, 0.0), (0.7, 25.0), (1.45, -25.0)])
def test_box_bounds_the_painted_target(scale, degrees):
    cup = synthetic._scenery(480, 360)[1]
    motion = synthetic._Motion(np.array([[200.3, 150.8]]), np.array([scale]), np.array([degrees]))
    silhouette = np.dstack([np.full((*cup.rgba.shape[:2], 3), 255, np.uint8), cup.rgba[..., 3]])
    black = np.zeros((360, 480, 3), np.float32)
    painted = synthetic._paste(black, silhouette, synthetic._placement(cup, motion, 0))[..., 0] > 127
    np.testing.assert_allclose(synthetic._bounds(cup, motion)[0], cv2.boundingRect(painted.astype(np.uint8)), atol=1.3)


@pytest.mark.parametrize("arguments", [{"frames": 0}, {"size": (480, 20)}])
def test_a_clip_that_cannot_be_rendered_is_refused(arguments):
    with pytest.raises(ValueError, match="sides of 64 pixels"):
        synthetic.render_clip(**arguments)


def test_written_clip_reads_back(tmp_path):
    clip = synthetic.render_clip(frames=3, size=SMALL)
    video, truth = synthetic.write_clip(clip, tmp_path / "new" / "clip.a")
    assert (video.name, truth.name) == ("clip.a.mp4", "clip.a_groundtruth.txt")
    np.testing.assert_allclose(np.loadtxt(truth, delimiter=","), clip.boxes_xywh, atol=6e-4)
    read, frame = cv2.VideoCapture(str(video)).read()
    assert read and np.abs(frame[..., ::-1].astype(int) - clip.frames[0]).mean() < 8


def test_a_place_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "clip.mp4").mkdir()
    with pytest.raises(OSError, match="cannot write an MP4"):
        synthetic.write_clip(synthetic.render_clip(frames=1, size=SMALL), tmp_path / "clip")


def test_rendering_needs_no_tensorflow():
    code = "import sys, data_pipelines.datasets.synthetic; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ASSETS.parents[1], check=False).returncode == 0
