"""The tasks as Gymnasium environments: the same simulated body, with a reward, an end and a picture for people.

A `Body` does not judge; an environment may tell its trainer how things stand. Everything else is the body's: the
observation (as a plain dict, images read at once), the action and the world that a seed draws.

    import gymnasium, tandem.sim
    env = gymnasium.make("tandem/PickPlace-v0", cameras=[("front", 224, 224)])
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from numbers import Integral
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from tandem.bridge.contract import BodySpec, InvalidOption, Observation, UnknownName
from tandem.bridge.contract.observation import GRIPPER_OPENING, JOINT_POSITION, JOINT_VELOCITY, TIME, TOOL_POSE, layout
from tandem.bridge.robots import load
from tandem.sim.cameras import FAST, FINE, CameraRequest, Renderer
from tandem.sim.disturbances import Disturbance, disturbance_named
from tandem.sim.scene import Rates
from tandem.sim.simulation import Simulation
from tandem.sim.tasks import TASKS, Wish, task_named

CONTROL_HZ = 20.0
VIEW = "spectator"  # the camera of pictures for people
SUCCESS_REWARD = 1.0
REMOTE_ID = "tandem/Remote-v0"  # needs the extra `bridge`, once it is made

# Bounds of what is measured. They hold what physics and noise can reach, not what is allowed.
_POSITION_MARGIN_RAD, _SPEED_MAX_RAD_S, _OPENING_MARGIN, _AWAY_MAX_M = 1.0, 200.0, 1.0, 10.0
_QUATERNION_MAX, _TIME_MAX_S, _DEPTH_MAX_M = 1.01, 1e6, 100.0

Camera = CameraRequest | tuple[str, int, int] | tuple[str, int, int, bool]


def observation_space(spec: BodySpec) -> spaces.Dict:
    """A Box for every key that a body with this specification delivers, finite bounds, the same dtypes."""
    n = spec.dof
    low_high = {
        JOINT_POSITION: (spec.position_low - _POSITION_MARGIN_RAD, spec.position_high + _POSITION_MARGIN_RAD),
        JOINT_VELOCITY: (np.full(n, -_SPEED_MAX_RAD_S), np.full(n, _SPEED_MAX_RAD_S)),
        GRIPPER_OPENING: (np.array([-_OPENING_MARGIN]), np.array([1 + _OPENING_MARGIN])),
        TOOL_POSE: tuple(sign * np.array([_AWAY_MAX_M] * 3 + [_QUATERNION_MAX] * 4) for sign in (-1, 1)),
        TIME: (np.zeros(1), np.array([_TIME_MAX_S])),
    }
    boxes = {}
    for key, (shape, dtype) in layout(spec).items():
        low, high = low_high.get(key) or ((0, 255) if dtype == np.uint8 else (0.0, _DEPTH_MAX_M))
        boxes[key] = spaces.Box(low, high, shape, dtype.type)
    return spaces.Dict(boxes)


class TaskEnvironment(gymnasium.Env[dict[str, np.ndarray], np.ndarray]):
    """One task with one robot.

    The reward of a step is the change of progress (0 to 1), plus 1 when the instruction is carried out, which ends the
    episode. `info` holds `instruction`, `success`, `progress`, and after `reset` the `seed` of the world:
    `Simulation.reset(seed=info["seed"])` draws the same one. Reset options: `difficulty`, `feasible`, `instruction`.

    Args:
        task: name of a task.
        robot: name of a robot.
        cameras: what to observe besides the joints: names, widths and heights in pixels, and whether with depth.
        control_hz: actions per second. Registered time limits count steps of the default; for another rate give
            `gymnasium.make` a `max_episode_steps` of its own.
        physics_hz: physics steps per second, a whole multiple of `control_hz`.
        difficulty: 0 easy to 1 hard.
        disturbances: what goes wrong on purpose, as values or as on the command line: "noise", "delayed:steps=3".
        instruction: words to carry out instead of the task's own.
        render_mode: "rgb_array" makes `render` give a picture for people, None nothing.
        render_size: its width and height in pixels.
        fine: shadows and smooth edges in it; False for a rough and much faster one.

    Raises:
        UnknownName: no such task, robot, camera or disturbance; the message lists those that exist.
        InvalidOption: an option has no meaning.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": CONTROL_HZ}

    def __init__(
        self, task: str = "pick_place", *, robot: str = "panda", cameras: Sequence[Camera] = (),
        control_hz: float = CONTROL_HZ, physics_hz: float = 500.0, difficulty: float = 0.5,
        disturbances: Sequence[str | Disturbance] = (), instruction: str | None = None, render_mode: str | None = None,
        render_size: tuple[int, int] = (640, 480), fine: bool = True,
    ):
        self.metadata = self.metadata | {"render_fps": control_hz}
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise UnknownName("render mode", render_mode, self.metadata["render_modes"])
        self.render_mode, self._size, self._quality = render_mode, _pixels(render_size), FINE if fine else FAST
        self._body = Simulation(
            task_named(task), load(robot), rates=Rates(physics_hz, control_hz),
            cameras=[_requested(camera) for camera in cameras], wish=Wish(difficulty, True, instruction),
            disturbances=[_own(disturbance) for disturbance in disturbances],
        )
        self.observation_space = observation_space(self.body.spec)
        action = self.body.spec.action
        self.action_space = spaces.Box(action.low, action.high, dtype=np.float64)
        self._progress = 0.0
        self._film: Renderer | None = None

    @property
    def body(self) -> Simulation:
        """The body inside, with its specification, state and ground truth."""
        return self._body

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Draw a world: that of the seed, or the next one of the sequence that the last seed began."""
        super().reset(seed=seed)
        world_seed = int(self.np_random.integers(2**31)) if seed is None else seed
        self._forget_film()
        observation, info = self.body.reset(seed=world_seed, options=options)
        self._instruction, self._progress = info["instruction"], self.body.truth().progress()
        return _plain(observation), self._info() | {"seed": world_seed}

    def step(self, action: np.ndarray) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        """One control step.

        Raises:
            InvalidAction: not finite, of the wrong shape or out of bounds; nothing has moved.
            PhysicsDiverged: MuJoCo warned of a bad state.
        """
        observation = self.body.step(action)[0]
        before, self._progress = self._progress, self.body.truth().progress()
        info = self._info()
        reward = self._progress - before + SUCCESS_REWARD * info["success"]
        return _plain(observation), reward, info["success"], False, info

    def _info(self) -> dict[str, Any]:
        success = bool(self.body.truth().success())
        return {"instruction": self._instruction, "success": success, "progress": self._progress}

    def render(self) -> np.ndarray | None:
        """uint8 (H, W, 3) of the spectator's camera; None unless `render_mode` is "rgb_array"."""
        if self.render_mode is None:
            return None
        world = self.body.truth().world
        self._film = self._film or Renderer(world.model, self._quality)
        return self._film.render(world.data, VIEW, *self._size)[0]

    def _forget_film(self) -> None:
        if self._film is not None:
            self._film.close()
        self._film = None

    def close(self) -> None:
        """Free the world and the frame buffers; allowed twice."""
        self._forget_film()
        self.body.close()


def _requested(camera: Camera) -> CameraRequest:
    if isinstance(camera, CameraRequest):
        return camera
    if not isinstance(camera, Sequence) or isinstance(camera, str) or len(camera) not in (3, 4):
        raise InvalidOption(f"camera {camera!r} is not (name, width, height) or (name, width, height, depth)")
    return CameraRequest(*camera)


def _pixels(size: tuple[int, int]) -> tuple[int, int]:
    width_height = tuple(size) if isinstance(size, Sequence | np.ndarray) else ()
    if len(width_height) != 2 or not all(isinstance(side, Integral) and side > 0 for side in width_height):
        raise InvalidOption(f"render_size is (width, height) in whole pixels, such as (640, 480); got {size!r}")
    return width_height


def _own(disturbance: str | Disturbance) -> Disturbance:
    """One of this environment's own: Gymnasium hands the same value to all of a vector, and it has a state."""
    return disturbance_named(disturbance) if isinstance(disturbance, str) else copy(disturbance)


def _plain(observation: Observation) -> dict[str, np.ndarray]:
    """Every key read now: Gymnasium's wrappers expect a dict that stays as it is."""
    return {key: observation[key] for key in observation}


def environment_id(task: str) -> str:
    """'pick_place' -> 'tandem/PickPlace-v0'."""
    return f"tandem/{''.join(word.capitalize() for word in task.split('_'))}-v0"


def register_environments() -> None:
    """Tell Gymnasium of every task, and of a body behind the bridge; `import tandem.sim` does it."""
    gymnasium.register(REMOTE_ID, entry_point="tandem.sim.remote_environment:RemoteEnvironment")
    for task in TASKS.values():
        gymnasium.register(
            environment_id(task.name), entry_point=f"{__name__}:TaskEnvironment", kwargs={"task": task.name},
            max_episode_steps=round(task.horizon_s * CONTROL_HZ),
        )
