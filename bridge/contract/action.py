"""Actions: how one is laid out, one chunk of them, and the check at the boundary."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from tandem.bridge.contract.arrays import frozen
from tandem.bridge.contract.errors import InvalidAction, InvalidSpec

BOUND_TOLERANCE = 1e-6  # rad or opening; rounding in float32 must not count as out of bounds


class ActionKind(StrEnum):
    """What the numbers of an action mean."""

    JOINT_POSITION_GRIPPER = "joint_position+gripper_opening"  # every Tandem body
    CUSTOM = "custom"  # a third-party environment; only a policy made for it may drive it


@dataclass(frozen=True, eq=False)
class ActionSpec:
    """The layout of an action vector.

    Attributes:
        names: one per element, in wire order; for Tandem bodies the joint names, then "gripper".
        low: (d,) smallest allowed value, rad for joints, 0..1 for the gripper's opening.
        high: (d,) largest allowed value.
        kind: what the numbers mean.
    """

    names: tuple[str, ...]
    low: np.ndarray
    high: np.ndarray
    kind: ActionKind = ActionKind.JOINT_POSITION_GRIPPER

    def __post_init__(self):
        names = tuple(str(name) for name in self.names)
        if not names or len(set(names)) != len(names):
            raise InvalidSpec(f"action names must be given and differ from one another: {names}")
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "kind", ActionKind(self.kind))
        for bound in ("low", "high"):
            array = frozen(getattr(self, bound), name=f"action {bound}", shape=(len(names),), error=InvalidSpec)
            object.__setattr__(self, bound, array)
        if not np.all(self.low < self.high):
            worst = names[int(np.argmin(self.high - self.low))]
            raise InvalidSpec(f"action bounds of {worst!r} are empty: low must be below high")

    @property
    def size(self) -> int:
        """Number of elements of one action."""
        return len(self.names)

    def validate(self, action: Any) -> np.ndarray:
        """The action as float64 (d,), or `InvalidAction` naming the element that is wrong."""
        array = frozen(action, name=f"action ({', '.join(self.names)})", shape=(self.size,), error=InvalidAction)
        outside = (array < self.low - BOUND_TOLERANCE) | (array > self.high + BOUND_TOLERANCE)
        if outside.any():
            i = int(np.argmax(outside))
            raise InvalidAction(
                f"action element {self.names[i]!r} = {array[i]:.6g} is out of bounds "
                f"[{self.low[i]:.6g}, {self.high[i]:.6g}]"
            )
        return array

    def to_dict(self) -> dict[str, Any]:
        """Plain types only, for the wire and for logs."""
        return {
            "names": list(self.names), "low": self.low.tolist(), "high": self.high.tolist(), "kind": str(self.kind)
        }

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> ActionSpec:
        """Inverse of `to_dict`."""
        return cls(tuple(fields["names"]), fields["low"], fields["high"], ActionKind(fields["kind"]))


@dataclass(frozen=True, eq=False)
class ActionChunk:
    """Actions for the next `H` control steps, the answer of a policy to one observation.

    Attributes:
        actions: (H, d) laid out as the body's `ActionSpec`, H >= 1.
        dt_s: seconds from one action to the next, > 0.
        t0_s: body time of the observation that this chunk answers.
        epoch: the policy's epoch (see `Policy.reset`); a chunk of an older epoch is never executed.
        request_id: counts the calls of `infer` within the epoch.
        final: the policy's *claim* that its subgoal is achieved once these actions are carried out.
        phase: what the policy is doing, in a word, for logs and captions ("approach", "grasp", ...).
    """

    actions: np.ndarray
    dt_s: float
    t0_s: float
    epoch: int
    request_id: int
    final: bool = False
    phase: str = ""

    def __post_init__(self):
        array = frozen(self.actions, name="actions of a chunk", shape=(None, None), error=InvalidAction)
        object.__setattr__(self, "actions", array)
        if not (np.isfinite(self.dt_s) and self.dt_s > 0):
            raise InvalidAction(f"dt_s must be positive seconds, got {self.dt_s}")
        if not np.isfinite(self.t0_s):
            raise InvalidAction(f"t0_s must be finite seconds, got {self.t0_s}")

    def __len__(self) -> int:
        return len(self.actions)
