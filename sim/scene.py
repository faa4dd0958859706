"""Composes a world: table, lights, cameras, one robot and what a task adds, with `mujoco.MjSpec`.

A scene knows no task. Its frame is the robot's base frame: x forward, z up, table top at z = 0. Distances scale with
the reach of the robot, so that the same task fits a Panda and an SO-101.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import mujoco
import numpy as np

from tandem.bridge.contract import InvalidOption
from tandem.bridge.robots import Robot
from tandem.sim.entities import Entity

REFERENCE_REACH_M = 0.70  # the Panda's; cameras and layouts are laid out for it and scaled for others
FRONT_EYE, FRONT_LOOK_AT, FRONT_FOVY = (1.18, 0.0, 0.86), (0.43, 0.0, 0.0), 43.0
SMALLEST_VIEW = 0.5  # a small arm is not that much thinner
SPECTATOR_EYE, SPECTATOR_LOOK_AT, SPECTATOR_FOVY = (1.25, -0.95, 0.75), (0.37, 0.0, 0.13), 38.0


@dataclass(frozen=True)
class Rates:
    """Physics and control rates in Hz; physics must be a whole multiple of control."""

    physics_hz: float = 500.0
    control_hz: float = 20.0

    def __post_init__(self):
        ratio = self.physics_hz / self.control_hz if self.control_hz > 0 else 0
        if not (math.isfinite(ratio) and ratio >= 1 and abs(ratio - round(ratio)) < 1e-9):
            raise InvalidOption(
                f"physics_hz ({self.physics_hz}) must be a whole multiple of control_hz ({self.control_hz})"
            )

    @property
    def substeps(self) -> int:
        """Physics steps per control step."""
        return round(self.physics_hz / self.control_hz)


@dataclass
class Scene:
    """A world under construction.

    Attributes:
        robot: the arm in it.
        spec: the MuJoCo specification; builders in `tandem.sim.entities` add to it.
        entities: what can be named, by name.
        scale: reach of the robot over that of the reference robot.
    """

    robot: Robot
    spec: mujoco.MjSpec
    entities: dict[str, Entity] = field(default_factory=dict)

    @property
    def scale(self) -> float:
        """Reach of this robot over that of the reference robot; 1 for the Panda."""
        return self.robot.workspace.reach_max_m / REFERENCE_REACH_M

    def add(self, entity: Entity) -> Entity:
        """Register what a builder made."""
        if entity.name in self.entities:
            raise InvalidOption(f"two entities are called {entity.name!r}; names must differ")
        self.entities[entity.name] = entity
        return entity


def look_at(eye: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(6,) MuJoCo `xyaxes` of a camera at `eye` that looks at `target` with the horizon level."""
    backward = (eye - target) / np.linalg.norm(eye - target)
    right = np.cross([0.0, 0.0, 1.0], backward)
    right /= np.linalg.norm(right)
    return np.concatenate([right, np.cross(backward, right)])


def _options(spec: mujoco.MjSpec, rates: Rates) -> None:
    spec.option.timestep = 1.0 / rates.physics_hz
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.impratio = 10
    spec.option.disableflags |= mujoco.mjtDisableBit.mjDSBL_AUTORESET  # a bad state is an error, not a restart
    spec.nuserdata = 8  # latches (a button that was pressed): part of the integration state, restored bit for bit
    spec.visual.quality.numslices, spec.visual.quality.numstacks = 20, 10
    spec.visual.map.znear, spec.visual.map.zfar = 0.005, 20.0
    spec.stat.extent, spec.stat.center = 1.0, [0.4, 0, 0.2]


def _surroundings(spec: mujoco.MjSpec, rng: np.random.Generator, scale: float) -> None:
    """Table, floor, sky and lights, with random but gentle tones."""
    wood = np.array([0.72, 0.66, 0.58]) * rng.uniform(0.85, 1.1) + rng.uniform(-0.04, 0.04, 3)
    spec.worldbody.add_geom(
        name="table", type=mujoco.mjtGeom.mjGEOM_BOX, pos=[0.35 * scale, 0, -0.02],
        size=[0.75 * scale, 0.9 * scale, 0.02], rgba=[*wood, 1], friction=[0.9, 0.01, 0.0005],
    )
    spec.worldbody.add_geom(
        name="floor", type=mujoco.mjtGeom.mjGEOM_PLANE, pos=[0, 0, -0.75], size=[6, 6, 6], rgba=[0.32, 0.34, 0.37, 1],
        contype=0, conaffinity=0,
    )
    spec.add_texture(
        name="sky", type=mujoco.mjtTexture.mjTEXTURE_SKYBOX, builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        rgb1=[0.85, 0.89, 0.94], rgb2=[0.45, 0.5, 0.57], width=64, height=384,
    )
    spec.visual.headlight.ambient = rng.uniform(0.28, 0.42) * np.ones(3)
    spec.visual.headlight.diffuse = rng.uniform(0.2, 0.4) * np.ones(3)
    spec.visual.headlight.specular = [0.05, 0.05, 0.05]
    position = np.array([rng.uniform(0.2, 0.9), rng.uniform(-0.8, 0.8), rng.uniform(1.4, 1.9)])
    spec.worldbody.add_light(
        name="lamp", pos=position, dir=np.array([0.4, 0, 0]) - position, type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        diffuse=rng.uniform(0.4, 0.6) * (1 + rng.uniform(-0.06, 0.06, 3)), specular=[0.2, 0.2, 0.2], castshadow=True,
    )


def _cameras(spec: mujoco.MjSpec, scale: float) -> None:
    scale = max(scale, SMALLEST_VIEW)
    views = (
        ("front", FRONT_EYE, FRONT_LOOK_AT, FRONT_FOVY),
        ("spectator", SPECTATOR_EYE, SPECTATOR_LOOK_AT, SPECTATOR_FOVY),
    )
    for name, eye, target, fovy in views:
        eye_m, target_m = np.array(eye) * scale, np.array(target) * scale
        right_up = look_at(eye_m, target_m)
        rotation = np.column_stack([right_up[:3], right_up[3:], np.cross(right_up[:3], right_up[3:])])
        quat = np.empty(4)
        mujoco.mju_mat2Quat(quat, rotation.ravel())
        spec.worldbody.add_camera(name=name, pos=eye_m, quat=quat, fovy=fovy)


def compose(robot: Robot, rates: Rates, rng: np.random.Generator) -> Scene:
    """A table with the robot, lights and cameras; ready for a task to add to."""
    spec = mujoco.MjSpec()
    spec.modelname = f"tandem_{robot.name}"
    spec.compiler.degree = False
    _options(spec, rates)
    scene = Scene(robot, spec)
    _surroundings(spec, rng, scene.scale)
    _cameras(spec, scene.scale)
    spec.attach(mujoco.MjSpec.from_string(robot.mjcf), prefix="", frame=spec.worldbody.add_frame(name="robot"))
    return scene
