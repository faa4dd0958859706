"""An episode as an mp4 that any browser plays: H.264, yuv420p, with its index at the front."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np

from tandem.bridge.contract.errors import LogUnwritable
from tandem.bridge.log.atomic import replacing
from tandem.bridge.log.captions import Caption, Closing, captioned, closed

_QUALITY = {"crf": "20", "preset": "veryfast"}


def write_film(
    path: Path | str,
    frames: Iterable[np.ndarray],
    captions: Iterable[Caption] | Callable[[int], Caption],
    fps: float,
    *,
    closing: Closing | None = None,
    hold_s: float = 2.0,
) -> int:
    """Write a film with a caption under each frame; returns the number of frames in it.

    Args:
        path: the file, `*.mp4`; replaced only once the film is complete.
        frames: uint8 (H, W, 3) RGB, all of one size; read one at a time.
        captions: as many as frames, or a function of the frame's index.
        fps: frames per second.
        closing: the verdict, shown over the last frame.
        hold_s: for how long.

    Raises `LogUnwritable` when there are no frames, or the disk does not take them.
    """
    with replacing(Path(path)) as part:
        pictures = _pictures(frames, captions, closing, round(hold_s * fps))
        first = next(pictures, None)
        if first is None:
            raise LogUnwritable(f"no frames, so no film {path}")
        return _encode(part, first, pictures, fps)


def _pictures(
    frames: Iterable[np.ndarray], captions: Iterable[Caption] | Callable[[int], Caption], closing: Closing | None,
    hold: int,
) -> Iterator[np.ndarray]:
    last = None
    if callable(captions):
        for index, last in enumerate(frames):
            yield captioned(last, captions(index))
    else:
        for last, caption in zip(frames, captions, strict=True):
            yield captioned(last, caption)
    if last is not None and closing is not None:
        card = closed(last, closing)
        for _ in range(max(1, hold)):
            yield card


def _encode(path: Path, first: np.ndarray, rest: Iterator[np.ndarray], fps: float) -> int:
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001), options=_QUALITY)
        stream.height, stream.width = first.shape[:2]
        stream.pix_fmt = "yuv420p"
        count = 0
        for picture in chain([first], rest):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            count += 1
        container.mux(stream.encode(None))
    return count
