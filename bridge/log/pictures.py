"""Pictures in a log: how an image or a depth map becomes bytes and comes back."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import cv2
import numpy as np

from tandem.bridge.contract.errors import InvalidOption

DEPTH_UNIT_M = 1e-4  # one step of the 16-bit depth picture; what is farther than 6.5535 m is stored as 6.5535 m


@dataclass(frozen=True)
class PicturePolicy:
    """Which pictures are kept, and how. Only what somebody looked at is ever there to keep.

    Attributes:
        every: keep those of each n-th control step; 0 keeps none.
        format: "jpeg" (small) or "png" (exact).
        quality: of the JPEG, 90 to 100.
        depth: keep depth maps too, as 16-bit PNG in steps of `DEPTH_UNIT_M`.
    """

    every: int = 1
    format: str = "jpeg"
    quality: int = 90
    depth: bool = True

    def __post_init__(self):
        if self.format not in ("jpeg", "png"):
            raise InvalidOption(f"picture format {self.format!r} is unknown; known: jpeg, png")
        if not 90 <= self.quality <= 100:
            raise InvalidOption(f"JPEG quality must be 90 to 100, got {self.quality}: less is no evidence")
        if self.every < 0:
            raise InvalidOption(f"every must be 0 (none) or a positive number of steps, got {self.every}")

    def keeps(self, index: int) -> bool:
        """Whether the pictures of that control step are kept."""
        return self.every > 0 and index % self.every == 0


def encode_image(image: np.ndarray, policy: PicturePolicy) -> bytes:
    """uint8 (H, W, 3) RGB as a JPEG or PNG."""
    options = [cv2.IMWRITE_JPEG_QUALITY, policy.quality] if policy.format == "jpeg" else []
    return _encode(f".{policy.format}", cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2BGR), options)


def encode_depth(depth: np.ndarray) -> bytes:
    """float32 (H, W) metres as a 16-bit PNG; 0 stays 0, "nothing there"."""
    steps = np.clip(np.rint(np.nan_to_num(depth) / DEPTH_UNIT_M), 0, np.iinfo(np.uint16).max)
    return _encode(".png", steps.astype(np.uint16), [cv2.IMWRITE_PNG_COMPRESSION, 1])


def _encode(extension: str, array: np.ndarray, options: list[int]) -> bytes:
    done, data = cv2.imencode(extension, array, options)
    if not done:
        raise ValueError(f"no {extension} can be made of an array {array.dtype}{array.shape}")
    return data.tobytes()


def decode_image(data: bytes) -> np.ndarray:
    """uint8 (H, W, 3) RGB."""
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def decode_depth(data: bytes) -> np.ndarray:
    """float32 (H, W) metres."""
    steps = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return (steps * DEPTH_UNIT_M).astype(np.float32)


def digest(array: np.ndarray) -> bytes:
    """sha256 of the array's own bytes; twice as fast as blake2b where the processor knows it."""
    return hashlib.sha256(np.ascontiguousarray(array).data).digest()
