"""The simulated body: one robot, one task, one seed, behind the `Body` interface.

An episode's world is drawn from its seed alone. Images are rendered when they are read. Ground truth is behind
`truth()`, never in an observation or in `info`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from numbers import Integral
from typing import Any

import mujoco
import numpy as np

from tandem.bridge.contract import (
    ActionSpec,
    BodySpec,
    Event,
    EventKind,
    GripperSpec,
    InvalidAction,
    InvalidOption,
    LazyObservation,
    StaleObservation,
    StopBehaviour,
    depth_key,
    image_key,
)
from tandem.bridge.contract.observation import TIME
from tandem.bridge.robots import Robot
from tandem.sim.cameras import DEFAULT_CAMERAS, CameraRequest, Renderer, camera_spec
from tandem.sim.disturbances import Disturbance
from tandem.sim.scene import Rates, compose
from tandem.sim.tasks import Task, Wish
from tandem.sim.truth import Truth
from tandem.sim.world import World

_OPTIONS = ("difficulty", "feasible", "instruction")


def body_spec(robot: Robot, rates: Rates, cameras: Sequence[CameraRequest]) -> BodySpec:
    """The specification of a simulated robot. Raises `UnknownName` for a camera that the scene does not have."""
    model = compose(robot, rates, np.random.default_rng(0)).spec.compile()
    grip = robot.gripper
    return BodySpec(
        robot=robot.name, joint_names=robot.joint_names, position_low=robot.position_low,
        position_high=robot.position_high, velocity_limit=robot.velocity_limit,
        acceleration_limit=robot.acceleration_limit, jerk_limit=robot.jerk_limit, home=robot.home,
        control_hz=rates.control_hz, cameras=tuple(camera_spec(model, request) for request in cameras),
        action=ActionSpec(
            (*robot.joint_names, "gripper"), np.append(robot.position_low, 0.0), np.append(robot.position_high, 1.0)
        ),
        stop=StopBehaviour(robot.stop_behaviour), kinematics=robot.mjcf, tool_site=robot.tool_site,
        gripper=GripperSpec(
            grip.max_width_m, grip.finger_depth_m, grip.finger_width_m, grip.finger_thickness_m, grip.force_n
        ),
    )


class Simulation:
    """A simulated body; see `Body`.

    Args:
        task: what is to be done.
        robot: the arm.
        rates: physics and control rates.
        cameras: cameras that it offers.
        wish: difficulty and kind of episode, unless `reset` is given others as options.
        disturbances: what goes wrong on purpose.

    Attributes:
        spec: the body's specification.
        on_event: called with every disturbance that strikes; set by whoever listens.
    """

    def __init__(
        self, task: Task, robot: Robot, *, rates: Rates | None = None,
        cameras: Sequence[CameraRequest] = DEFAULT_CAMERAS, wish: Wish | None = None,
        disturbances: Sequence[Disturbance] = (),
    ):
        self.task, self.robot, self.rates = task, robot, rates or Rates()
        self._cameras, self._wish, self._own = tuple(cameras), wish or Wish(), tuple(disturbances)
        self._disturbances = self._own
        self.spec = body_spec(robot, self.rates, self._cameras)
        self.on_event: Callable[[Event], None] = lambda event: None
        self._world: World | None = None
        self._renderer: Renderer | None = None
        self._truth = Truth({camera.name: (camera.width, camera.height) for camera in self._cameras})
        self._moment = 0

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[LazyObservation, dict[str, Any]]:
        """Draw the world of a seed and put the arm at its rest pose.

        Args:
            seed: determines everything; None draws one and reports it as `info["seed"]`.
            options: `difficulty`, `feasible` and `instruction` for this episode, instead of the constructor's.
        """
        seed = _checked(np.random.SeedSequence().generate_state(1)[0] if seed is None else seed)
        wish = _wished(self._wish, options or {})
        surroundings, things, troubles = np.random.default_rng(seed).spawn(3)
        scene = compose(self.robot, self.rates, surroundings)
        challenge = self.task.sample(scene, things, wish)
        world = World.of(scene, self.rates)
        world.place_robot(self.robot.home, 1.0)
        world.settle()
        self._release()
        self._world, self._renderer = world, Renderer(world.model)
        self._truth.enter(world, challenge, self._renderer)
        self._begin(self._own, troubles)
        return self._observe(), {"instruction": challenge.instruction, "seed": seed}

    def step(self, action: np.ndarray) -> tuple[LazyObservation, float, bool, bool, dict[str, Any]]:
        """One control step. Reward is 0: a body does not judge; `TaskEnvironment` does."""
        if self._world is None:
            raise InvalidAction("step before reset, or after close; call reset first")
        command = self.spec.action.validate(action)
        for disturbance in self._disturbances:
            command = disturbance.command(command)
        self._moment += 1  # whatever comes of it, the pictures of before cannot be taken any more
        self.world.step(command)
        self._truth.challenge.update(self._truth)
        self._strike()
        return self._observe(), 0.0, False, False, {"command": command}

    def _strike(self) -> None:
        """Let disturbances change the world, after the step, so that the next state that is logged holds the change."""
        for disturbance in self._disturbances:
            happened = disturbance.strike(self._truth)
            if happened:
                time_s = float(self.world.data.time)
                self.on_event(Event(EventKind.DISTURBANCE, time_s, happened, {"name": disturbance.name}))

    def _observe(self) -> LazyObservation:
        self._moment += 1
        moment, measured = self._moment, self.world.measured()
        for disturbance in self._disturbances:
            measured = disturbance.measured(measured)
        pictures: dict[str, tuple[np.ndarray, np.ndarray | None]] = {}

        def read(request: CameraRequest, which: int) -> np.ndarray:
            if moment != self._moment:
                raise StaleObservation(
                    f"camera {request.name!r} at t = {measured[TIME][0]:.2f} s was not read before the body moved on; "
                    "take a snapshot of what you need before the next step"
                )
            if request.name not in pictures:
                pictures[request.name] = self._picture(request)
            return pictures[request.name][which]

        sources: dict[str, Callable[[], np.ndarray]] = {}
        for request in self._cameras:
            sources[image_key(request.name)] = lambda request=request: read(request, 0)
            if request.depth:
                sources[depth_key(request.name)] = lambda request=request: read(request, 1)
        return LazyObservation(measured, sources)

    def _picture(self, request: CameraRequest) -> tuple[np.ndarray, np.ndarray | None]:
        rgb, depth = self._renderer.render(
            self.world.data, request.name, request.width, request.height, depth=request.depth
        )
        for disturbance in self._disturbances:
            rgb, depth = disturbance.picture(request.name, rgb, depth)
        return rgb, depth

    @property
    def world(self) -> World:
        """The present world. Raises `InvalidOption` before `reset` and after `close`."""
        if self._world is None:
            raise InvalidOption("there is no world before reset, or after close; call reset first")
        return self._world

    def truth(self) -> Truth:
        """Ground truth, always of the present world. Privileged: whoever asks must say so."""
        return self._truth

    def state(self) -> np.ndarray:
        """float64 `mjSTATE_INTEGRATION` of now."""
        return self.world.state()

    def look(self) -> LazyObservation:
        """The observation of now, after the world was changed from outside."""
        return self._observe()

    def restore(self, state: np.ndarray) -> LazyObservation:
        """Go back to a state of the present world."""
        self.world.restore(state)
        return self._observe()

    def disturb(self, disturbances: Sequence[Disturbance], rng: np.random.Generator) -> LazyObservation:
        """From now until the next reset these go wrong, and none of before, drawn from `rng`."""
        for disturbance in reversed(self._disturbances):
            disturbance.leave(self._truth)
        self._truth.enter(self.world, self._truth.challenge, self._renderer)  # what was shown is shown otherwise now
        self._begin(disturbances, rng)
        return self._observe()

    def _begin(self, disturbances: Sequence[Disturbance], rng: np.random.Generator) -> None:
        self._disturbances = ()  # none that has not begun: it could not be left
        for disturbance, generator in zip(disturbances, rng.spawn(len(disturbances)), strict=True):
            disturbance.reset(generator, self._truth)
            self._disturbances += (disturbance,)

    def model_bytes(self) -> bytes:
        """The compiled model (MJB): with a state, all that is needed to go on elsewhere."""
        size = mujoco.mj_sizeModel(self.world.model)
        buffer = np.empty(size, np.uint8)
        mujoco.mj_saveModel(self.world.model, None, buffer)
        return buffer.tobytes()

    def _release(self) -> None:
        if self._renderer is not None:
            self._renderer.close()

    def close(self) -> None:
        """Free frame buffers and the world; what was not looked at is gone."""
        self._moment += 1
        self._release()
        self._world = self._renderer = None
        self._truth.leave()


def _checked(seed: Any) -> int:
    if not isinstance(seed, Integral) or seed < 0:
        raise InvalidOption(f"a seed is a whole number of at least 0, got {seed!r}")
    return int(seed)


def _wished(default: Wish, options: Mapping[str, Any]) -> Wish:
    unknown = sorted(set(options) - set(_OPTIONS))
    if unknown:
        raise InvalidOption(f"unknown reset option {', '.join(unknown)}; known: {', '.join(_OPTIONS)}")
    return Wish(**{name: options.get(name, getattr(default, name)) for name in _OPTIONS})
