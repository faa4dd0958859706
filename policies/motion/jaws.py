"""How the fingers move, measured on the declared model: rays from the tool to either side, at several openings.

A parallel gripper closes on the tool's own axis; a gripper with one fixed jaw holds an object beside it, by an amount
that depends on the object's width. Skills need not know which it is.
"""

from __future__ import annotations

import mujoco
import numpy as np

from tandem.bridge.contract import BodySpec, InvalidSpec

CLEARANCE_M = 0.003  # between an object and a finger on the way down
_SAMPLES = 41


class Jaws:
    """The fingers of a body's gripper, along the closing direction (the tool's y).

    Args:
        spec: the body's specification.
        model: its compiled kinematic model.

    Raises:
        InvalidSpec: the model has no actuator for a gripper.
    """

    def __init__(self, spec: BodySpec, model: mujoco.MjModel):
        self._model, self._actuator = model, _gripper_actuator(spec, model)
        self._openings = np.linspace(0.0, 1.0, _SAMPLES)
        self._low, self._high = self._all_faces(spec.tool_site).T
        self._widths = np.maximum.accumulate(self._high - self._low)

    def place(self, data: mujoco.MjData, opening: float) -> None:
        """Put the finger joints of the model's data where an opening has them."""
        model, actuator = self._model, self._actuator
        closed, opened = model.actuator_ctrlrange[actuator]
        value = closed + opening * (opened - closed)
        target = int(model.actuator_trnid[actuator, 0])
        if model.actuator_trntype[actuator] == mujoco.mjtTrn.mjTRN_JOINT:
            data.qpos[model.jnt_qposadr[target]] = value
            return
        first, count = model.tendon_adr[target], model.tendon_num[target]
        joints, shares = model.wrap_objid[first : first + count], model.wrap_prm[first : first + count]
        data.qpos[model.jnt_qposadr[joints]] = value / shares.sum()

    def _all_faces(self, tool_site: str) -> np.ndarray:
        """(T, 2) where along the tool's y the faces of the two fingers are, from closed to open, m.

        From open to closed, each time from the middle of the gap before: a moving jaw may pass the tool's own axis.
        """
        data, site, middle, gap = mujoco.MjData(self._model), self._model.site(tool_site).id, 0.0, np.inf
        faces = []
        for opening in self._openings[::-1]:
            self.place(data, float(opening))
            mujoco.mj_kinematics(self._model, data)
            side = data.site_xmat[site].reshape(3, 3)[:, 1]
            start = data.site_xpos[site] + middle * side
            low = middle - _ray(self._model, data, start, -side)
            high = middle + _ray(self._model, data, start, side)
            if high - low > gap:  # closed: the ray began within a finger
                low = high = middle
            faces.append((low, high))
            middle, gap = (low + high) / 2, high - low
        return np.array(faces[::-1])

    @property
    def widest_m(self) -> float:
        """Distance between the fingers when open."""
        return float(self._widths[-1])

    def width(self, opening: float) -> float:
        """Distance between the fingers at an opening, m."""
        return float(np.interp(opening, self._openings, self._widths))

    def opening(self, width_m: float) -> float:
        """The opening at which the fingers are that far apart, 0..1."""
        return float(np.interp(width_m, self._widths, self._openings))

    def centre(self, width_m: float) -> float:
        """Where along the tool's y the middle of an object of that width is while it is held, m."""
        opening = self.opening(width_m)
        return float(np.interp(opening, self._openings, (self._low + self._high) / 2))

    def faces(self, opening: float) -> tuple[float, float]:
        """Where along the tool's y the inner faces of the fingers are at an opening, m."""
        low, high = (float(np.interp(opening, self._openings, side)) for side in (self._low, self._high))
        return low, high

    def centre_open(self, width_m: float, opening: float = 1.0) -> float:
        """Where the middle of the object shall be between open fingers: nearly as held, and clear of both, m."""
        inner_low, inner_high = self.faces(opening)
        low, high = inner_low + width_m / 2 + CLEARANCE_M, inner_high - width_m / 2 - CLEARANCE_M
        return (low + high) / 2 if low > high else float(np.clip(self.centre(width_m), low, high))


def _gripper_actuator(spec: BodySpec, model: mujoco.MjModel) -> int:
    names = [model.actuator(i).name for i in range(model.nu)]
    others = [i for i, name in enumerate(names) if name not in spec.joint_names]
    if len(others) != 1:
        told = ", ".join(names[i] for i in others) or "none"
        raise InvalidSpec(
            f"the kinematic model of {spec.robot!r} needs one actuator that moves the fingers, besides those of the "
            f"joints; it has: {told}"
        )
    return others[0]


def _ray(model: mujoco.MjModel, data: mujoco.MjData, start: np.ndarray, direction: np.ndarray) -> float:
    """Metres to the first surface, 0 when the start is within one (closed fingers)."""
    geom = np.zeros(1, np.int32)
    found = mujoco.mj_ray(model, data, start, direction, None, 1, -1, geom)
    return max(0.0, float(found))
