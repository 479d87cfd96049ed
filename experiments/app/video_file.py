"""Writes a video that browsers play: H.264 (yuv420p) in MP4, each picture at its own time.

While it is written it is a fragmented MP4, which plays at any moment, up to the last picture or the one before;
`finish` makes a plain one of it, with an index. Where PyAV has no H.264 encoder, OpenCV writes MPEG-4, which few
browsers play, at one rate, and which plays once it is finished.
"""

import contextlib
import os
import pathlib
from fractions import Fraction

import av
import cv2
import numpy as np

from mlt_tf import files
from mlt_tf.errors import InputError

_ENCODERS = ("libx264", "libopenh264")
_TICKS = 1000  # Of a file's clock, in the time of a frame.
_FRAGMENTED = {"movflags": "frag_every_frame+empty_moov+default_base_moof", "flush_packets": "1"}
# Without frames that wait for later ones, so that what was given is written.
_SETTINGS = {"libx264": {"preset": "veryfast", "crf": "20", "tune": "zerolatency"}}


class VideoFile:
    """A video that is being written: `write` the pictures, then `finish` it, or `close` it as it is."""

    def __init__(self, path: pathlib.Path, fps: float):
        """Writes nothing yet.

        Args:
          path: The file.
          fps: Frames a second, for pictures without a time.
        """
        self._path, self._fps, self._out = path, fps, None
        self._frames, self._first, self._pts = 0, 0.0, -1

    def write(self, picture: np.ndarray, time: float | None) -> None:
        """Writes a picture.

        Args:
          picture: [H, W, 3], uint8, RGB; the last row or column of odd sizes is left out.
          time: Seconds at which it is shown; the video begins with the first's. None: a frame's after the one before.

        Raises:
          InputError: It cannot be encoded.
          OSError: It cannot be written.
        """
        height, width = (size - size % 2 for size in picture.shape[:2])
        self._out = self._out or _open(self._path, self._fps, height, width)
        self._first = time if self._frames == 0 and time is not None else self._first
        now = None if time is None else round((time - self._first) * self._out.clock)
        after = self._pts + (_TICKS if self._frames else 1)
        self._pts = after if now is None else max(now, self._pts + 1)
        self._frames += 1
        self._out.write(np.ascontiguousarray(picture[:height, :width]), self._pts)

    def close(self) -> None:
        """Ends the file as it is."""
        if self._out:
            out, self._out = self._out, None
            out.close()

    def finish(self) -> None:
        """Ends the file, and makes it one with an index.

        Raises:
          InputError: It is not whole.
          OSError: It cannot be written.
        """
        indexed = self._out is not None and self._out.needs_index
        self.close()
        count = _add_index(self._path) if indexed else _count_frames(self._path)
        if count != self._frames:
            raise InputError(f"'{self._path}' came out short: is the disk full? Free some space and run again")


def _open(path: pathlib.Path, fps: float, height: int, width: int) -> "_H264 | _Mpeg4":
    for name in _ENCODERS:
        if name in av.codecs_available:
            with contextlib.suppress(av.FFmpegError, ValueError):  # Too small for it, say.
                return _H264(path, name, fps, height, width)
    return _Mpeg4(path, fps, height, width)


class _H264:
    """A fragmented MP4."""

    needs_index = True

    def __init__(self, path, encoder, fps, height, width):
        self.clock = round(fps * _TICKS)
        self._file = av.open(os.fspath(path), "w", format="mp4", options=_FRAGMENTED)
        self._stream = self._file.add_stream(encoder, rate=Fraction(self.clock, _TICKS))
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, "yuv420p"
        self._stream.codec_context.time_base = Fraction(1, self.clock)
        self._stream.codec_context.gop_size = max(1, round(fps))
        self._stream.options = _SETTINGS.get(encoder, {})
        self._stream.codec_context.open()

    def write(self, picture, pts):
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = pts, Fraction(1, self.clock)
        self._mux(frame)

    def close(self):
        try:
            self._mux(None)
        finally:
            self._file.close()

    def _mux(self, frame):
        with _as_os_error():
            for packet in self._stream.encode(frame):
                self._file.mux(packet)


class _Mpeg4:
    """OpenCV's file."""

    needs_index = False

    def __init__(self, path, fps, height, width):
        self.clock = round(fps * _TICKS)
        fps = round(fps, 3 if fps < 60 else 2 if fps < 600 else 0)  # MPEG-4 holds no finer rates.
        self._file = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), fps, (width, height))
        if not self._file.isOpened():
            raise InputError(f"no encoder can write '{path}' ({width}x{height}, {fps:g} fps): give --nosave_video")

    def write(self, picture, pts):
        self._file.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))

    def close(self):
        self._file.release()


def _add_index(path: pathlib.Path) -> int:
    """Makes a fragmented MP4 a plain one, without encoding it anew; returns the number of its pictures."""
    count = 0
    with files.whole(path) as (partial,), _as_os_error(), av.open(os.fspath(path)) as given:
        stream = given.streams.video[0]
        with av.open(partial, "w", format="mp4", options={"movflags": "faststart"}) as out:
            copy = out.add_stream_from_template(stream)
            for packet in given.demux(stream):
                if packet.dts is not None:  # The last is empty.
                    packet.stream = copy
                    out.mux(packet)
                    count += 1
    return count


def _count_frames(path: pathlib.Path) -> int:
    capture = cv2.VideoCapture(str(path))
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if capture.isOpened() else 0
    capture.release()
    return count


@contextlib.contextmanager
def _as_os_error():
    try:
        yield
    except av.FFmpegError as error:
        if isinstance(error, OSError):
            raise
        raise OSError(error.errno, error.strerror) from error
