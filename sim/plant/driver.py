"""The driver of a simulated arm that moves in real time: the servo loop's side of the plant and of its eyes."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import mujoco
import numpy as np

from tandem.bridge.contract import InvalidOption, TandemError
from tandem.bridge.drivers.driver import DriverFault, Measured, Setpoint
from tandem.sim.cameras import DEFAULT_CAMERAS, CameraRequest
from tandem.sim.plant.child import Child
from tandem.sim.plant.exchange import Command, Exchange
from tandem.sim.plant.inquiries import Inquiries
from tandem.sim.plant.line import HELLO
from tandem.sim.plant.placement import Placement
from tandem.sim.plant.scenario import Scenario
from tandem.sim.plant.trouble import BLIND, Trouble
from tandem.sim.tasks import task_named

LAST_WORDS_S = 10.0  # for a process that has hung up to end: only then is all said that it had to say
PATIENCE_S = 60.0  # until both processes are there: they import MuJoCo, and compile and draw a world
FRESH_NS = 20_000_000  # a measurement that is older makes one ask whether the plant still lives
QUIET = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # small matrices: threads would only take cores


class SimDriver:
    """A MuJoCo arm behind the `Driver` interface. `read`, `write` and `stop` touch shared memory only.

    Extensions: "reset" takes the options of `Simulation.reset`. "ask" answers what `Oracle` does (success, progress,
    infeasible, holds, remaining, locate), and besides: "fault" (see `Trouble`), "struck" (what disturbances have done
    since the last reset) and "loop" (figures of the plant's loop).

    Args:
        task: name of the task.
        robot: name of the robot.
        media: ZeroMQ endpoint where somebody pulls pictures, for example ipc:///run/tandem/media.
        session: text of the controller's session, for the pictures' headers.
        difficulty: 0 easy to 1 hard, unless a reset says otherwise.
        disturb: what goes wrong on purpose.
        camera_hz: pictures of each camera per second.
        jpeg: colours are sent as JPEG rather than raw.
        seed: of the first world.
        tick_hz: physics steps per second.
        cameras: that it offers; fields of `CameraRequest` will do, as they come from JSON.
        control_hz: control steps per second that the specification declares.
    """

    extensions: tuple[str, ...] = ("reset", "ask")

    def __init__(
        self, task: str, robot: str, *, media: str, session: str, difficulty: float = 0.5,
        disturb: tuple[str, ...] = (), camera_hz: float = 10.0, jpeg: bool = False, seed: int = 0,
        tick_hz: float = 500.0, cameras: Sequence[CameraRequest | Mapping[str, Any]] = DEFAULT_CAMERAS,
        control_hz: float = 20.0,
    ):
        if not 0 < camera_hz <= tick_hz:
            raise InvalidOption(f"camera_hz must lie between 0 and tick_hz ({tick_hz:g}), got {camera_hz}")
        asked = tuple(c if isinstance(c, CameraRequest) else CameraRequest(**c) for c in cameras)
        self._scenario = Scenario(task, robot, difficulty, tuple(disturb), tick_hz, control_hz, asked)
        self.spec = self._scenario.spec()
        self.about: dict[str, Any] = {
            "driver": "sim", "task": task, "robot": robot, "horizon_s": task_named(task).horizon_s,
            "mujoco": mujoco.__version__,
        }
        self._seed, self._worlds = Placement.of({"seed": seed}).seed, 0
        self._watch = {"media": media, "session": session, "camera_hz": camera_hz, "jpeg": jpeg}
        self._plant: Child | None = None
        self._eyes: Child | None = None

    @property
    def processes(self) -> dict[str, int]:
        """Ids of the processes by name; none while it is not connected."""
        return {child.name: child.pid for child in self._children}

    @property
    def _children(self) -> list[Child]:
        return [child for child in (self._plant, self._eyes) if child is not None]

    def connect(self) -> None:
        """Start both processes, and wait until the arm is measured; it holds its rest pose. Raises `DriverFault`."""
        self.disconnect()
        self._exchange, self._inquiries = Exchange(self.spec.dof), Inquiries()
        self._command = Command(self.spec.home, 1.0, 0, 0, False)
        order = {"scenario": self._scenario.to_dict(), "seed": self._seed, "generation": self._worlds}
        self._worlds += 1
        memory, eyes = self._exchange.memory, QUIET | ({"MUJOCO_GL": "egl"} if sys.platform == "linux" else {})
        self._plant = Child("plant", "tandem.sim.plant.plant", memory, order, QUIET)
        self._eyes = Child("eyes", "tandem.sim.plant.eyes", memory, {**order, **self._watch}, eyes)
        try:
            self._await_children()
        except DriverFault:
            self.disconnect()
            raise
        finally:
            self._exchange.close()

    def _await_children(self) -> None:
        deadline, missing = time.monotonic() + PATIENCE_S, {child.name for child in self._children}
        while missing or self._stale(self._exchange.measured()):
            for child in self._children:
                for number, value, _ in child.line.receive():
                    if number == HELLO:
                        missing.discard(child.name)
                        self.about |= value
                if child.line.closed:
                    raise DriverFault(self._obituary(child))
            if time.monotonic() > deadline:
                late = ", ".join(sorted(missing)) or "plant"
                raise DriverFault(f"not ready after {PATIENCE_S:g} s: {late}. Is this computer overloaded?")
            time.sleep(0.002)

    @staticmethod
    def _obituary(child: Child) -> str:
        """A process closes its line a moment before it has ended."""
        deadline = time.monotonic() + LAST_WORDS_S
        while not (words := child.death()) and time.monotonic() < deadline:
            time.sleep(0.005)
        return words or f"the {child.name} process has hung up"

    @staticmethod
    def _stale(measured: Measured | None) -> bool:
        return measured is None or time.monotonic_ns() - measured.t > FRESH_NS

    def _connected(self) -> Child:
        if self._plant is None:
            raise DriverFault("the simulated arm is not connected; call connect first")
        return self._plant

    def read(self) -> Measured:
        """The newest measurement; one that does not advance if the arm is silent. Raises `DriverFault`."""
        plant, measured = self._connected(), self._exchange.measured()
        if self._stale(measured) and (words := plant.death()):
            raise DriverFault(f"{words}. Connect again")
        return measured

    def write(self, setpoint: Setpoint) -> None:
        """Leave a setpoint where the plant looks in its next turn. Raises `DriverFault`."""
        self._connected()
        position, opening = setpoint.position, setpoint.opening
        if position.shape != (self.spec.dof,) or not (np.isfinite(position).all() and math.isfinite(opening)):
            raise DriverFault(f"a setpoint is ({self.spec.dof},) and finite, got {position}, opening {opening}")
        last = self._command
        self._send(Command(position, opening, last.writes + 1, last.stops, True))

    def stop(self) -> None:
        """Brake within the acceleration limits and hold; it also acknowledges what the arm has reported."""
        self._connected()
        last = self._command
        self._send(Command(last.position, last.opening, last.writes, last.stops + 1, False))

    def _send(self, command: Command) -> None:
        self._command = command
        self._exchange.put_command(command)

    def disconnect(self) -> None:
        """The arm brakes, and both processes end."""
        for child in self._children:
            child.line.close()
        for child in self._children:
            child.end()
        self._plant = self._eyes = None

    def ask(self, number: int, question: str, arguments: dict[str, Any]) -> None:
        """Begin to answer; see the class. Raises `DriverFault` when there is no connection."""
        self._connected()
        known = {name: value for name, value in arguments.items() if name != "id"}
        try:
            self._ask(number, question, known)
        except TandemError as reason:
            self._inquiries.answer(number, None, str(reason))

    def _ask(self, number: int, question: str, arguments: dict[str, Any]) -> None:
        inquiries, plant, eyes = self._inquiries, self._plant, self._eyes
        if question == "reset":
            if inquiries.open("reset"):
                raise InvalidOption("a reset is under way; wait for its answer")
            placed = Placement.of(arguments)
            told = {"seed": placed.seed, "options": placed.options, "generation": self._worlds}
            self._worlds += 1
            inquiries.ask(number, question, told, (plant, eyes))
        elif question == "fault":
            asked = Trouble.of(arguments)
            told = {"kind": asked.kind, "seconds": asked.seconds}
            inquiries.ask(number, question, told, (eyes if asked.kind == BLIND else plant,))
        elif question == "struck":
            inquiries.answer(number, inquiries.notices_of(self._exchange.measured().generation))
        else:
            inquiries.ask(number, question, arguments, (plant if question == "loop" else eyes,))

    def answers(self) -> list[tuple[int, Any, str]]:
        """Answers that have come since."""
        self._connected()
        return self._inquiries.collect(self._children)
