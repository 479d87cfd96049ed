"""Tests of the command that renders the bundled clip."""

import cv2
import numpy as np
import pytest
from absl import flags

from data_pipelines.datasets import annotations, synthetic
from experiments import make_demo_clip
from experiments.app import demo_clip


@pytest.fixture
def short(monkeypatch):
    """Has three frames be rendered."""
    render = synthetic.render_clip
    monkeypatch.setattr(synthetic, "render_clip", lambda seed: render(seed, frames=3))


def test_default_is_the_bundled_clip():
    values = flags.FlagValues()
    make_demo_clip.define_flags(values)
    values(["make_demo_clip"])
    assert (f"{values.out}.mp4", f"{values.out}_groundtruth.txt") == (str(demo_clip.CLIP), str(demo_clip.TRUTH))
    assert demo_clip.CLIP.is_file()
    rendered = synthetic.render_clip(values.seed, frames=1)
    np.testing.assert_allclose(annotations.read_rows(demo_clip.TRUTH)[:1], rendered.boxes_xywh, atol=6e-4)


def test_clip_and_truth_are_written_and_told(run_binary, short, tmp_path, capsys):
    run_binary(make_demo_clip, out=tmp_path / "new" / "clip", seed=3)
    video, truth = tmp_path / "new" / "clip.mp4", tmp_path / "new" / "clip_groundtruth.txt"
    assert capsys.readouterr().out.split() == [str(video), str(truth)]
    expected = synthetic.render_clip(3)
    np.testing.assert_allclose(annotations.read_rows(truth), expected.boxes_xywh, atol=6e-4)
    read, frame = cv2.VideoCapture(str(video)).read()
    assert read and np.abs(frame[..., ::-1].astype(int) - expected.frames[0]).mean() < 8


@pytest.mark.parametrize(
    ("out", "fault"), [("", "--out='': give a name"), ("/dev/null/clip", "cannot write /dev/null/clip.mp4: .*--out")]
)
def test_place_that_cannot_be_written_is_told_in_one_line(run_binary, short, out, fault):
    with pytest.raises(SystemExit, match=f"make_demo_clip: error: {fault}"):
        run_binary(make_demo_clip, out=out)


def test_negative_seed_is_refused(run_binary):
    with pytest.raises(flags.IllegalFlagValueError, match="seed"):
        run_binary(make_demo_clip, seed=-1)
