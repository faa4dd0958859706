"""Single laws of the controller's core, each by a short story: resets, clearing, questions, the line for the lease."""

import numpy as np
import pytest

from tandem.bridge.conformance import dummy_spec
from tandem.bridge.controller.core import Controller
from tandem.bridge.controller.lease import MAX_STANDBY
from tandem.bridge.controller.mode import Mode
from tandem.bridge.controller.traffic import Incoming
from tandem.bridge.drivers.driver import Measured
from tandem.bridge.roles import Peer, Role
from tandem.bridge.wire import Message, Port, decode, encode

SPEC = dummy_spec()
TICK = 2_000_000
OBSERVER, BOSS = Peer("o", Role.OBSERVER, "o"), Peer("s", Role.SUPERVISOR, "s")


class Stage:
    """A core and an arm that hangs a little below its setpoint and holds something that keeps its hand open."""

    def __init__(self, *extensions, sag=0.0, kept_open=0.0):
        self.core, self.now, self.seq = Controller(SPEC, session="s", extensions=extensions), 10**9, 0
        self.sag, self.kept_open = np.array([0, 0, -sag]), kept_open
        self.position, self.speed, self.opening = SPEC.home.copy(), np.zeros(3), 1.0
        self.questions, self.said, self.setpoint, self.fault = [], [], None, ""
        self.tick(3)

    def tick(self, count=1):
        for _ in range(count):
            self.now += TICK
            measured = Measured(self.position, self.speed, self.opening, self.now, 0, self.fault)
            tick = self.core.tick(self.now, measured)
            self.questions += tick.questions
            if tick.setpoint is not None:
                self.setpoint, self.position = tick.setpoint, tick.setpoint.position + self.sag
                self.opening = max(tick.setpoint.opening, self.kept_open)
            self.said += [decode(out.frame) for out in tick.out if out.port is not Port.STATE]

    def say(self, kind, peer=BOSS, port=Port.CONTROL, **fields):
        """The answer."""
        self.seq += 1
        token, epoch = self.core.leases.holder.token if self.core.leases.holder else 0, self.core.situation.epoch
        if port is not Port.COMMAND:
            fields["id"] = self.seq
        frame = encode(Message(kind, fields, "s", epoch, token, self.seq, self.now))
        self.core.receive(Incoming(port, b"r", peer, frame), self.now)
        self.said = []
        self.tick()
        return self.said[0] if self.said else None

    def acquire(self, peer=BOSS, name="me", standby=False):
        return self.say("acquire", peer, name=name, standby=standby, force=False)

    def chunk(self, goal, opening):
        row = np.append(goal, opening)
        return self.say("chunk", port=Port.COMMAND, t0=self.now, dt=50_000_000, ttl=2_000_000_000,
                        names=SPEC.action.names, q=np.tile(row, 8))

    @property
    def mode(self):
        return self.core.situation.mode


def code(answer):
    return answer["code"] if answer.kind == "refused" else answer.kind


@pytest.mark.parametrize("peer", [OBSERVER, BOSS])
def test_a_reset_that_is_dressed_as_a_question_reaches_nobody(peer):
    stage = Stage("reset", "ask")
    assert code(stage.say("ask", peer, question="reset", arguments={})) == "INVALID"
    assert not stage.questions
    stage.say("ask", peer, question="success", arguments={})
    assert [question.question for question in stage.questions] == ["success"]


def test_a_fault_is_not_cleared_while_the_arm_is_put_elsewhere():
    stage = Stage("reset")
    stage.acquire()
    stage.say("reset", options={})
    assert stage.mode is Mode.IDLE
    stage.say("stop", port=Port.STOP, reason="what is it doing?")
    assert stage.mode is Mode.FAULT
    assert code(stage.say("clear", fault=1)) == "MOVING"
    stage.core.answered(stage.questions[0].number, {}, "", stage.now)
    stage.tick(2)
    assert stage.mode is Mode.FAULT
    assert code(stage.say("clear", fault=1)) == "cleared"
    assert stage.mode is Mode.READY


def test_a_reset_that_moves_nothing_leaves_arm_and_hand_as_they_are():
    stage = Stage(sag=0.02, kept_open=0.4)
    stage.acquire()
    assert code(stage.chunk(SPEC.home + [0.01, 0, 0], 0.0)) == "accepted"
    stage.tick(400)
    before = stage.setpoint
    assert (before.opening, stage.opening) == (0.0, 0.4)
    for _ in range(3):
        assert code(stage.say("reset", options={})) == "ready"
        np.testing.assert_array_equal(stage.setpoint.position, before.position)
        assert stage.setpoint.opening == 0.0


def test_a_fault_is_not_cleared_while_the_arm_moves():
    stage = Stage()
    stage.fault = "a joint is hot"
    stage.tick()
    stage.fault, stage.speed = "", np.array([0, 0.4, 0])
    stage.tick()
    refused = stage.say("clear", fault=1)
    assert code(refused) == "MOVING"
    assert SPEC.joint_names[1] in refused["detail"]
    stage.speed = np.zeros(3)
    stage.tick()
    assert code(stage.say("clear", fault=1)) == "cleared"


def test_who_has_gone_does_not_stand_in_line():
    stage = Stage()
    stage.acquire(name="holder")
    for number in range(MAX_STANDBY):
        assert stage.acquire(name=f"gone {number}", standby=True)["place"] == number + 1
    assert code(stage.acquire(name="new", standby=True)) == "BUSY"
    for _ in range(12):
        stage.tick(50)
        assert code(stage.say("renew", calls=0, idle=0)) == "renewed"
    assert stage.acquire(name="new", standby=True)["place"] == 1


def test_who_gets_the_lease_leaves_the_line():
    stage = Stage()
    stage.acquire(name="holder")
    assert stage.acquire(name="next", standby=True)["place"] == 1
    stage.say("release")
    assert code(stage.acquire(name="next")) == "granted"
    assert not stage.core.leases.standby


def test_who_asks_an_arm_that_is_not_there_is_told_what_it_lacks():
    core, now = Controller(SPEC, session="s"), 10**12
    core.tick(now, Measured(SPEC.home, np.zeros(3), 1.0, now - 5 * 10**9))
    frame = encode(Message("acquire", {"id": 1, "name": "c", "standby": False, "force": False}, "s", 1, 0, 1, now))
    core.receive(Incoming(Port.CONTROL, b"c", BOSS, frame), now)
    said = decode(core.tick(now + TICK, Measured(SPEC.home, np.zeros(3), 1.0, now)).out[0].frame)
    assert (said["code"], said["detail"]) == (
        "NOT_READY", "the controller is IDLE: the newest measurement is 5.000 s old")
    assert core.situation.mode is Mode.READY
