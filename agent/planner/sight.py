"""A camera's picture out of an observation, refused when there is nothing in it to see."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tandem.agent.planner.model import Picture
from tandem.bridge.contract import PlannerFailed, image_key


def picture_of(observation: Mapping[str, np.ndarray], camera: str) -> Picture:
    """The picture of a camera; `PlannerFailed` if it is missing, no RGB image, or of one colour all over."""
    try:
        pixels = np.asarray(observation[image_key(camera)])
    except KeyError:
        raise PlannerFailed(f"the observation has no picture of camera {camera!r}") from None
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise PlannerFailed(f"the picture of camera {camera!r} is {pixels.dtype} {pixels.shape}, not uint8 (H, W, 3)")
    if (pixels == pixels[0, 0]).all():
        colour = "black" if not pixels[0, 0].any() else "of one colour"
        raise PlannerFailed(f"the picture of camera {camera!r} is {colour} all over: nothing can be seen in it")
    return Picture(camera, pixels)
