"""A body that is elsewhere, behind the `Body` interface: the agent cannot tell.

In real time a step sends the action as a chunk of one and waits until its control period is over on the controller's
clock. While the agent thinks, nothing is sent and the arm holds still; its lease is kept alive meanwhile. Whatever ends
the right to command (a fault, a stop, a lost lease, a new epoch) ends the episode: nothing here recovers by itself.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tandem.bridge.client.contact import Contact
from tandem.bridge.client.link import Grant, Link
from tandem.bridge.client.pictures import Pictures
from tandem.bridge.client.stopped import LEASE_ENDED, stopped
from tandem.bridge.contract.errors import (
    BodyStopped,
    InvalidAction,
    InvalidOption,
    StaleObservation,
)
from tandem.bridge.contract.observation import (
    GRIPPER_OPENING,
    JOINT_POSITION,
    JOINT_VELOCITY,
    TIME,
    TOOL_POSE,
    LazyObservation,
    Observation,
    depth_key,
    image_key,
)
from tandem.bridge.contract.spec import BodySpec
from tandem.bridge.wire.kinds import Port
from tandem.bridge.wire.message import Message
from tandem.bridge.wire.refusal import Refusal, Refused

log = logging.getLogger(__name__)
LEAD_S = 0.02  # how much later an action is due than its control period ends: one is always on its way
TTL_S = 0.25  # beyond the control period
LATE_IN_A_ROW = 3  # actions
STEP_S = 2.0
PICTURE_S = 3.0
_SLIDING = re.compile(r'<joint name="([^"]+)" type="slide"')
RESET_S = 60.0
_STANDING = ("LEASED", "HOLDING", "READY", "FAULT")  # READY: the lease has ended, which the controller says


def mapping(spec: BodySpec) -> list[str]:
    """One line for each joint and camera: what is called what on either side, for a person to look over."""
    action, slides = spec.action, set(_SLIDING.findall(spec.kinematics))
    units = [*("m" if name in slides else "rad" for name in spec.joint_names), "opening"]
    joints = [
        f"action {i} -> {name} {units[min(i, spec.dof)]} [{low:.3f}, {high:.3f}]"
        for i, name, low, high in zip(range(action.size), action.names, action.low, action.high, strict=True)
    ]
    cameras = [
        f"{image_key(camera.name)}{' and ' + depth_key(camera.name) if camera.depth else ''} -> camera "
        f"{camera.name} {camera.width}x{camera.height} on {camera.mount}" for camera in spec.cameras
    ]
    return joints + cameras


class RemoteBody:
    """See the module.

    Args:
        link: the connection, closed with the body; `at` makes one.
        standby_s: how long to wait in line when somebody else holds the lease.
        lead_s: see `LEAD_S`.

    Attributes:
        spec: of the body.
        link: the connection.
    """

    def __init__(self, link: Link, *, standby_s: float = 0.0, lead_s: float = LEAD_S):
        self.link, self.spec = link, link.spec
        self._standby_s, self._lead = standby_s, round(lead_s * 1e9)
        self._dt = round(self.spec.dt_s * 1e9)
        self._pictures = Pictures(
            link.context, link.contact, link.ports[Port.MEDIA], self.spec, link.session
        )
        self._grant: Grant | None = None
        self._begun: int | None = None  # time of the first observation since the last reset
        self._first_chunk: int | None = None  # number of the first one since the last reset
        self._late = 0  # how many in a row were refused
        self._observed = 0  # time of the newest observation, ns of the controller's clock
        self._moment = 0
        self._started = self._closed = False

    @classmethod
    def at(
        cls, contact: Contact, *, name: str = "agent", expected: BodySpec | None = None, standby_s: float = 0.0
    ) -> RemoteBody:
        """Connect.

        Args:
            contact: whom to reach, as whom.
            name: what this client calls itself.
            expected: the specification that this side was made for; None takes what is told.
            standby_s: how long to wait in line when somebody else holds the lease.

        Raises:
            BodyUnresponsive: nobody answers, or the key is not let in.
            SpecMismatch: the body is not the one expected; nothing may move.
        """
        return cls(Link(contact, name=name, expected=expected), standby_s=standby_s)

    def reset(self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
              ) -> tuple[Observation, dict[str, Any]]:
        """Take the lease and begin where the arm stands; a simulation draws the seed's world first.

        Raises:
            BodyStopped: a fault is latched, or somebody else holds the lease.
            InvalidOption: the body cannot be reset as asked.
        """
        if self._closed:
            raise InvalidAction("reset after close; make a new body")
        self._moment += 1
        self._begun = None
        wanted = {name: value for name, value in (options or {}).items() if value is not None}
        if "reset" in self.link.extensions:
            wanted |= {} if seed is None else {"seed": seed}
        else:
            wanted = {}  # a physical arm begins where it stands, whatever the seed
        try:
            self.link.clock = self.link.measure_clock()  # the two clocks have drifted apart since the last time
            grant = self._grant or self.link.acquire(standby_s=self._standby_s)
            self._grant = grant
            self._wait_for(lambda state: state["mode"] in _STANDING, RESET_S, "the arm's standstill")
            ready = self.link.request("reset", RESET_S, epoch=grant.epoch, lease=grant.token, options=wanted)
        except Refused as reason:
            if reason.code in LEASE_ENDED:
                self._forget_lease()
            raise stopped(reason) from reason
        self._grant = Grant(ready.lease, ready.epoch)
        self.link.watcher.hold(ready.epoch, grant.token)
        self._started, self._first_chunk, self._late = True, None, 0
        first = self._wait_for(lambda state: state.epoch >= ready.epoch, RESET_S, "the first state")
        self._check_state(first)
        self._begun = first.t
        return self._observe(first), dict(ready["info"])

    def time_s(self, t: int) -> float:
        """A time of the controller's clock (ns) as the observations tell it: seconds since the first of them.

        Before it, which is also while a reset goes on, it is 0.
        """
        return 0.0 if self._begun is None else max(0, t - self._begun) * 1e-9

    def step(self, action: np.ndarray) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Send one action and wait for the end of its control period. Reward is 0: a body does not judge.

        Raises:
            InvalidAction: as the specification says; nothing was sent.
            BodyStopped: the controller does not carry out this client's actions any more, or refused one of them since
                the last reset, and why.
            BodyUnresponsive: the controller does not answer.
        """
        if not self._started:
            raise InvalidAction("step before reset, or after close; call reset first")
        values = self.spec.action.validate(action)
        self._check_right()
        self._check_verdicts()
        self._moment += 1
        now = self.link.now()
        begin = self._observed if now - self._observed < self._dt // 2 else now
        due = begin + self._dt
        number = self.link.send_chunk(
            self._grant, values[None], t0=begin + self._lead, dt_s=self.spec.dt_s, ttl_s=self.spec.dt_s + TTL_S
        )
        self._first_chunk = number if self._first_chunk is None else self._first_chunk
        state = self._wait_for(lambda state: state.t >= due or not self._ours(state), STEP_S, "the end of the step")
        self._check_state(state)
        self._check_verdicts()
        return self._observe(state), 0.0, False, False, {"command": np.clip(
            state["setpoint"], self.spec.action.low, self.spec.action.high)}

    def _ours(self, state: Message) -> bool:
        return state.lease == self._grant.token and state.epoch == self._grant.epoch and not state["fault"]

    def _check_right(self) -> None:
        state = self.link.watcher.newest()
        if state is not None:
            self._check_state(state)

    def _check_state(self, state: Message) -> None:
        if self._ours(state):
            return
        self._started, grant = False, self._grant
        if state["fault"] or state.lease != grant.token:
            self._forget_lease()  # otherwise the next reset begins under the same lease
        raise BodyStopped(self._why(state, grant))

    def _forget_lease(self) -> None:
        self._grant = None
        self.link.watcher.let_go()

    def _why(self, state: Message, grant: Grant) -> str:
        if state["fault"]:
            told = [m for m in self.link.watcher.events if m.kind == "event" and m["what"] == "fault"]
            detail = told[-1]["detail"] if told else f"fault {state['fault']}"
            return (
                f"the controller has latched a fault and stands: {detail}. A supervisor must look and clear it "
                "(launch/supervise.py)"
            )
        if state.lease != grant.token:
            return f"the lease is no longer this client's (holder's token {state.lease}, ours was {grant.token})"
        return f"the controller has stopped this motion (epoch {state.epoch}, ours was {grant.epoch}); begin with reset"

    def _check_verdicts(self) -> None:
        """An action that was refused ends the motion, even if a later step than its own learns of it.

        One that came too late was dropped, as networks are; so many in a row say that none comes in time.
        """
        for verdict in self.link.verdicts():
            if verdict.kind != "refused":
                self._late = 0
            elif self._first_chunk is not None and verdict["id"] >= self._first_chunk:
                refused = Refused(Refusal(verdict["code"]), f"action {verdict['id']}: {verdict['detail']}")
                log.warning("%s", refused)
                self._late += 1
                if refused.code is not Refusal.EXPIRED or self._late == LATE_IN_A_ROW:
                    self._started = False
                    raise stopped(refused)

    def _wait_for(self, wanted: Callable[[Message], bool], deadline_s: float, what: str) -> Message:
        return self.link.watcher.wait(wanted, deadline_s, what)

    def _observe(self, state: Message) -> LazyObservation:
        self._observed = state.t
        moment, taken = self._moment, state.t
        measured = {
            JOINT_POSITION: state["position"], JOINT_VELOCITY: state["velocity"], GRIPPER_OPENING: state["opening"],
            TOOL_POSE: state["tool"], TIME: np.array([self.time_s(state.t)]),
        }

        def source(key: str) -> Callable[[], np.ndarray]:
            def read() -> np.ndarray:
                if moment != self._moment:
                    raise StaleObservation(f"{key!r} was not read before the body moved on; take a snapshot in time")
                return self._pictures.first_after(key, taken, PICTURE_S)[0]

            return read

        keys = [key for camera in self.spec.cameras
                for key in ([image_key(camera.name)] + ([depth_key(camera.name)] if camera.depth else []))]
        return LazyObservation(measured, {key: source(key) for key in keys})

    def ask(self, question: str, arguments: Mapping[str, Any] | None = None, deadline_s: float = 10.0) -> Any:
        """A question of an extension. Raises `InvalidOption` when the body has no answer."""
        try:
            return self.link.request("ask", deadline_s, question=question, arguments=dict(arguments or {}))["value"]
        except Refused as reason:
            raise InvalidOption(reason.detail) from reason

    def let_go(self) -> None:
        """Give the lease back, which stops a moving arm; `reset` takes it again."""
        grant, self._grant, self._started = self._grant, None, False
        self.link.leave(grant)

    def close(self) -> None:
        """Give the lease back, which stops a moving arm, and disconnect. Allowed twice."""
        if self._closed:
            return
        self._closed = True
        self._moment += 1
        self.let_go()
        self._pictures.close()
        self.link.close()
