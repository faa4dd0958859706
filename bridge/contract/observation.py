"""Observations: what a real robot could measure, and nothing else.

An observation is a mapping from names to numpy arrays. Images may be rendered or fetched only when they are read
(`LazyObservation`), so that a picture which nobody looks at costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np

from tandem.bridge.contract.errors import InvalidObservation
from tandem.bridge.contract.spec import BodySpec

Observation = Mapping[str, np.ndarray]

JOINT_POSITION = "joint_position"  # (n,) rad
JOINT_VELOCITY = "joint_velocity"  # (n,) rad/s
GRIPPER_OPENING = "gripper_opening"  # (1,) 0 closed .. 1 open
TOOL_POSE = "tool_pose"  # (7,) x y z in m, quaternion w x y z, in the base frame
TIME = "time"  # (1,) s, the body's own monotonic clock


def image_key(camera: str) -> str:
    """Key of the uint8 (H, W, 3) RGB image of a camera."""
    return f"image.{camera}"


def depth_key(camera: str) -> str:
    """Key of the float32 (H, W) depth of a camera, metres along its z axis, 0 where there is none."""
    return f"depth.{camera}"


def layout(spec: BodySpec, *, images: bool = True) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """Shape and dtype of every key that a body with this specification delivers."""
    real = np.dtype(np.float64)
    shapes: dict[str, tuple[tuple[int, ...], np.dtype]] = {
        JOINT_POSITION: ((spec.dof,), real),
        JOINT_VELOCITY: ((spec.dof,), real),
        GRIPPER_OPENING: ((1,), real),
        TOOL_POSE: ((7,), real),
        TIME: ((1,), real),
    }
    for camera in spec.cameras if images else ():
        shapes[image_key(camera.name)] = ((camera.height, camera.width, 3), np.dtype(np.uint8))
        if camera.depth:
            shapes[depth_key(camera.name)] = ((camera.height, camera.width), np.dtype(np.float32))
    return shapes


def validate(observation: Observation, spec: BodySpec, *, images: bool = False) -> None:
    """Raise `InvalidObservation` unless every key is there with its shape and dtype, finite, quaternion of length 1.

    Args:
        observation: what came from a body.
        spec: that body's specification.
        images: also read (and so render) every image and depth.
    """
    for key, (shape, dtype) in layout(spec, images=images).items():
        if key not in observation:
            raise InvalidObservation(f"observation lacks {key!r}; it has: {', '.join(observation)}")
        array = observation[key]
        if array.shape != shape or array.dtype != dtype:
            raise InvalidObservation(f"{key!r} is {array.dtype}{array.shape}, the specification says {dtype}{shape}")
        if dtype != np.uint8 and not np.all(np.isfinite(array)):
            raise InvalidObservation(f"{key!r} holds NaN or infinity")
    if abs(np.linalg.norm(observation[TOOL_POSE][3:]) - 1.0) > 1e-3:
        raise InvalidObservation("the quaternion of tool_pose is not of length 1")


def snapshot(observation: Observation, keys: Iterable[str]) -> dict[str, np.ndarray]:
    """A plain copy of some keys, which stays valid after the body has moved on."""
    return {key: np.array(observation[key]) for key in keys}


class LazyObservation(Mapping[str, np.ndarray]):
    """An observation whose images are made when they are first read.

    Args:
        measured: the arrays at hand.
        sources: by key, a function that makes the array; it raises `StaleObservation` once the body has moved on.

    Attributes:
        read: keys of `sources` that somebody has looked at, in order.
    """

    def __init__(self, measured: Mapping[str, np.ndarray], sources: Mapping[str, Callable[[], np.ndarray]]):
        self._arrays, self._sources = dict(measured), dict(sources)
        self._keys = tuple(dict.fromkeys((*self._arrays, *self._sources)))
        self.read: list[str] = []

    def __getitem__(self, key: str) -> np.ndarray:
        if key not in self._arrays:
            self._arrays[key] = self._sources[key]()
            self.read.append(key)
        return self._arrays[key]

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def looked_at(self) -> dict[str, np.ndarray]:
        """The lazily made arrays that were read so far: what the agent really saw."""
        return {key: self._arrays[key] for key in self.read}
