"""The controller itself: a deterministic machine with no socket, no clock and no thread.

Frames go in with the time at which they are looked at, measurements go in once a tick, messages and a setpoint come
out. The same frames and measurements at the same times give the same bytes again: that is how a capture is replayed,
and how thousands of hostile streams are tried in a test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tandem.bridge.contract.spec import BodySpec
from tandem.bridge.controller.admission import admit, number_of
from tandem.bridge.controller.lease import Lease, Leases, Standby
from tandem.bridge.controller.mode import FaultCode, Mode
from tandem.bridge.controller.motion import Motion
from tandem.bridge.controller.options import Limits, ns
from tandem.bridge.controller.outbox import Outbox, short
from tandem.bridge.controller.situation import Situation
from tandem.bridge.controller.track import Chunk
from tandem.bridge.controller.traffic import Incoming, Outgoing
from tandem.bridge.drivers.driver import Measured, Setpoint
from tandem.bridge.safety.age import check_age, check_sequence
from tandem.bridge.safety.order import ordered
from tandem.bridge.safety.range import clamped
from tandem.bridge.safety.report import Report
from tandem.bridge.safety.shaping import NoStop
from tandem.bridge.safety.start_pose import LAG_S, check_start
from tandem.bridge.wire.codec import decode
from tandem.bridge.wire.kinds import VERSION, Port
from tandem.bridge.wire.message import Message
from tandem.bridge.wire.refusal import Refusal, Refused


@dataclass(frozen=True)
class Question:
    """What the driver is asked, beside setpoints."""

    number: int
    question: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Tick:
    """What comes of one tick.

    Attributes:
        setpoint: for the driver; None when nothing is to be sent.
        stop: the driver's own stop is wanted instead.
        questions: for the driver.
        out: messages.
    """

    setpoint: Setpoint | None
    stop: bool
    questions: list[Question]
    out: list[Outgoing]


class Controller:
    """See the module.

    Args:
        spec: the arm.
        limits: times and guards.
        session: text that no other start of a controller has.
        hello: what it tells besides: `ports`, `security`, `about`.
        extensions: what the driver offers besides.
        collisions: look ahead for collisions of the arm with itself.
    """

    def __init__(
        self, spec: BodySpec, limits: Limits | None = None, *, session: str, hello: dict[str, Any] | None = None,
        extensions: tuple[str, ...] = (), collisions: bool = True,
    ):
        self.spec, self.limits = spec, limits or Limits()
        self._hello_fields = {"ports": {}, "security": "plain", "about": {}} | (hello or {})
        self._extensions = extensions
        self.leases = Leases(ns(self.limits.lease_s))
        self.outbox = Outbox(session, lambda: (self.situation.epoch, self._token()))
        self.situation = Situation(self._tell_event)
        self.motion = Motion(spec, self.limits, collisions=collisions)
        self._now = self._inputs = self._ticks = 0
        self._last_tick: int | None = None
        self._deserted: int | None = None  # when silence interrupted a motion, ns
        self._last_stop = False
        self._questions: list[Question] = []
        self._asked: dict[int, Incoming] = {}
        self._resetting: tuple[int, int] | None = None  # number of the question, deadline in ns
        self._placed: tuple[Incoming, Any] | None = None  # a reset that is done, to be told after the next measurement
        self._servo: dict[str, Any] = {}
        self._late = self._worst = 0
        self._handlers: dict[str, Callable[[Incoming, Message], None]] = {
            "hello": self._hello, "ping": self._ping, "acquire": self._acquire, "renew": self._renew,
            "release": self._release, "clear": self._clear, "status": self._status, "reset": self._reset,
            "ask": self._ask, "chunk": self._chunk, "stop": self._stop,
        }

    # --- frames ---

    def receive(self, incoming: Incoming, now: int) -> None:
        """Look at one frame; the answer is in the next tick's messages.

        Args:
            incoming: the frame and who sent it.
            now: ns, not before any earlier time.
        """
        self._now, self._inputs = now, self._inputs + 1
        try:
            message = admit(incoming, self.outbox.session)
            handle = self._handlers.get(message.kind)
            if handle is None:
                raise Refused(Refusal.NOT_OFFERED, f"{message.kind} is for lockstep; this body moves in real time")
            handle(incoming, message)
        except Refused as reason:
            number = number_of(incoming.frame)
            self.outbox.refuse(incoming, number, reason, now)
            if incoming.port is Port.COMMAND:
                self._report(Report("admission", str(reason.code), f"{incoming.peer.name}: {reason.detail}", number))

    def _answer(self, incoming: Incoming, message: Message, kind: str, **fields: Any) -> None:
        self.outbox.send(incoming.port, incoming.route, kind, self._now, id=message["id"], **fields)

    def _hello(self, incoming: Incoming, message: Message) -> None:
        if VERSION not in message["versions"]:
            raise Refused(Refusal.UNSUPPORTED_VERSION, f"versions {message['versions']}, this side speaks {VERSION}")
        self._answer(
            incoming, message, "welcome", version=VERSION, role=str(incoming.peer.role), name=incoming.peer.name,
            mode=str(self.situation.mode), spec=self.spec.to_dict(), digest=self.spec.digest(),
            limits=self.limits.to_wire(), extensions=self._extensions, **self._hello_fields,
        )

    def _ping(self, incoming: Incoming, message: Message) -> None:
        self._answer(incoming, message, "pong", received=self._now)

    def _acquire(self, incoming: Incoming, message: Message) -> None:
        situation, held = self.situation, self.leases.holder
        if situation.fault or situation.mode is Mode.IDLE:
            situation.refuse_motion()
        try:
            lease = self.leases.acquire(incoming.peer, message["name"], self._now, force=message["force"])
        except Refused as reason:
            if reason.code is not Refusal.LEASE_TAKEN or not message["standby"]:
                raise
            waiting = Standby(incoming.peer, message["name"], incoming.route, message["id"], self._now)
            place = self.leases.wait(waiting)
            self._answer(incoming, message, "queued", place=place, holder=held.name)
            return
        why = f"taken over from {held.name}" if held else "granted"
        self._grant(lease, incoming.route, message["id"], why)

    def _grant(self, lease: Lease, route: bytes, number: int, why: str) -> None:
        self._deserted = None
        self._halt("lease", "stopped", f"{why}: lease {lease.token} is {lease.name}'s")
        self.situation.epoch += 1
        if self.situation.mode in (Mode.READY, Mode.HOLDING):
            self.situation.go(Mode.LEASED, f"{lease.name} holds lease {lease.token}")
        who = {"lease": lease.token, "name": lease.name, "peer": lease.peer.name, "identity": lease.peer.identity}
        self._tell_event("lease", f"{lease.name}: {why}", who)
        expires = self._now + ns(self.limits.lease_s)
        self.outbox.send(Port.CONTROL, route, "granted", self._now, id=number, expires=expires)

    def _renew(self, incoming: Incoming, message: Message) -> None:
        lease = self.leases.check(incoming.peer, message.lease)
        self._hear(lease)
        mode, expires = str(self.situation.mode), self._now + ns(self.limits.lease_s)
        self._answer(incoming, message, "renewed", mode=mode, expires=expires)

    def _release(self, incoming: Incoming, message: Message) -> None:
        lease = self.leases.check(incoming.peer, message.lease)
        self._deserted = None
        self._end_lease(f"{lease.name} released lease {lease.token}")
        self._answer(incoming, message, "released")

    def _clear(self, incoming: Incoming, message: Message) -> None:
        fault = self.situation.fault
        if fault is None or message["fault"] != fault.number:
            told = f"the present fault is {fault.number}" if fault else "there is no fault"
            raise Refused(Refusal.NO_SUCH_FAULT, f"fault {message['fault']}; {told}")
        if self.situation.mode is not Mode.FAULT:
            raise Refused(Refusal.MOVING, f"the arm is {self.situation.mode}")
        if self._resetting is not None:
            raise Refused(Refusal.MOVING, "the arm is still being put elsewhere: wait for the end of the reset")
        self.motion.check_standing_start()
        self.situation.clear(f"{incoming.peer.name} cleared {fault.code}")
        self.leases.release()
        self._deserted, self._last_tick = None, None
        self.motion.start_anew()
        self._answer(incoming, message, "cleared")

    def _status(self, incoming: Incoming, message: Message) -> None:
        fault, holder = self.situation.fault, self.leases.holder
        self._answer(
            incoming, message, "report_status", mode=str(self.situation.mode), fault=fault.to_wire() if fault else {},
            holder=holder.name if holder else "", servo=self._servo,
        )

    def _reset(self, incoming: Incoming, message: Message) -> None:
        lease = self.leases.check(incoming.peer, message.lease)
        if self.situation.mode not in (Mode.LEASED, Mode.HOLDING):
            self.situation.refuse_motion()
            raise Refused(Refusal.MOVING, f"the arm is {self.situation.mode}")
        self._hear(lease)
        self.situation.epoch += 1
        if "reset" not in self._extensions:
            if message["options"].get("seed") is not None:
                raise Refused(Refusal.NOT_OFFERED, "nothing here can be drawn from a seed")
            self.motion.forget_track()  # the setpoint stays: an arm that hangs below it would sink a little every time
            self._answer(incoming, message, "ready", info={})
            return
        self.situation.go(Mode.IDLE, "the arm is put elsewhere")
        deadline = self._now + ns(self.limits.reset_s)
        number = self._question("reset", message["options"], incoming)
        self._resetting = number, deadline

    def _ask(self, incoming: Incoming, message: Message) -> None:
        if "ask" not in self._extensions:
            raise Refused(Refusal.NOT_OFFERED, "this arm answers no questions")
        if message["question"] == "reset":
            raise Refused(Refusal.INVALID, "reset is no question: it is a request of its own, and needs the lease")
        self._question(message["question"], {**message["arguments"], "id": message["id"]}, incoming)

    def _question(self, question: str, arguments: dict[str, Any], incoming: Incoming) -> int:
        if len(self._asked) >= 64:
            raise Refused(Refusal.BUSY, "64 questions are open already")
        number = self._inputs
        self._asked[number] = incoming
        self._questions.append(Question(number, question, arguments))
        return number

    def answered(self, number: int, value: Any, error: str, now: int) -> None:
        """The driver has answered a question."""
        self._now = now
        incoming = self._asked.pop(number, None)
        if incoming is None:
            return
        asked, reset = decode(incoming.frame), self._resetting is not None and self._resetting[0] == number
        if error:
            self.outbox.refuse(incoming, asked["id"], Refused(Refusal.INVALID, error), now)
            self._placed = (incoming, None) if reset else self._placed
        elif reset:
            self._placed = incoming, value
        else:
            self._answer(incoming, asked, "answer", value=value)

    def _resume(self) -> None:
        """The arm is where it was put: the setpoint starts anew there."""
        (incoming, info), self._placed, self._resetting = self._placed, None, None
        self.motion.start_anew()
        self.situation.epoch += 1
        if self.situation.fault is None:
            self.situation.go(Mode.LEASED if self.leases.holder else Mode.READY, "the arm is there")
        if info is not None:
            self._answer(incoming, decode(incoming.frame), "ready", info=info)

    # --- commands ---

    def _chunk(self, incoming: Incoming, message: Message) -> None:
        lease, limits, now = self.leases.check(incoming.peer, message.lease), self.limits, self._now
        if message.epoch != self.situation.epoch:
            raise Refused(Refusal.STALE_EPOCH, f"epoch {message.epoch}, now is {self.situation.epoch}")
        self.situation.refuse_motion()
        check_sequence(message.seq, lease.seq)
        check_age(message, now, max_ttl=ns(limits.max_ttl_s), max_lead=ns(limits.max_lead_s))
        rows = ordered(message["q"], message["names"], self.spec.action.names)
        rows, reports = clamped(rows, self.spec, message.seq)
        t0 = message["t0"]
        chunk = Chunk(message.seq, t0, message["dt"], t0 + message["ttl"], rows)
        first = chunk.first_after(now)
        if first == len(rows):
            late_s = (now - chunk.due(first - 1)) * 1e-9
            raise Refused(Refusal.EXPIRED, f"the last of {len(rows)} actions was due {late_s:.3f} s ago")
        ahead_s = (chunk.due(first) - now) * 1e-9 + (0 if self.motion.standing else LAG_S)
        check_start(rows[first, :-1], self.motion.position, ahead_s, self.spec, limits.start_guard)
        lease.seq = message.seq
        self._hear(lease)
        self.motion.splice(chunk, now)
        if first:
            reports.append(Report("splice", "dropped", f"{first} of {len(rows)} actions came too late", chunk.number))
        for report in reports:
            self._report(report)
        self.situation.go(Mode.ACTIVE, f"chunk {chunk.number}")
        self.outbox.send(
            incoming.port, incoming.route, "accepted", now, chunk=message.seq, first=first, count=len(rows)
        )

    def _stop(self, incoming: Incoming, message: Message) -> None:
        words = f"{incoming.peer.name} ({incoming.peer.role}): {message['reason'] or 'no reason given'}"
        self._fault(FaultCode.STOP_REQUESTED, words)
        self._answer(incoming, message, "stopping", fault=self.situation.fault.number)

    def _hear(self, lease: Lease) -> None:
        lease.heard, self._deserted = self._now, None

    # --- ticks ---

    def tick(self, now: int, measured: Measured, *, late: int = 0, worst: int = 0) -> Tick:
        """One turn of the servo loop.

        Args:
            now: ns.
            measured: the newest measurement.
            late: turns that came late so far, for the state message.
            worst: latest of them, ns.
        """
        self._now, self._late, self._worst = now, late, worst
        self._ticks += 1
        self._watch_loop(now)
        self._watch_arm(now, measured)
        self._watch_reset(now)
        self._watch_lease(now)
        self._watch_chunk(now)
        index = self._move(now)
        self._settle()
        self._tell_state(now, measured, index)
        stop = self.situation.mode is Mode.FAULT
        setpoint = None if stop or self.situation.mode is Mode.IDLE else self.motion.setpoint()
        questions, self._questions = self._questions, []
        begins, self._last_stop = stop and not self._last_stop, stop
        return Tick(setpoint, begins, questions, self.outbox.take())

    def failed(self, words: str, now: int) -> None:
        """The driver raised: latch a fault; whatever it still does, nothing is sent to it until that is cleared."""
        self._now = now
        self._drop(FaultCode.DRIVER_FAULT, words)

    def shut_down(self, words: str, now: int) -> None:
        """Stop the arm and take no more commands."""
        self._now = now
        self._fault(FaultCode.SHUT_DOWN, words)

    def note_servo(self, figures: dict[str, Any]) -> None:
        """What status reports of the loop: jitter histogram, scheduling."""
        self._servo = figures

    def _watch_loop(self, now: int) -> None:
        gap = 0 if self._last_tick is None else now - self._last_tick
        self._last_tick = now
        if gap > ns(self.limits.gap_s) and self.situation.mode not in (Mode.IDLE, Mode.FAULT):
            # the arm has stopped by itself by now, nobody knows where: no setpoint of before may reach it
            self._drop(FaultCode.SERVO_SUSPENDED, f"{gap / 1e9:.3f} s between two turns of the loop")

    def _watch_arm(self, now: int, measured: Measured) -> None:
        moved_away = self.motion.see(measured)
        if self._resetting is not None and self.situation.mode is Mode.IDLE:
            return
        if measured.fault:
            self._drop(FaultCode.DRIVER_FAULT, measured.fault)
        elif self.situation.mode is Mode.IDLE:
            self._become_ready(now, measured)
        elif now - measured.t > ns(self.limits.driver_timeout_s):
            self._drop(FaultCode.DRIVER_SILENT, f"the last measurement is {(now - measured.t) / 1e9:.3f} s old")
        elif moved_away:
            self._drop(FaultCode.DRIVER_FAULT, "the arm was put elsewhere without being asked to")
        elif self.situation.mode is not Mode.FAULT and (joint := self.motion.strays(now)) is not None:
            error = abs(self.motion.position[joint] - measured.position[joint])
            self._fault(FaultCode.FOLLOWING_ERROR, f"{self.spec.joint_names[joint]} is {error:.3f} from its setpoint")

    def _become_ready(self, now: int, measured: Measured) -> None:
        silent = now - measured.t > ns(self.limits.driver_timeout_s)
        self.situation.lacks = f"the newest measurement is {(now - measured.t) / 1e9:.3f} s old" if silent else ""
        if silent:
            return
        self.motion.start_anew()
        words = self.motion.out_of_range()
        if words:
            self._drop(FaultCode.OUT_OF_RANGE, words)
        else:
            self.situation.go(Mode.READY, "the arm is there")

    def _watch_reset(self, now: int) -> None:
        if self._placed is not None:
            self._resume()
        elif self._resetting is not None and now > self._resetting[1]:
            incoming = self._asked.pop(self._resetting[0])
            words = f"not done after {self.limits.reset_s:g} s"
            self._resetting = None
            self.outbox.refuse(incoming, decode(incoming.frame)["id"], Refused(Refusal.INTERNAL, words), now)
            self._drop(FaultCode.RESET_FAILED, words)

    def _watch_lease(self, now: int) -> None:
        lease = self.leases.holder
        if lease is not None and self._deserted is None and self.situation.mode is Mode.ACTIVE:
            silent = now - lease.heard
            if silent > ns(self.limits.silence_s):
                self._deserted = lease.heard
                self.situation.epoch += 1
                self._halt("silence", "stopped", f"{lease.name} was silent for {silent / 1e9:.3f} s")
        if self.leases.expired(now):
            self._end_lease(f"lease {lease.token} of {lease.name} expired")
            if self.situation.fault is None and (waiting := self.leases.next_in_line(now)) is not None:
                new = self.leases.acquire(waiting.peer, waiting.name, now)
                self._grant(new, waiting.route, waiting.request, "handed over")
        if self._deserted is not None and now - self._deserted > ns(self.limits.fault_s):
            self._deserted = None
            self._fault(FaultCode.COMM_LOST, "the commander fell silent during a motion and nobody took over")

    def _end_lease(self, words: str) -> None:
        self.leases.release()
        self.situation.epoch += 1
        self._halt("lease", "stopped", words)
        self._tell_event("lease", words, {"lease": 0})
        if self.situation.mode in (Mode.LEASED, Mode.HOLDING):
            self.situation.go(Mode.READY, words)

    def _watch_chunk(self, now: int) -> None:
        chunk = self.motion.chunk
        if chunk is None:
            return
        if now >= chunk.due(len(chunk.rows) - 1) and self.motion.arrived:
            self.motion.forget_track()
            self.situation.go(Mode.STOPPING, f"chunk {chunk.number} is carried out")
        elif now >= chunk.expires:
            self._halt("age", "expired", f"chunk {chunk.number} outlived its {(chunk.expires - chunk.t0) / 1e9:g} s")

    def _move(self, now: int) -> int:
        try:
            reports, collision, index = self.motion.advance(now)
        except NoStop as reason:
            self._drop(FaultCode.NO_STOP, str(reason)[:500])
            return 0
        for report in reports:
            self._report(report)
        if collision:
            self._fault(FaultCode.COLLISION, f"{collision} would touch")
        return index

    def _settle(self) -> None:
        """Once the arm stands, the mode says what it stands for."""
        if self.situation.mode is not Mode.STOPPING or not self.motion.standing:
            return
        if self.situation.fault:
            self.situation.go(Mode.FAULT, str(self.situation.fault.code))
        elif (lease := self.leases.holder) is None:
            self.situation.go(Mode.READY, "nobody holds the lease")
        else:
            self.situation.go(Mode.LEASED if lease.seq < 0 else Mode.HOLDING, "stands")

    def _halt(self, stage: str, code: str, words: str) -> None:
        """Decelerate at the limits; what was commanded is forgotten."""
        if self.situation.mode is Mode.ACTIVE:
            chunk = self.motion.chunk
            self._report(Report(stage, code, words, chunk.number if chunk else 0))
            self.situation.go(Mode.STOPPING, words)
        self.motion.forget_track()

    def _fault(self, code: FaultCode, words: str) -> None:
        """Stop within the limits, then stay until a supervisor clears it. The first fault is the one that counts."""
        if not self.situation.raise_fault(code, words, self._now):
            return
        self.situation.epoch += 1
        self._deserted = None
        self._halt("fault", "stopped", words)
        if self.situation.mode is not Mode.STOPPING:
            self.situation.go(Mode.STOPPING if not self.motion.standing else Mode.FAULT, words)

    def _drop(self, code: FaultCode, words: str) -> None:
        """The arm cannot be led any more: its own stop, at once."""
        self._fault(code, words)
        self.motion.forget_track()
        self.motion.start_anew()
        if self.situation.mode is not Mode.FAULT:
            self.situation.go(Mode.FAULT, words)

    # --- what is told ---

    def _token(self) -> int:
        return self.leases.holder.token if self.leases.holder else 0

    def _tell_event(self, what: str, detail: str, data: dict[str, Any]) -> None:
        self.outbox.send(Port.STATE, b"event", "event", self._now, what=what, detail=short(detail), data=data)

    def _report(self, report: Report) -> None:
        self.outbox.send(
            Port.STATE, b"report", "report", self._now, stage=report.stage, code=report.code, chunk=report.chunk,
            detail=short(report.detail),
        )

    def _tell_state(self, now: int, measured: Measured, index: int) -> None:
        fault, chunk = self.situation.fault, self.motion.chunk
        setpoint = np.append(self.motion.position, self.motion.opening)
        self.outbox.send(
            Port.STATE, b"state", "state", now, mode=str(self.situation.mode), fault=fault.number if fault else 0,
            measured=measured.t, position=measured.position, velocity=measured.velocity, opening=measured.opening,
            tool=self.motion.tool_pose(measured.position), setpoint=setpoint, chunk=chunk.number if chunk else 0,
            index=index, inputs=self._inputs, generation=measured.generation, late=self._late, worst=self._worst,
        )
