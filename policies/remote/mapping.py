"""Which key of ours is which key of a server: cameras, state, action and words, each with size, order and unit.

A map is data. It is checked against the body and against what the server tells of itself before anything moves, and
`lines` prints it for a person to look over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tandem.bridge.contract import ActionKind, BodySpec, InvalidOption, SpecMismatch
from tandem.policies.remote.parts import GRIPPER_PARTS, JOINT_PARTS, STATE_PARTS, Part, Slot

_DTYPES = ("<f4", "<f8")


@dataclass(frozen=True)
class CameraKey:
    """One camera.

    Attributes:
        ours: the camera's name.
        theirs: the server's key.
        size: width and height in pixels that the server wants; None sends pictures as they are.
        channels_first: (3, h, w) instead of (h, w, 3).
        depth: float32 (h, w) metres instead of a picture; only Tandem's own servers take it.
    """

    ours: str
    theirs: str
    size: tuple[int, int] | None = None
    channels_first: bool = False
    depth: bool = False

    def __post_init__(self):
        whole = self.size is None or all(type(side) is int and side > 0 for side in self.size)
        if not whole or (self.size is not None and len(self.size) != 2):
            raise InvalidOption(f"camera {self.ours!r}: a size is width and height in pixels, got {self.size}")


@dataclass(frozen=True)
class VectorKey:
    """One vector of the state or of the action.

    Attributes:
        theirs: the server's key.
        slots: what its numbers mean, in order.
    """

    theirs: str
    slots: tuple[Slot, ...]

    def size(self, spec: BodySpec) -> int:
        """How many numbers it has for a body."""
        return sum(slot.size(spec) for slot in self.slots)

    def bounds(self, spec: BodySpec) -> list[tuple[Slot, slice]]:
        """Each slot with its place in the vector."""
        found, start = [], 0
        for slot in self.slots:
            found.append((slot, slice(start, start + slot.size(spec))))
            start = found[-1][1].stop
        return found


@dataclass(frozen=True)
class Told:
    """What a server says of itself before the first action; None where it says nothing.

    Attributes:
        pictures: its keys of pictures.
        state: its keys of the state.
        action: its keys of the action.
        words: its keys of the instruction.
        tandem: what a server of Tandem tells beyond that (`Service.about`).
        notes: lines for a person.
    """

    pictures: frozenset[str] | None = None
    state: frozenset[str] | None = None
    action: frozenset[str] | None = None
    words: frozenset[str] | None = None
    tandem: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class KeyMap:
    """See the module.

    Attributes:
        name: of the map.
        cameras: pictures that the server is shown.
        state: vectors that it is given.
        action: vectors that it answers with; together one slot of joints and one of the gripper.
        prompt: its key of the instruction.
        dt_s: seconds from one of its actions to the next; None: one control step of the body.
        use: how many actions of a chunk are carried out before it is asked again; None: all.
        joints: its order of joints, by our names; None: the body's.
        dtype: of the state's numbers.
        beyond_rad: how far a joint target may lie outside its range and be clipped; more is refused.
    """

    name: str
    cameras: tuple[CameraKey, ...]
    state: tuple[VectorKey, ...]
    action: tuple[VectorKey, ...]
    prompt: str
    dt_s: float | None = None
    use: int | None = None
    joints: tuple[str, ...] | None = None
    dtype: str = "<f4"
    beyond_rad: float = 0.1

    def __post_init__(self):
        parts = [slot.part for vector in self.action for slot in vector.slots]
        if sum(p in JOINT_PARTS for p in parts) != 1 or sum(p in GRIPPER_PARTS for p in parts) != 1 or len(parts) != 2:
            raise InvalidOption(f"key map {self.name!r}: an action has one slot of joints and one of the gripper")
        if any(slot.part not in STATE_PARTS for vector in self.state for slot in vector.slots):
            raise InvalidOption(f"key map {self.name!r}: a state is made of {', '.join(sorted(STATE_PARTS))}")
        if self.dt_s is not None and not 0 < self.dt_s < 10:
            raise InvalidOption(f"key map {self.name!r}: dt_s must be 0 to 10 s, got {self.dt_s}")
        if self.use is not None and (type(self.use) is not int or self.use < 1):
            raise InvalidOption(f"key map {self.name!r}: use is a whole number of at least 1 action, got {self.use}")
        if not (isinstance(self.beyond_rad, (int, float)) and self.beyond_rad >= 0):
            raise InvalidOption(f"key map {self.name!r}: beyond_rad is an angle of at least 0, got {self.beyond_rad}")
        if self.dtype not in _DTYPES:
            raise InvalidOption(f"key map {self.name!r}: dtype must be one of {', '.join(_DTYPES)}, got {self.dtype}")

    def needs(self, part: Part) -> bool:
        """Whether an action has a slot of that meaning."""
        return any(slot.part is part for vector in self.action for slot in vector.slots)

    def order(self, spec: BodySpec) -> np.ndarray:
        """(n,) index of our joint for each of theirs."""
        return np.array([spec.joint_names.index(name) for name in self.joints or spec.joint_names])

    def differences(self, spec: BodySpec, told: Told) -> list[str]:
        """One line for each thing that does not fit; empty when everything does."""
        return [*self._against_body(spec), *self._against_server(told), *_against_tandem(self, spec, told.tandem)]

    def require(self, spec: BodySpec, told: Told) -> None:
        """Raise `SpecMismatch` unless body, map and server agree: nothing may move."""
        found = self.differences(spec, told)
        if found:
            raise SpecMismatch(found)

    def lines(self, spec: BodySpec) -> list[str]:
        """One line for each key, for a person to look over."""
        pictures = [f"{_source(key)} -> {key.theirs} {_shape(key, spec)}" for key in self.cameras]
        state = [f"{_slots(vector)} -> {vector.theirs} ({vector.size(spec)},)" for vector in self.state]
        action = [f"{vector.theirs} (H, {vector.size(spec)}) -> {_slots(vector)}" for vector in self.action]
        pace = "an action for each control step" if self.dt_s is None else f"an action every {self.dt_s:.4g} s"
        rest = [f"instruction -> {self.prompt}", f"{pace}, {self.use or 'all'} of a chunk are carried out"]
        order = [f"their joints: {', '.join(self.joints)}"] if self.joints else []
        return [*pictures, *state, *action, *order, *rest]

    def _against_body(self, spec: BodySpec) -> Iterable[str]:
        known = {camera.name: camera for camera in spec.cameras}
        for key in self.cameras:
            if key.ours not in known:
                yield f"camera {key.ours!r} of map {self.name!r}: {spec.robot} has {', '.join(known) or 'none'}"
            elif key.depth and not known[key.ours].depth:
                yield f"depth of camera {key.ours!r}: {spec.robot} gives none"
        if spec.action.kind is not ActionKind.JOINT_POSITION_GRIPPER or spec.gripper is None:
            yield f"action of {spec.robot}: {spec.action.kind}; joint positions and a gripper are needed"
        for slot in (slot for vector in (*self.state, *self.action) for slot in vector.slots):
            if isinstance(slot.scale, tuple) and len(slot.scale) != slot.size(spec):
                yield f"scales of {slot.part}: {len(slot.scale)} in map {self.name!r}, {slot.size(spec)} numbers here"
        if self.joints is not None and sorted(self.joints) != sorted(spec.joint_names):
            yield f"joints of map {self.name!r}: {', '.join(self.joints)}; {spec.robot}: {', '.join(spec.joint_names)}"

    def _against_server(self, told: Told) -> Iterable[str]:
        mine = {
            "pictures": {key.theirs for key in self.cameras if not key.depth}, "words": {self.prompt},
            "state": {vector.theirs for vector in self.state}, "action": {vector.theirs for vector in self.action},
        }
        for kind, have in mine.items():
            wanted = getattr(told, kind)
            if wanted is not None and wanted != have:
                yield f"keys of {kind}: {_names(have)} here, {_names(wanted)} there"


def _against_tandem(keymap: KeyMap, spec: BodySpec, about: Mapping[str, Any] | None) -> Iterable[str]:
    """What only a server of Tandem tells: its robot, joints, rate and key map."""
    if about is None:
        return
    mine = fingerprint(keymap, spec)
    for name, value in mine.items():
        if about.get(name) != value:
            here, there = _apart(value, about.get(name))
            yield f"{name}: {str(here)[:120]} here, {str(there)[:120]} there"


def _apart(here: Any, there: Any) -> tuple[Any, Any]:
    """Of two lists what the other has not, if that is the difference; of anything else all."""
    if isinstance(here, list) and isinstance(there, list):
        mine, theirs = [one for one in here if one not in there], [one for one in there if one not in here]
        return (mine, theirs) if mine or theirs else (here, there)
    return here, there


def fingerprint(keymap: KeyMap, spec: BodySpec) -> dict[str, Any]:
    """What both sides must agree on, in plain types."""
    return {
        "robot": spec.robot, "joints": list(spec.joint_names), "action_dt_s": round(keymap.dt_s or spec.dt_s, 9),
        "keys": keymap.lines(spec),
    }


def _source(key: CameraKey) -> str:
    return f"{'depth' if key.depth else 'image'}.{key.ours}"


def _shape(key: CameraKey, spec: BodySpec) -> str:
    camera = next((camera for camera in spec.cameras if camera.name == key.ours), None)
    width, height = key.size or ((camera.width, camera.height) if camera else (0, 0))
    if key.depth:
        return f"float32 ({height}, {width}) m"
    return f"uint8 {(3, height, width) if key.channels_first else (height, width, 3)}"


def _slots(vector: VectorKey) -> str:
    return " + ".join(slot.words() for slot in vector.slots)


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
