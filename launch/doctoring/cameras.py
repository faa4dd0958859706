"""Whether each camera's pictures come: shape, rate, age when they arrive."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from doctoring.progress import Show
from doctoring.spread import INDENT
from machine import Finding

from tandem.bridge.client import Link
from tandem.bridge.client.pictures import Pictures
from tandem.bridge.contract import TandemError
from tandem.bridge.contract.observation import layout
from tandem.bridge.wire import Port

FRAMES = 20
OLD_MS = 200.0
SLOW_HZ = 5.0


@dataclass(frozen=True, eq=False)
class Reel:
    """Some pictures of one camera.

    Attributes:
        key: of the observation.
        last: the newest.
        taken: when, ns of the controller's clock.
        ages_ms: when they arrived.
    """

    key: str
    last: np.ndarray
    taken: list[int]
    ages_ms: list[float]

    @property
    def rate_hz(self) -> float:
        """By the times at which they were taken; 0 when only one came."""
        return (len(self.taken) - 1) / max((self.taken[-1] - self.taken[0]) * 1e-9, 1e-9)

    @property
    def trouble(self) -> str:
        """"" when there is none."""
        if not self.last.any() or (self.key.startswith("image.") and self.last.min() == self.last.max()):
            return f"{self.key} is all one value"
        if self.rate_hz < SLOW_HZ:
            return f"{self.key} is slow"
        return f"{self.key} is old" if np.median(self.ages_ms) > OLD_MS else ""

    def __str__(self) -> str:
        return f"{self.key} {'x'.join(map(str, self.last.shape))} {self.last.dtype}, {self.rate_hz:.1f} a second, " \
               f"{np.median(self.ages_ms):.1f} ms old (up to {max(self.ages_ms):.1f})"


def cameras(link: Link, seconds: float, show: Show) -> Iterator[Finding]:
    """Every picture that the specification promises, each within some seconds."""
    reels, missing = [], []
    for key in (key for key in layout(link.spec) if "." in key):
        show(f"waiting for {key}", 0.0)
        try:
            reels.append(_reel(link, key, seconds))
        except TandemError as reason:
            missing.append(str(reason))
        show(key, 1.0)
    told = "".join(f"{INDENT}{reel}" for reel in reels)
    troubles = [reel.trouble for reel in reels if reel.trouble]
    if missing:
        yield Finding("cameras", "fail", f"{'; '.join(missing)}{told}", "look at the camera's process and cable")
    elif troubles:
        yield Finding("cameras", "warn", f"{', '.join(troubles)}{told}", "look at lens cap, exposure, USB and network")
    else:
        yield Finding("cameras", "ok", f"{len(reels)} of {len(reels)}{told}" if reels else "the body has none")


def _reel(link: Link, key: str, seconds: float) -> Reel:
    """Up to `FRAMES`, for `seconds` at most; at least one. Raises as `Pictures.first_after`."""
    reader = Pictures(link.context, link.contact, link.ports[Port.MEDIA], link.spec, link.session)
    end, taken, ages_ms = time.monotonic() + seconds, [], []
    try:
        picture, t = reader.first_after(key, link.now(), seconds)
        while True:
            ages_ms.append((link.now() - t) / 1e6)
            taken.append(t)
            left_s = end - time.monotonic()
            if len(taken) == FRAMES or left_s <= 0:
                return Reel(key, picture, taken, ages_ms)
            picture, t = _next(reader, key, t, left_s) or (picture, 0)
            if not t:
                return Reel(key, picture, taken, ages_ms)
    finally:
        reader.close()


def _next(reader: Pictures, key: str, t: int, left_s: float) -> tuple[np.ndarray, int] | None:
    try:
        return reader.first_after(key, t + 1, left_s)
    except TandemError:
        return None
