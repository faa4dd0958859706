"""The body that an episode runs on: simulated here, or behind the bridge. Beside the body itself, what a composition
asks of it: ground truth where there is any, how long an episode may take, what a log keeps of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from tandem.bridge.client import Contact, Link, LockstepBody, RemoteTruth, body_at, mapping
from tandem.bridge.contract import Body, Event, EventKind, InvalidOption, PhysicsDiverged
from tandem.bridge.faults import FaultProxy, faults_named
from tandem.bridge.robots import load
from tandem.bridge.wire import Message
from tandem.sim import opengl
from tandem.sim.disturbances import disturbance_named
from tandem.sim.replay import first_difference, load_model, state_layout
from tandem.sim.scene import Rates
from tandem.sim.simulation import Simulation
from tandem.sim.tasks import Wish, task_named
from tandem.sim.tasks.paraphrases import worded
from tandem.sim.truth import Truth
from tandem.sim.world import World

HORIZON_S = 120.0  # of a body that has no task of its own


class Here:
    """A simulation in this process.

    Args:
        system: the choices (`composition.System`).

    Attributes:
        body: the simulation.
        truth: its ground truth.
        task: its name, for logs.
        horizon_s: body time after which an episode is hopeless.
        waits: its time passes only in steps, so that a clock says what thinking costs.
    """

    waits = True

    def __init__(self, system: Any):
        task, rates = worded(task_named(system.task), system.wording), Rates(system.physics_hz, system.control_hz)
        self.body: Body = Simulation(
            task, load(system.robot), rates=rates,
            wish=Wish(difficulty=system.difficulty), disturbances=[disturbance_named(name) for name in system.disturb],
        )
        self.truth: Truth = self.body.truth()
        self.task = system.task
        self.horizon_s = self.body.task.horizon_s if system.horizon_s is None else system.horizon_s

    def listen(self, notice: Callable[[Event], None]) -> None:
        """Tell of what happens beside the observations."""
        self.body.on_event = notice

    def keeps(self) -> dict[str, Any]:
        """Arguments of a `Recorder`: the state and the model, so that the log replays bit for bit."""
        body = self.body
        return {"state": body.state, "state_layout": lambda: state_layout(body.world), "model": body.model_bytes,
                "certify": self._certify}

    def _certify(self, states: np.ndarray, commands: np.ndarray, struck: Collection[int]) -> dict[str, Any]:
        """Simulate the episode's commands once more, in another world of the same model."""
        old = self.body.world
        world = World(load_model(self.body.model_bytes()), old.robot, old.rates)
        try:
            found = first_difference(world, states, commands, struck)
        except PhysicsDiverged as reason:
            return {"verdict": f"not comparable: {reason}", "mujoco": mujoco.__version__}
        verdict = "bit-exact" if found is None else f"diverged at step {found[0] - 1}"
        return {"verdict": verdict, "mujoco": mujoco.__version__}

    def introduce(self) -> list[str]:
        """Lines for a person to look over before anything moves."""
        return []

    def describe(self) -> dict[str, Any]:
        """For the manifest: who draws the pictures."""
        return {"opengl": opengl.describe()}

    def close(self) -> None:
        """Release the body."""
        self.body.close()


class Elsewhere:
    """A body behind the bridge; see `Here`.

    Args:
        system: the choices (`composition.System`).
    """

    def __init__(self, system: Any):
        contact = Contact.at(system.body, keys=system.keys and Path(system.keys), key=system.key)
        self._proxy = _proxy(contact, system.faults, system.faults_seed) if system.faults else None
        if self._proxy is not None:
            ports = self._proxy.ports
            contact = Contact("127.0.0.1", ports["control"], contact.mine, contact.controller, ports)
        try:
            self.body = body_at(contact, standby_s=system.standby_s)
        except BaseException:
            self._end_proxy()
            raise
        self.truth = RemoteTruth(self.body) if "ask" in self.body.link.extensions else None
        self._about = dict(self.body.link.welcome["about"])
        self.task = str(self._about.get("task", "remote"))
        told = self._about.get("horizon_s", HORIZON_S)
        self.horizon_s = float(told) if system.horizon_s is None else system.horizon_s

    @property
    def waits(self) -> bool:
        """See `Here`: only a simulation in lockstep waits."""
        return isinstance(self.body, LockstepBody)

    def listen(self, notice: Callable[[Event], None]) -> None:
        """Tell of faults, and of what the safety chain changed; in lockstep of disturbances."""
        if isinstance(self.body, LockstepBody):
            self.body.on_event = notice
            return

        def hear(message: Message) -> None:
            words = f"{message['what']}: {message['detail']}" if message.kind == "event" else (
                f"{message['stage']} {message['code']}: {message['detail']}")
            failed = message.kind == "event" and message["what"] == "fault"
            kind = EventKind.FAILURE if failed else EventKind.NOTE
            notice(Event(kind, self.body.time_s(message.t), words, dict(message.fields)))

        self.body.link.watcher.on_message = hear

    def keeps(self) -> dict[str, Any]:
        """Arguments of a `Recorder`: a body that goes on waits for no disk, and leaves nothing to render later."""
        return {"lossless": False, "stills": True}

    def introduce(self) -> list[str]:
        """Whose body it is, and what is called what on either side."""
        link = self.body.link
        return [f"{link.spec.robot} at {link.contact.endpoint()}, session {link.session}", *mapping(link.spec)]

    def describe(self) -> dict[str, Any]:
        """For the manifest: whom the episode was run on."""
        link = self.body.link
        return {"body": {
            "endpoint": link.contact.endpoint(), "session": link.session, "security": link.welcome["security"],
            "key": link.welcome["name"], "role": link.welcome["role"], "about": self._about,
            "clock": {"offset_ns": link.clock.offset, "uncertainty_ns": link.clock.uncertainty},
        }}

    def close(self) -> None:
        """Give the lease back and disconnect."""
        self.body.close()
        self._end_proxy()

    def _end_proxy(self) -> None:
        if self._proxy is not None:
            self._proxy.stop()


def _proxy(contact: Contact, faults: str, seed: int) -> FaultProxy:
    link = Link(contact, name="faults")
    try:
        ports = dict(link.welcome["ports"])
    finally:
        link.close()
    proxy = FaultProxy(contact.host, ports, faults_named(faults), seed)
    proxy.start()
    return proxy


def body_for(system: Any) -> Here | Elsewhere:
    """The body that was chosen."""
    if system.body == "sim":
        if system.faults:
            raise InvalidOption("--faults strike a network: give --body tcp://HOST:PORT; for a simulation --disturb")
        return Here(system)
    return Elsewhere(system)
