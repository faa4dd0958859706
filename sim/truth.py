"""Ground truth of a simulated world: poses, contacts, targets, visible points, predicates.

Privileged. It never enters an observation; whoever uses it (demonstrator, scripted planner, predicate verifier) makes
the episode privileged, and its log says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import mujoco
import numpy as np

from tandem.bridge.contract import (
    CameraPoint,
    FailureCode,
    InvalidOption,
    Observation,
    SkillFailed,
    Subgoal,
    Target,
    UnknownName,
)
from tandem.sim import predicates
from tandem.sim.cameras import Renderer
from tandem.sim.entities import Entity
from tandem.sim.world import World

if TYPE_CHECKING:
    from tandem.sim.tasks.task import Challenge


class Truth:
    """What nobody but the simulator knows.

    One object for a simulation's whole life: it speaks of the present world, and raises `InvalidOption` while there is
    none.

    Args:
        cameras: sizes of the cameras by name, in order of preference.
    """

    privileged = True

    def __init__(self, cameras: dict[str, tuple[int, int]]):
        self._cameras = cameras
        self._present: tuple[World, Challenge] | None = None

    def enter(self, world: World, challenge: Challenge, renderer: Renderer) -> None:
        """Speak of this world and its goal from now on; the renderer is for `visible_point`."""
        self._present, self._renderer = (world, challenge), renderer
        self._shown: dict[str, tuple[bytes, np.ndarray]] = {}
        self._by_body = {world.model.body(e.body).id: name for name, e in world.entities.items() if e.loose}
        self._fingers = _finger_bodies(world)

    def leave(self) -> None:
        """There is no world any more."""
        self._present = None

    @property
    def world(self) -> World:
        """The present world."""
        return self._now()[0]

    @property
    def challenge(self) -> Challenge:
        """The goal in it."""
        return self._now()[1]

    def _now(self) -> tuple[World, Challenge]:
        if self._present is None:
            raise InvalidOption("there is no ground truth before reset, or after close; call reset first")
        return self._present

    def entity(self, name: str) -> Entity:
        """The entity of that name, or `UnknownName` listing those in the scene."""
        if name not in self.world.entities:
            raise UnknownName("entity", name, self.world.entities)
        return self.world.entities[name]

    def pose(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Position (3,) and rotation (3, 3) of an entity's body in the base frame."""
        body = self.world.data.body(self.entity(name).body)
        return body.xpos.copy(), body.xmat.reshape(3, 3).copy()

    def velocity(self, name: str) -> np.ndarray:
        """Linear velocity (3,) of an entity's body, m/s."""
        entity = self.entity(name)
        return self.world.data.joint(entity.joint).qvel[:3].copy() if entity.loose else np.zeros(3)

    def target(self, name: str) -> Target:
        """Where an entity is, as skills need it."""
        entity, (position, rotation) = self.entity(name), self.pose(name)
        size, up = np.array(entity.size), int(np.argmax(np.abs(rotation[2])))
        if entity.loose and (up != 2 or rotation[2, 2] < 0):  # on its side or head: name its axes by how it lies now
            return _lying(position, rotation, size, up)
        yaw = float(np.arctan2(rotation[1, 0], rotation[0, 0]))
        surface = position + rotation @ np.array(entity.surface)
        rim_z, outward = max(position[2] + entity.rim, surface[2]), rotation @ np.array(entity.outward)
        return Target(surface, size, yaw, rim_z, outward, privileged=True)

    def locate(self, words: str, point: CameraPoint | None, observation: Observation) -> Target:
        """A `TargetSource`: the words name an entity; point and observation are not needed."""
        if words not in self.world.entities:
            there = ", ".join(self.world.entities)
            raise SkillFailed(FailureCode.OBJECT_NOT_FOUND, f"there is no {words!r}; there is: {there}")
        return self.target(words)

    def held(self) -> str | None:
        """Name of the loose thing that both fingers touch, None if there is none."""
        return self._touching()[0]

    def touched(self) -> frozenset[str]:
        """Names of the loose things that a finger touches."""
        return self._touching()[1]

    def _touching(self) -> tuple[str | None, frozenset[str]]:
        sides: dict[int, set[int]] = {}
        for first, second in self._contacts()[0].tolist():
            for finger, thing in ((first, second), (second, first)):
                if finger in self._fingers and thing in self._by_body:
                    sides.setdefault(thing, set()).add(finger)
        held = [thing for thing, fingers in sides.items() if len(fingers) > 1]
        return self._by_body[held[0]] if held else None, frozenset(self._by_body[thing] for thing in sides)

    def rests(self, name: str) -> bool:
        """Whether anything but the robot holds a loose thing up: touches it below its middle."""
        model, data = self.world.model, self.world.data
        own = model.body(self.entity(name).body).id
        pairs, heights = self._contacts()
        others = pairs[(pairs == own).any(axis=1) & (heights < data.xpos[own, 2])]
        robot = model.body_rootid[next(iter(self._fingers))]
        return bool(np.any((others != own) & (model.body_rootid[others] != robot)))

    def _contacts(self) -> tuple[np.ndarray, np.ndarray]:
        """(C, 2) bodies that touch, and (C,) the heights at which they do, m."""
        model, data = self.world.model, self.world.data
        mujoco.mj_collision(model, data)
        return model.geom_bodyid[data.contact.geom[: data.ncon]], data.contact.pos[: data.ncon, 2]

    def visible_point(self, name: str, camera: str | None = None) -> CameraPoint | None:
        """A pixel that shows the entity, as near to its surface point as can be seen; None if it is hidden.

        Also None when the body has no camera and none is named.
        """
        if camera is None and not self._cameras:
            return None
        camera = camera or next(iter(self._cameras))
        shown = self.segmentation(camera)
        geoms = np.flatnonzero(self.world.model.geom_bodyid == self.world.model.body(self.entity(name).body).id)
        rows, columns = np.nonzero(np.isin(shown, geoms))
        if not len(rows):
            return None
        u, v = self.project(self.target(name).surface, camera)
        nearest = int(np.argmin((columns + 0.5 - u) ** 2 + (rows + 0.5 - v) ** 2))
        return CameraPoint(camera, float(columns[nearest]) + 0.5, float(rows[nearest]) + 0.5)

    def camera_size(self, camera: str) -> tuple[int, int]:
        """Width and height of a camera of the body, or `UnknownName` listing those it has."""
        if camera not in self._cameras:
            raise UnknownName("camera", camera, self._cameras)
        return self._cameras[camera]

    def look(self, camera: str) -> tuple[np.ndarray, np.ndarray]:
        """RGB and depth that a camera of the body would give now if nothing disturbed it."""
        return self._renderer.render(self.world.data, camera, *self.camera_size(camera), depth=True)

    def segmentation(self, camera: str) -> np.ndarray:
        """int32 (H, W): the geom that each pixel of a camera of the body shows, -1 for none. Drawn once for a state."""
        state = self.world.state().tobytes()
        if camera not in self._shown or self._shown[camera][0] != state:
            shown = self._renderer.segmentation(self.world.data, camera, *self.camera_size(camera))
            shown.flags.writeable = False
            self._shown[camera] = state, shown
        return self._shown[camera][1]

    def project(self, point: np.ndarray, camera: str) -> tuple[float, float]:
        """Pixel (u, v) of a point (3,) of the base frame."""
        width, height = self.camera_size(camera)
        view = self.world.data.camera(camera)
        x, y, z = view.xmat.reshape(3, 3).T @ (point - view.xpos)
        focal = height / 2 / np.tan(np.radians(self.world.model.camera(camera).fovy[0]) / 2)
        return width / 2 + focal * x / -z, height / 2 - focal * y / -z

    def infeasible(self) -> str | None:
        """Why the instruction cannot be carried out, None if it can."""
        return self.challenge.infeasible

    def remaining(self) -> tuple[Subgoal, ...]:
        """What is still to be done from the present state; nothing of what cannot be done."""
        return () if self.challenge.infeasible else self.challenge.remaining(self)

    def holds(self, subgoal: Subgoal) -> bool | None:
        """Whether the criterion of a subgoal holds now; None if no predicate can tell."""
        return predicates.holds(self, subgoal)

    def success(self) -> bool:
        """Whether the instruction is carried out now."""
        return self.challenge.infeasible is None and self.challenge.success(self)

    def progress(self) -> float:
        """How much of it is, 0 to 1."""
        return 0.0 if self.challenge.infeasible else float(self.challenge.progress(self))


def _finger_bodies(world: World) -> frozenset[int]:
    """Bodies that can hold something: those the gripper's joints move, and their parent (a fixed jaw)."""
    moved = {int(world.model.joint(name).bodyid[0]) for name in world.robot.gripper.joint_names}
    parents = {int(world.model.body_parentid[body]) for body in moved}
    return frozenset(moved | parents) if len(moved) == 1 else frozenset(moved)


def _lying(position: np.ndarray, rotation: np.ndarray, size: np.ndarray, up: int) -> Target:
    """The upright box around a thing that lies on its side or stands on its head, axis `up` vertical."""
    flat = [axis for axis in range(3) if axis != up]
    heading = rotation[:, flat[0]]
    extents = np.array([size[flat[0]], size[flat[1]], size[up]])
    top = position + np.array([0, 0, size[up] / 2])
    return Target(top, extents, float(np.arctan2(heading[1], heading[0])), top[2], privileged=True)
