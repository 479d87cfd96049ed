"""Moving pictures: how many frames, how long, and what their strip of scores shows."""

import cv2
import numpy as np
import pytest

from experiments.figures import moving_picture
from mlt_tf.errors import InputError


def test_picture_moves_at_the_clips_pace(tmp_path):
    frames = [np.full([60, 80, 3], (10 * n, 0, 200), np.uint8) for n in range(7)]
    path = tmp_path / "new" / "demo.webp"
    moving_picture.write(path, frames, np.linspace(0.2, 0.8, 7), [False] * 7, fps=25.0, every=2)
    read, found = cv2.imreadanimation(str(path))
    assert read and list(found.durations) == [80] * 4 and found.loop_count == 0  # For ever.
    assert found.frames[0].shape[:2] == (60 + moving_picture.STRIP, 80)
    for n, frame in enumerate(found.frames):
        np.testing.assert_allclose(frame[:60, :, :3].mean((0, 1)), (200, 0, 20 * n), atol=6)  # BGR.


def test_strip_shows_what_was_until_now():
    updated = [False, False, True, False, False, True]
    scores = [0.0, 0.5, 1.0, 0.5, 0.0, 0.5]

    def columns_of(colour, now):
        return np.flatnonzero((moving_picture.strip(scores, updated, now, 416)[0] == colour).all(-1))

    assert columns_of(moving_picture.UPDATE, 1).size == 0
    assert list(columns_of(moving_picture.UPDATE, 3)) == [168]  # Frame 2 of 0 to 5, from 8 to 407.
    assert list(columns_of(moving_picture.UPDATE, 5)) == [168, 407]
    high, low = (moving_picture.strip(scores, updated, now, 416) for now in (2, 4))
    assert (high[8, 168] == moving_picture.LINE).all() and (low[46, 327] == moving_picture.LINE).all()
    assert not (high[:, 180:] == moving_picture.LINE).all(-1).any()


@pytest.mark.parametrize("name", ["demo.gif", "file/demo.webp"])
def test_bad_name_ends_in_one_line(tmp_path, name):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=name.replace(".", r"\.")) as caught:
        moving_picture.write(tmp_path / name, [np.zeros([8, 8, 3], np.uint8)], [0.5], [False], 25.0)
    assert "\n" not in str(caught.value)
