"""Pictures into mp4 and back, each at its exact time: frame k of a file at k / fps, no B-frames, every second a key."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tandem.bridge.contract.errors import InvalidOption, UnusableDataset
from tandem.bridge.datasets.scheduling import schedules_kept

KEY_EVERY = 2  # frames: a reader that jumps decodes two at most
# crf: about the same closeness; presets that keep up with a camera on one core.
CODECS = {
    "h264": ("libx264", {"crf": "18", "preset": "veryfast", "bf": "0", "g": str(KEY_EVERY)}),
    "av1": ("libsvtav1", {"crf": "30", "preset": "12", "g": str(KEY_EVERY), "svtav1-params": "pred-struct=1"}),
}
PIXELS = "yuv420p"


def check_codec(codec: str) -> None:
    """Raise `InvalidOption` for a codec that is not in the table."""
    if codec not in CODECS:
        raise InvalidOption(f"codec {codec!r} is unknown; known: {', '.join(CODECS)}")


class VideoFile:
    """One mp4 that frames are appended to.

    Args:
        path: the file to make.
        width: pixels, even.
        height: pixels, even.
        fps: frames per second.
        codec: a key of `CODECS`.

    Attributes:
        frames: how many it holds.
    """

    def __init__(self, path: Path, width: int, height: int, fps: float, codec: str):
        if width % 2 or height % 2:
            raise UnusableDataset(f"a video in {PIXELS} has an even width and height, this camera {width}x{height}")
        os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 tells its settings on stderr; 1: errors only
        name, options = CODECS[codec]
        rate = Fraction(fps).limit_denominator(1001)
        self.path, self.frames, self._step = path, 0, 1 / rate
        self._container = av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"})
        self._stream = self._container.add_stream(name, rate=rate, options=options)
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, PIXELS
        self._stream.codec_context.time_base = self._step
        with schedules_kept():
            self._stream.codec_context.open()

    def add(self, image: np.ndarray) -> None:
        """Append one uint8 (H, W, 3) RGB."""
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        frame.pts, frame.time_base = self.frames, self._step
        self._container.mux(self._stream.encode(frame))
        self.frames += 1

    def close(self) -> None:
        """Write what the encoder holds back, and the index."""
        self._container.mux(self._stream.encode(None))
        self._container.close()


def frames_between(path: Path, start_s: float, count: int, fps: float) -> Iterator[np.ndarray]:
    """`count` images uint8 (H, W, 3) of a file, the first at `start_s`; raises `UnusableDataset` where one lacks."""
    with video_damage_named(path), av.open(str(path)) as container:
        stream, half = container.streams.video[0], 0.5 / fps
        container.seek(int(max(0.0, start_s - half) / stream.time_base), stream=stream)
        decoded = container.decode(stream)
        for number in range(count):
            due_s = start_s + number / fps
            frame = next((one for one in decoded if one.pts * stream.time_base > due_s - half), None)
            if frame is None or frame.pts * stream.time_base > due_s + half:
                raise UnusableDataset(f"{path} has no frame at {due_s:.3f} s, the dataset says it has")
            yield frame.to_ndarray(format="rgb24")


@contextmanager
def video_damage_named(path: Path) -> Iterator[None]:
    """Turns what a decoder stumbles over into `UnusableDataset`."""
    try:
        yield
    except (av.FFmpegError, IndexError, ValueError, TypeError, OverflowError) as reason:
        raise UnusableDataset(f"{path} is missing or no video: {reason}") from reason
