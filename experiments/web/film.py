"""A clip's frames as JPEGs, decoded once and in order: frame n of the page is frame n of the tracker.

Seeking in a video lands near a frame, not on it. So one thread decodes the clip from its start and keeps the frames,
reduced to what a page shows, in a temporary file, from which any of them comes at once.
"""

import contextlib
import os
import tempfile
import threading
from collections.abc import Callable

import cv2
import numpy as np

from data_pipelines.datasets import video
from mlt_tf.errors import InputError

LONGEST_SIDE = 1280  # Pixels, of the frames that are kept.
QUALITY = 85
_TELL_EVERY = 25  # Frames.


class Film:
    """The frames of a clip, more and more of them until it is `done`. Any thread may ask for them.

    Attributes:
      name: The clip's, fit for a folder.
      fps: Frames a second; None where nothing says.
      expected: How many frames its header says; None where it does not.
      size_wh: Its frames' size, once there is one.
      damaged: Numbers of the frames that do not decode; the picture before stands for each.
      done: Whether there will be no more.
      error: What ended it too early, a line; else None.
    """

    def __init__(self, spec: str, told: Callable[[], None] = lambda: None):
        """Opens a clip and begins to decode it.

        Args:
          spec: A video file, or a folder or glob of images.
          told: Is called now and then when there is more, and at the end; by the thread that decodes.

        Raises:
          InputError: It cannot be opened, or is a camera or an address, whose frames come but once.
        """
        self._source = video.open_source(spec)
        if self._source.live or "://" in spec:
            self._source.pictures.close()
            raise InputError("the page needs a clip that can be read twice: record a camera or an address to a file")
        self.name, self.fps, self.expected = self._source.name, self._source.fps, self._source.length
        self.size_wh: tuple[int, int] | None = None
        self.damaged: list[int] = []
        self.done, self.error = False, None
        self._file = tempfile.TemporaryFile(prefix="mlt_web")  # noqa: SIM115
        self._places: list[tuple[int, int]] = []
        self._told, self._closed, self._lock = told, threading.Event(), threading.Lock()
        self._thread = threading.Thread(target=self._decode, name="film", daemon=True)
        self._thread.start()

    def __len__(self):
        return len(self._places)

    def jpeg(self, index: int) -> bytes | None:
        """Returns a frame; None where it is not decoded, yet or ever."""
        if not 0 <= index < len(self._places):
            return None
        start, size = self._places[index]
        with self._lock:
            return None if self._file.closed else os.pread(self._file.fileno(), size, start)

    def close(self) -> None:
        """Ends the decoding and removes the frames."""
        self._closed.set()
        self._thread.join()
        with self._lock:
            self._file.close()

    def _decode(self) -> None:
        try:
            with self._source as source, contextlib.closing(source.frames()) as frames:
                for frame in frames:
                    if self._closed.is_set():
                        return
                    self._keep(frame)
                    if frame.index % _TELL_EVERY == 0:
                        self._told()
        except InputError as error:
            self.error = str(error)
        except OSError as error:
            self.error = f"the frames end here, temporary files cannot be written: {error.strerror}"
        except Exception as error:  # A bug must show in the page, not in a thread that ends unseen.
            self.error = f"{type(error).__name__}: {error}"
        self.done = True
        self._told()

    def _keep(self, frame: video.Frame) -> None:
        data, start = encode(frame.image), sum(self._places[-1]) if self._places else 0
        self._file.seek(start)
        self._file.write(data)
        self._file.flush()
        self.size_wh = (frame.image.shape[1], frame.image.shape[0])
        self.damaged += [] if frame.decoded else [frame.index]
        self._places.append((start, len(data)))


def encode(image: np.ndarray) -> bytes:
    """Makes a JPEG of an RGB picture, its longest side at most `LONGEST_SIDE`."""
    scale = LONGEST_SIDE / max(image.shape[:2])
    if scale < 1:
        size_wh = [max(1, round(side * scale)) for side in image.shape[1::-1]]
        image = cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return data.tobytes()
