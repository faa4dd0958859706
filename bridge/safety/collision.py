"""The arm as a model: where its tool is, and whether a pose would make it hit itself or the table. MuJoCo.

Looks ahead: what is checked is the pose in which a full stop from the next setpoint would end.
"""

from __future__ import annotations

import mujoco
import numpy as np

from tandem.bridge.contract.errors import InvalidSpec
from tandem.bridge.contract.spec import BodySpec

DEPTH_M = 0.002  # outlines may overlap by so much: they are drawn generously


class ArmModel:
    """Kinematics and outlines of the arm alone, from the MJCF that its specification carries.

    Pairs of links that overlap at home are left out: their outlines overlap by design.

    Raises:
        InvalidSpec: the text is no model, or lacks a joint or the tool site.
    """

    def __init__(self, spec: BodySpec):
        try:
            self._model = mujoco.MjModel.from_xml_string(spec.kinematics)
            self._qpos = np.array([self._model.joint(name).qposadr[0] for name in spec.joint_names])
            self._tool = self._model.site(spec.tool_site).id
        except (ValueError, KeyError) as reason:
            raise InvalidSpec(f"the kinematics of {spec.robot!r} cannot be used: {reason}") from reason
        self._data = mujoco.MjData(self._model)
        self._ignored: frozenset[tuple[int, int]] = frozenset()
        self._ignored = frozenset(self._touching(spec.home))

    def tool_pose(self, position: np.ndarray) -> np.ndarray:
        """(7,) x y z in m and quaternion w x y z of the tool in the base frame."""
        self._place(position)
        pose = np.empty(7)
        pose[:3] = self._data.site_xpos[self._tool]
        mujoco.mju_mat2Quat(pose[3:], self._data.site_xmat[self._tool])
        return pose

    def collision(self, position: np.ndarray) -> str:
        """Which links would touch in a pose, "" for none."""
        for pair in self._touching(position):
            if pair not in self._ignored:
                return " and ".join(self._model.body(i).name or "base" for i in pair)
        return ""

    def _place(self, position: np.ndarray) -> None:
        self._data.qpos[self._qpos] = position
        mujoco.mj_kinematics(self._model, self._data)

    def _touching(self, position: np.ndarray) -> list[tuple[int, int]]:
        self._place(position)
        mujoco.mj_collision(self._model, self._data)
        n = self._data.ncon
        deep = self._data.contact.dist[:n] < -DEPTH_M
        bodies = self._model.geom_bodyid[self._data.contact.geom[:n][deep]]
        return [(min(a, b), max(a, b)) for a, b in bodies.tolist()]
