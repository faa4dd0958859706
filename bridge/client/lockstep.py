"""A body that is elsewhere and waits while the agent thinks: a simulation over the wire, bit for bit as in process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tandem.bridge.client.contact import Contact
from tandem.bridge.client.link import Grant, Link
from tandem.bridge.client.stopped import LEASE_ENDED, stopped
from tandem.bridge.contract.episode import Event, EventKind
from tandem.bridge.contract.errors import BodyStopped, InvalidAction, InvalidOption, StaleObservation
from tandem.bridge.contract.observation import (
    GRIPPER_OPENING,
    JOINT_POSITION,
    JOINT_VELOCITY,
    TIME,
    TOOL_POSE,
    LazyObservation,
    Observation,
    layout,
)
from tandem.bridge.contract.spec import BodySpec
from tandem.bridge.wire.refusal import Refused

STEP_S = 30.0
RESET_S = 120.0
_KEYS = {"time": TIME, "position": JOINT_POSITION, "velocity": JOINT_VELOCITY, "opening": GRIPPER_OPENING,
         "tool": TOOL_POSE}


class LockstepBody:
    """See the module; arguments as of `RemoteBody`.

    Attributes:
        spec: of the body.
        link: the connection.
        on_event: called with what the body reports beside its observations.
    """

    def __init__(self, link: Link):
        self.link, self.spec = link, link.spec
        self.on_event: Callable[[Event], None] = lambda event: None
        self._pictures = {key: form for key, form in layout(link.spec).items() if "." in key}
        self._grant: Grant | None = None
        self._moment, self._started, self._closed = 0, False, False

    @classmethod
    def at(cls, contact: Contact, *, name: str = "agent", expected: BodySpec | None = None) -> LockstepBody:
        """Connect. Raises as `Link` does."""
        return cls(Link(contact, name=name, expected=expected))

    def reset(self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
              ) -> tuple[Observation, dict[str, Any]]:
        """Take the lease and draw the world of a seed. Raises `BodyStopped` or `InvalidOption`."""
        if self._closed:
            raise InvalidAction("reset after close; make a new body")
        self._moment += 1
        wanted = {name: value for name, value in (options or {}).items() if value is not None}
        try:
            self._grant = self._grant or self.link.acquire()
            grant = self._grant
            ready = self.link.request(
                "reset", RESET_S, epoch=grant.epoch, lease=grant.token, options=wanted | {"seed": seed}
            )
        except Refused as reason:
            self._forget_lease_after(reason)
            raise stopped(reason) from reason
        self._grant, self._started = Grant(ready.lease, ready.epoch), True
        info = dict(ready["info"])
        first = {name: np.frombuffer(value, "<f8") for name, value in info.pop("first").items()}
        return self._observe(first), info

    def step(self, action: np.ndarray) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """One control step. Raises `InvalidAction`, `BodyStopped` or `BodyUnresponsive`."""
        if not self._started:
            raise InvalidAction("step before reset, or after close; call reset first")
        values = self.spec.action.validate(action)
        self._moment += 1
        try:
            told = self.link.command("step", STEP_S, self._grant, names=self.spec.action.names, q=values)
        except Refused as reason:
            self._started = False
            self._forget_lease_after(reason)
            raise BodyStopped(str(reason)) from reason
        for event in told["events"]:
            self.on_event(Event(EventKind(event["kind"]), event["time"], event["message"], event["data"]))
        return self._observe(told.fields), 0.0, False, False, {"command": told["command"]}

    def _forget_lease_after(self, reason: Refused) -> None:
        if reason.code in LEASE_ENDED:
            self._grant = None  # the next reset acquires anew
            self.link.watcher.let_go()

    def _observe(self, told: Mapping[str, Any]) -> LazyObservation:
        moment, epoch = self._moment, self._grant.epoch

        def source(key: str) -> Callable[[], np.ndarray]:
            def read() -> np.ndarray:
                if moment != self._moment:
                    raise StaleObservation(f"{key!r} was not read before the body moved on; take a snapshot in time")
                return self._look(key, epoch)

            return read

        measured = {key: told[name] for name, key in _KEYS.items()}
        return LazyObservation(measured, {key: source(key) for key in self._pictures})

    def _look(self, key: str, epoch: int) -> np.ndarray:
        shape, dtype = self._pictures[key]
        try:
            _, data = self.link.request_with_data("look", STEP_S, epoch=epoch, key=key)
        except Refused as reason:  # the world is another's by now
            self._started = False
            self._forget_lease_after(reason)
            raise BodyStopped(str(reason)) from reason
        return np.frombuffer(data, dtype).reshape(shape)

    def ask(self, question: str, arguments: Mapping[str, Any] | None = None, deadline_s: float = 10.0) -> Any:
        """A question of an extension. Raises `InvalidOption` when the body has no answer."""
        try:
            return self.link.request("ask", deadline_s, question=question, arguments=dict(arguments or {}))["value"]
        except Refused as reason:
            raise InvalidOption(reason.detail) from reason

    def close(self) -> None:
        """Give the lease back and disconnect. Allowed twice."""
        if self._closed:
            return
        self._closed, self._started = True, False
        self._moment += 1
        self.link.leave(self._grant)
        self.link.close()
