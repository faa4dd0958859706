"""What a learned policy was made for: the file beside its weights, and the check before anything moves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tandem.bridge.contract import (
    SKILLS,
    ActionKind,
    BodySpec,
    ModelUnusable,
    SpecMismatch,
    TandemError,
    skill_named,
)
from tandem.bridge.contract.arrays import frozen
from tandem.policies.learned.eyes import Window
from tandem.policies.learned.layouts import Layout
from tandem.policies.learned.network import Shapes
from tandem.policies.learned.senses import RESERVED, WORDS_AT_MOST

FORMAT = 1
STATE_EXTRA = 21  # numbers of a state beside the joints


@dataclass(frozen=True, eq=False)
class Scale:
    """How numbers are normalised: (x - mean) / deviation.

    Attributes:
        mean: any shape.
        deviation: the same shape, positive.

    Raises `ModelUnusable` for numbers that are not finite, or a deviation that is not positive.
    """

    mean: np.ndarray
    deviation: np.ndarray

    def __post_init__(self):
        for name in ("mean", "deviation"):
            rank = np.ndim(getattr(self, name))
            array = frozen(getattr(self, name), name=f"statistics: {name}", shape=(None,) * rank, error=ModelUnusable)
            object.__setattr__(self, name, array)
        if self.mean.shape != self.deviation.shape or not (self.deviation > 0).all():
            raise ModelUnusable("statistics: a deviation is positive and shaped as its mean; train the policy again")

    @classmethod
    def of(cls, rows: np.ndarray, least: float = 1e-3) -> Scale:
        """Of samples (N, ...); what hardly varies is not blown up."""
        return cls(rows.mean(0), np.maximum(rows.std(0), least))

    def normalised(self, values: np.ndarray) -> np.ndarray:
        """float32."""
        return ((values - self.mean) / self.deviation).astype(np.float32)

    def restored(self, values: np.ndarray) -> np.ndarray:
        """float64."""
        return np.asarray(values, float) * self.deviation + self.mean


@dataclass(frozen=True)
class Body:
    """The body that a policy was made for: what it must have in common with the one that it is to drive.

    Attributes:
        robot: its name.
        joint_names: in wire order.
        control_hz: control steps per second.
        cameras: width and height by name, of those that the policy looks through.
    """

    robot: str
    joint_names: tuple[str, ...]
    control_hz: float
    cameras: Mapping[str, tuple[int, int]]

    @classmethod
    def of(cls, spec: BodySpec, windows: tuple[Window, ...]) -> Body:
        """What matters of a specification."""
        seen = {window.camera: spec.camera(window.camera) for window in windows}
        sizes = {name: (camera.width, camera.height) for name, camera in seen.items()}
        return cls(spec.robot, tuple(spec.joint_names), float(spec.control_hz), sizes)

    def differences(self, spec: BodySpec) -> list[str]:
        """One line for each thing in which a body is another one."""
        found = [
            f"{name}: the policy is made for {mine}, the body has {its}"
            for name, mine, its in (
                ("robot", self.robot, spec.robot),
                ("joint_names", self.joint_names, tuple(spec.joint_names)),
                ("control_hz", self.control_hz, float(spec.control_hz)),
                ("action.kind", str(ActionKind.JOINT_POSITION_GRIPPER), str(spec.action.kind)),
            ) if mine != its
        ]
        there = {camera.name: (camera.width, camera.height) for camera in spec.cameras}
        for name, size in self.cameras.items():
            if there.get(name) != tuple(size):
                has = "does not have it" if name not in there else "gives {}x{}".format(*there[name])
                found.append("camera {}: the policy looks at {}x{}, the body {}".format(name, *size, has))
        if spec.gripper is None:
            found.append("gripper: the policy moves one, the body has none")
        return found


@dataclass(frozen=True, eq=False)
class Manifest:
    """See the module.

    Attributes:
        architecture: name of the network; see `architectures`.
        settings: of the network's configuration, those that are not the defaults.
        layout: what the numbers of a point are.
        horizon: K, points of a chunk.
        stride: control steps from one point to the next.
        body: that it was made for.
        windows: what it sees.
        skills: those that it was taught, in the order of their indices.
        words: those that it knows; the k-th has the index k + `RESERVED`.
        action: statistics (K, a) of the points.
        state: statistics (s,) of what is measured.
        about: how it was trained, plain types.
    """

    architecture: str
    settings: Mapping[str, Any]
    layout: Layout
    horizon: int
    stride: int
    body: Body
    windows: tuple[Window, ...]
    skills: tuple[str, ...]
    words: tuple[str, ...]
    action: Scale
    state: Scale
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        shapes, size = self.shapes, (self.action.mean.shape, self.state.mean.shape)
        wanted = (shapes.horizon, shapes.action), (shapes.state,)
        if self.horizon < 1 or self.stride < 1 or size != wanted:
            raise ModelUnusable(f"statistics of shapes {size} do not fit a chunk, which wants {wanted}")
        for name in self.skills:
            skill_named(name, SKILLS)

    @property
    def shapes(self) -> Shapes:
        """The sizes of the network."""
        dof = len(self.body.joint_names)
        pictures = tuple((window.height, window.width) for window in self.windows)
        return Shapes(
            self.horizon, self.layout.size(dof), dof + STATE_EXTRA, pictures, len(self.skills),
            len(self.words) + RESERVED, WORDS_AT_MOST,
        )

    def check(self, spec: BodySpec) -> None:
        """Raise `SpecMismatch` unless this body is the one that the policy was made for."""
        if found := self.body.differences(spec):
            raise SpecMismatch(found)

    def to_dict(self) -> dict[str, Any]:
        """Plain types only."""
        scales = {
            name: {"mean": scale.mean.tolist(), "deviation": scale.deviation.tolist()}
            for name, scale in (("action", self.action), ("state", self.state))
        }
        body = {**vars(self.body), "joint_names": list(self.body.joint_names),
                "cameras": {name: list(size) for name, size in self.body.cameras.items()}}
        return {
            "format": FORMAT, "architecture": self.architecture, "settings": dict(self.settings),
            "layout": str(self.layout), "horizon": self.horizon, "stride": self.stride, "body": body,
            "windows": [window.to_dict() for window in self.windows], "skills": list(self.skills),
            "words": list(self.words), "about": dict(self.about), **scales,
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Manifest:
        """Inverse of `to_dict`. Raises `ModelUnusable`."""
        try:
            if plain["format"] > FORMAT:
                raise ModelUnusable(f"it has format {plain['format']}, this version reads {FORMAT}: update Tandem")
            given = dict(plain["body"])
            cameras = {name: (int(width), int(height)) for name, (width, height) in given["cameras"].items()}
            body = Body(given["robot"], tuple(given["joint_names"]), float(given["control_hz"]), cameras)
            return cls(
                plain["architecture"], dict(plain["settings"]), Layout(plain["layout"]), int(plain["horizon"]),
                int(plain["stride"]), body, tuple(Window(**one) for one in plain["windows"]), tuple(plain["skills"]),
                tuple(plain["words"]), Scale(**plain["action"]), Scale(**plain["state"]), dict(plain["about"]),
            )
        except ModelUnusable:
            raise
        except (KeyError, TypeError, ValueError, AttributeError, TandemError) as reason:
            raise ModelUnusable(f"its manifest is damaged: {reason!r}") from reason

    def write(self, path: Path) -> None:
        """As JSON."""
        path.write_text(json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """From JSON. Raises `ModelUnusable`."""
        try:
            plain = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as reason:
            raise ModelUnusable(f"{path.parent} is no learned policy: {path.name} cannot be read: {reason}") from reason
        try:
            return cls.from_dict(plain)
        except ModelUnusable as reason:
            raise ModelUnusable(f"{path}: {reason}") from reason
