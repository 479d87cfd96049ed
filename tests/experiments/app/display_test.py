"""Tests of display, with OpenCV's windows replaced."""

import cv2
import numpy as np
import pytest

from experiments.app import display
from mlt_tf.errors import InputError

RED = np.full((4, 5, 3), (255, 0, 0), np.uint8)


@pytest.mark.parametrize("name", ["DISPLAY", "WAYLAND_DISPLAY"])
def test_display_is_told_by_the_environment(monkeypatch, name):
    monkeypatch.setattr(display.sys, "platform", "linux")
    for each in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(each, raising=False)
    assert not display.has_display()
    monkeypatch.setenv(name, ":0")
    assert display.has_display()


@pytest.mark.parametrize("key, go_on", [(-1, True), (ord("x"), True), (ord("q"), False), (27, False)])
def test_live_window_shows_right_colours_and_stops_on_keys(monkeypatch, key, go_on):
    shown = []
    monkeypatch.setattr(cv2, "imshow", lambda title, image: shown.append(image))
    monkeypatch.setattr(cv2, "waitKey", lambda milliseconds: key)
    assert display.show(RED) is go_on
    np.testing.assert_array_equal(shown[0][0, 0], [0, 0, 255])


def test_dragged_box_is_returned(monkeypatch):
    monkeypatch.setattr(cv2, "selectROI", lambda title, image, showCrosshair: (1, 2, 3, 4))
    monkeypatch.setattr(cv2, "destroyWindow", lambda title: None)
    box_xywh = display.select_box(RED)
    assert box_xywh.dtype == np.float32
    np.testing.assert_array_equal(box_xywh, [1, 2, 3, 4])


def test_cancelled_drag_is_an_error(monkeypatch):
    monkeypatch.setattr(cv2, "selectROI", lambda title, image, showCrosshair: (0, 0, 0, 0))
    monkeypatch.setattr(cv2, "destroyWindow", lambda title: None)
    with pytest.raises(InputError, match="no box was drawn"):
        display.select_box(RED)


def test_opencv_without_windows_is_an_error(monkeypatch):
    def no_windows(*_, **__):
        raise cv2.error("not implemented")

    monkeypatch.setattr(cv2, "selectROI", no_windows)
    monkeypatch.setattr(cv2, "imshow", no_windows)
    for window in (display.select_box, display.show):
        with pytest.raises(InputError, match="cannot open a window"):
            window(RED)
