"""Key maps of known servers by name, and your own from a TOML file.

Sources: openpi's DROID, LIBERO and ALOHA policies, GR00T's SO-100 example, vla-evaluation-harness' observations, the
joint step of DROID's controller (an action of 1 moves a joint by 0.2 rad in a step of 1/15 s), the controller of
robosuite that LIBERO uses (an action of 1 moves the tool by 0.05 m or 0.5 rad).
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tandem.bridge.contract import BodySpec, InvalidOption, UnknownName
from tandem.policies.remote.mapping import CameraKey, KeyMap, VectorKey
from tandem.policies.remote.parts import Part, Slot

_SMALL = (224, 224)
_DROID_STEP = 5.0  # 1 / 0.2 rad
_TOOL_SCALE = (20.0, 20.0, 20.0, 2.0, 2.0, 2.0)  # 1 / 0.05 m, 1 / 0.5 rad


def _vector(theirs: str, *parts: Part | Slot) -> VectorKey:
    return VectorKey(theirs, tuple(part if isinstance(part, Slot) else Slot(part) for part in parts))


def tandem(spec: BodySpec) -> KeyMap:
    """Everything that a body measures, in float64 and full size: for servers of Tandem."""
    pictures = [CameraKey(camera.name, f"image/{camera.name}") for camera in spec.cameras]
    depths = [CameraKey(camera.name, f"depth/{camera.name}", depth=True) for camera in spec.cameras if camera.depth]
    state = (Part.JOINTS, Part.JOINT_VELOCITY, Part.OPENING, Part.TOOL_POSE, Part.TIME)
    return KeyMap(
        "tandem", (*pictures, *depths), tuple(_vector(str(part), part) for part in state),
        (_vector("actions", Part.JOINTS, Part.OPENING),), "prompt", dtype="<f8",
    )


def gr00t(spec: BodySpec) -> KeyMap:
    """As GR00T's SO-100 example: one arm, one gripper, a picture of each camera."""
    cameras = tuple(CameraKey(camera.name, camera.name) for camera in spec.cameras)
    arm, gripper = _vector("single_arm", Part.JOINTS), _vector("gripper", Part.OPENING)
    return KeyMap("gr00t", cameras, (arm, gripper), (arm, gripper), "annotation.human.task_description")


def droid(spec: BodySpec) -> KeyMap:
    """openpi on DROID: joint steps at 15 Hz; 8 of a chunk are carried out, as DROID's own client does."""
    return KeyMap(
        "droid", (
            CameraKey("front", "observation/exterior_image_1_left", _SMALL),
            CameraKey("wrist", "observation/wrist_image_left", _SMALL),
        ),
        (_vector("observation/joint_position", Part.JOINTS), _vector("observation/gripper_position", Part.CLOSED)),
        (_vector("actions", Slot(Part.JOINT_STEPS, _DROID_STEP), Part.CLOSED),), "prompt", dt_s=1 / 15, use=8,
    )


def libero(spec: BodySpec) -> KeyMap:
    """openpi on LIBERO: the tool's pose and fingers in, tool steps at 20 Hz out; 5 of a chunk are carried out."""
    return KeyMap(
        "libero", (
            CameraKey("front", "observation/image", _SMALL), CameraKey("wrist", "observation/wrist_image", _SMALL)),
        (_vector("observation/state", Part.TOOL_POSITION, Part.TOOL_AXIS_ANGLE, Part.FINGERS),),
        (_vector("actions", Slot(Part.TOOL_STEPS, _TOOL_SCALE), Part.CLOSE_SIGN),), "prompt", dt_s=1 / 20, use=5,
    )


def aloha(spec: BodySpec) -> KeyMap:
    """openpi in ALOHA's style, for one arm: absolute joints and opening at 50 Hz, channels first."""
    names = ("cam_high", "cam_left_wrist")
    cameras = tuple(
        CameraKey(ours, f"images.{name}", _SMALL, True) for ours, name in zip(("front", "wrist"), names, strict=True)
    )
    layout = (Part.JOINTS, Part.OPENING)
    return KeyMap("aloha", cameras, (_vector("state", *layout),), (_vector("actions", *layout),), "prompt", dt_s=1 / 50)


def vla_eval(spec: BodySpec) -> KeyMap:
    """vla-evaluation-harness: pictures by name, one vector of state, tool steps at 20 Hz out."""
    cameras = (CameraKey("front", "images.agentview", (256, 256)), CameraKey("wrist", "images.wrist", (256, 256)))
    state = _vector("states", Part.TOOL_POSITION, Part.TOOL_AXIS_ANGLE, Part.FINGERS)
    action = _vector("actions", Slot(Part.TOOL_STEPS, _TOOL_SCALE), Part.CLOSE_SIGN)
    return KeyMap("vla-eval", cameras, (state,), (action,), "task_description", dt_s=1 / 20)


def pi0(spec: BodySpec) -> KeyMap:
    """pi0 as LeRobot names its keys, and as Tandem fine-tunes it: an action for each control step, half of 50 used.

    Joints count from the pose that is observed, as openpi trains them; the gripper is absolute.
    """
    names = ("base_0_rgb", "left_wrist_0_rgb", "right_wrist_0_rgb")
    cameras = tuple(
        CameraKey(camera.name, f"observation.images.{name}", _SMALL)
        for camera, name in zip(spec.cameras, names, strict=False)
    )
    state = _vector("observation.state", Part.JOINTS, Part.OPENING)
    return KeyMap("pi0", cameras, (state,), (_vector("action", Part.JOINT_OFFSETS, Part.OPENING),), "task", use=25)


PRESETS: Mapping[str, Callable[[BodySpec], KeyMap]] = {
    "tandem": tandem, "gr00t": gr00t, "droid": droid, "libero": libero, "aloha": aloha, "vla-eval": vla_eval,
    "pi0": pi0,
}


def key_map(name: str, spec: BodySpec) -> KeyMap:
    """The key map of a name, or of a TOML file.

    Args:
        name: of `PRESETS`, or a path that ends in .toml.
        spec: the body's specification.

    Raises:
        UnknownName: no such preset.
        InvalidOption: the file cannot be read or says what no map says.
    """
    if name.endswith(".toml"):
        return _load(Path(name))
    if name not in PRESETS:
        raise UnknownName("key map", name, (*PRESETS, "FILE.toml"))
    return PRESETS[name](spec)


def _load(path: Path) -> KeyMap:
    """From a file with the fields of `KeyMap`; a slot is written as "meaning" or as ["meaning", scale]."""
    try:
        return from_fields(tomllib.loads(path.read_text(encoding="utf-8")), path.stem)
    except OSError as reason:
        raise InvalidOption(f"key map {path} cannot be read: {reason.strerror}") from reason
    except (KeyError, TypeError, ValueError, AttributeError) as reason:
        raise InvalidOption(f"key map {path}: {reason}; docs/remote_policies.md shows one") from reason


def from_fields(fields: Mapping[str, Any], name: str = "") -> KeyMap:
    """A key map from plain types. Raises KeyError, TypeError, ValueError or AttributeError for what is none."""
    told = dict(fields)
    cameras = tuple(CameraKey(**_tuples(camera)) for camera in told.pop("cameras", []))
    state, action = (tuple(_read_vector(vector) for vector in told.pop(kind)) for kind in ("state", "action"))
    return KeyMap(told.pop("name", name), cameras, state, action, told.pop("prompt"), **_tuples(told))


def to_fields(keymap: KeyMap) -> dict[str, Any]:
    """Inverse of `from_fields`."""
    vectors = {
        kind: [{"theirs": vector.theirs, "slots": [[str(slot.part), slot.scale] for slot in vector.slots]}
               for vector in getattr(keymap, kind)]
        for kind in ("state", "action")
    }
    return {**asdict(keymap), **vectors}


def _tuples(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}


def _read_vector(fields: Mapping[str, Any]) -> VectorKey:
    slots = [Slot(Part(slot)) if isinstance(slot, str) else _read_slot(*slot) for slot in fields["slots"]]
    return VectorKey(fields["theirs"], tuple(slots))


def _read_slot(part: str, scale: float | list[float]) -> Slot:
    return Slot(Part(part), tuple(scale) if isinstance(scale, list) else float(scale))
