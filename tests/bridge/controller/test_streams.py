"""For any stream of messages, finite or not, from anybody, delayed, dropped, doubled and out of order: what the driver
sees keeps every limit, nothing is carried out after its time to live, one commander at a time, and silence stops.
"""

import math
import os
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tandem.bridge.conformance import dummy_spec
from tandem.bridge.controller.core import Controller
from tandem.bridge.controller.mode import Mode
from tandem.bridge.controller.options import Limits
from tandem.bridge.controller.traffic import Incoming
from tandem.bridge.drivers.driver import Measured
from tandem.bridge.roles import Peer, Role
from tandem.bridge.safety.shaping import Shaper
from tandem.bridge.wire import Message, Port, decode, encode
from tandem.bridge.wire.codec import MAX_REPLY

SPEC = dummy_spec()
LIMITS = Limits(tick_hz=100.0, silence_s=0.1, lease_s=0.2, fault_s=0.3, gap_s=0.05)
TICK = 10_000_000
PEERS = (Peer("a", Role.COMMANDER, "a"), Peer("b", Role.COMMANDER, "b"), Peer("s", Role.SUPERVISOR, "s"),
         Peer("o", Role.OBSERVER, "o"))
BRAKING_S = float(np.max(SPEC.velocity_limit / SPEC.acceleration_limit + 2 * SPEC.acceleration_limit / SPEC.jerk_limit))
SETTLING = 8 + math.ceil((LIMITS.silence_s + 1.05 * BRAKING_S) / LIMITS.tick_s) + 4  # ticks; 8: the network's delay
STREAMS = 10_000
EXPLORE = bool(os.environ.get("TANDEM_EXPLORE"))  # other streams on each run; without it, the same ones everywhere

WILD = (math.nan, math.inf, -math.inf, 1e308, -1e9, 0.0, 5e-324)
EVENTS = ("chunk",) * 12 + ("renew", "renew", "acquire", "acquire", "force", "standby", "release", "stop", "clear",
                           "reset", "bytes", "wait", "freeze", "away")


class Network:
    """Messages on their way: each may be late, lost or doubled, and so overtake others."""

    def __init__(self, rng):
        self._rng, self._waiting = rng, []
        self.p_drop, self.p_double, self.delay = rng.choice([0, 0.2]), rng.choice([0, 0.3]), rng.choice([0, 1, 8])

    def send(self, now, incoming):
        for _ in range(1 + (self._rng.random() < self.p_double)):
            if self._rng.random() >= self.p_drop:
                self._waiting.append((now + TICK * int(self._rng.integers(0, self.delay + 1)), incoming))

    def due(self, now):
        ready = [incoming for when, incoming in self._waiting if when <= now]
        self._waiting = [(when, incoming) for when, incoming in self._waiting if when > now]
        return ready


class Stage:
    """A controller, a perfect arm, four peers, and the laws, checked at every tick."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.core = Controller(SPEC, LIMITS, session="s", collisions=False)
        self.network, self.now = Network(self.rng), 10**9
        self.position, self.velocity = SPEC.home.copy(), np.zeros(3)
        self.trail, self.seq = [], defaultdict(int)
        self.measured_at, self.frozen_until, self.suspended = self.now, 0, 0
        self.accepted, self.owners, self.highest, self.heard = {}, {}, 0, {}
        self.shaper = Shaper(SPEC, LIMITS.tick_s)
        self.tick()
        hello = Message("acquire", {"id": 1, "name": "a", "standby": False, "force": False}, "s")
        self._hand_over(Incoming(Port.CONTROL, b"r", PEERS[int(self.rng.integers(3))], encode(hello)))

    # --- what peers do ---

    def do(self, what):
        peer = PEERS[int(self.rng.integers(len(PEERS)))]
        holder = self.core.leases.holder
        if holder is not None and self.rng.random() < 0.85:
            peer = holder.peer
        if what == "wait":
            self.run(int(self.rng.integers(1, 30)))
        elif what == "freeze":
            self.frozen_until = self.now + TICK * int(self.rng.integers(1, 15))
        elif what == "away":
            gone = TICK * int(self.rng.integers(1, 12))
            self.now, self.suspended = self.now + gone, self.suspended + gone
        elif what == "bytes":
            port = (Port.CONTROL, Port.COMMAND, Port.STOP)[int(self.rng.integers(3))]
            self.network.send(self.now, Incoming(port, b"r", peer, self.rng.bytes(int(self.rng.integers(0, 80)))))
        else:
            getattr(self, f"_{what}")(peer)
        self.run(int(self.rng.integers(0, 4)))

    def _say(self, port, peer, kind, fields, *, epoch=None, lease=None, seq=None):
        epoch = self.core.situation.epoch if epoch is None else epoch
        token = self.core.leases.holder.token if self.core.leases.holder else 0
        self.seq[peer.identity] += 1
        message = Message(kind, fields, "s", epoch, token if lease is None else lease,
                          self.seq[peer.identity] if seq is None else seq, self.now)
        self.network.send(self.now, Incoming(port, b"r", peer, encode(message)))
        return message

    def _acquire(self, peer, force=False, standby=False):
        self._say(Port.CONTROL, peer, "acquire", {"id": 1, "name": peer.name, "standby": standby, "force": force})

    def _force(self, peer):
        self._acquire(peer, force=True)

    def _standby(self, peer):
        self._acquire(peer, standby=True)

    def _renew(self, peer):
        self._say(Port.CONTROL, peer, "renew", {"id": 1, "calls": 0, "idle": 0}, lease=self._some_token())

    def _release(self, peer):
        self._say(Port.CONTROL, peer, "release", {"id": 1})

    def _stop(self, peer):
        if self.rng.random() < 0.3:
            self._say(Port.STOP, peer, "stop", {"id": 1, "reason": ""})

    def _clear(self, peer):
        fault = self.core.situation.fault
        self._say(Port.CONTROL, PEERS[2] if fault else peer, "clear", {"id": 1, "fault": fault.number if fault else 1})

    def _reset(self, peer):
        self._say(Port.CONTROL, peer, "reset", {"id": 1, "options": {}})

    def _some_token(self):
        return None if self.rng.random() < 0.95 else int(self.rng.integers(0, self.core.leases.token + 2))

    def _chunk(self, peer):
        rng = self.rng
        rows = int(rng.choice([1, 1, 2, 8, 30]))
        steps = rng.normal(0, rng.choice([0.001, 0.005, 0.02, 0.02, 0.02, 0.5]), (rows, 4)).cumsum(axis=0)
        q = np.append(self.core.motion.position, 0.5) + steps
        if rng.random() < 0.06:
            q[int(rng.integers(rows)), int(rng.integers(4))] = WILD[int(rng.integers(len(WILD)))]
        names = SPEC.action.names
        if rng.random() < 0.05:
            names = tuple(rng.permutation(names).tolist()) if rng.random() < 0.7 else names[:3]
        fields = {
            "t0": max(0, self.now + int(rng.integers(-4, 4)) * TICK),
            "dt": int(rng.choice([1, 5, 20, 50, 50, 50, 50, 50, 100, 2000])) * 10**6,
            "names": names, "q": q,
            "ttl": int(rng.choice([0, 20, 100, 200, 300, 500, 500, 500, 500, 1000, 1000, 1000, 1000, 9000])) * 10**6,
        }
        epoch = None if rng.random() < 0.95 else int(rng.integers(0, 9))
        seq = None if rng.random() < 0.95 else int(rng.integers(0, 5))
        self._say(Port.COMMAND, peer, "chunk", fields, epoch=epoch, lease=self._some_token(), seq=seq)

    # --- time ---

    def run(self, ticks):
        for _ in range(ticks):
            self.tick()

    def tick(self):
        self.now += TICK
        for incoming in self.network.due(self.now):
            self._hand_over(incoming)
        if self.now >= self.frozen_until:
            self.measured_at = self.now
        tick = self.core.tick(self.now, Measured(self.position, self.velocity, 0.5, self.measured_at))
        if tick.setpoint is None:
            self.trail.clear()
            self.velocity = np.zeros(3)
        else:
            self._see(tick.setpoint)
        for outgoing in tick.out:
            message = decode(outgoing.frame, limit=MAX_REPLY)
            if message.kind == "state":
                self._check_state(message, tick.setpoint)

    def _hand_over(self, incoming):
        before = len(self.core.outbox._waiting)
        self.core.receive(incoming, self.now)
        self._listen(incoming, before)

    def _listen(self, incoming, before):
        for outgoing in self.core.outbox._waiting[before:]:
            message = decode(outgoing.frame, limit=MAX_REPLY)
            if message.kind == "granted":
                self._granted(message, incoming.peer)
            elif message.kind == "accepted":
                chunk = decode(incoming.frame)
                assert self.owners[chunk.lease] == incoming.peer.identity, "a chunk of somebody without the lease"
                assert chunk.lease == self.highest, "a chunk under a token that was superseded"
                assert np.isfinite(chunk["q"]).all()
                self.heard[chunk.lease] = self.now
                self.accepted[chunk.seq, chunk.lease] = chunk["t0"], chunk["ttl"]
            elif message.kind in ("renewed", "ready"):
                self.heard[message.lease] = self.now

    def _granted(self, message, peer):
        assert message.lease > self.highest, "tokens only grow"
        self.highest, self.owners[message.lease], self.heard[message.lease] = message.lease, peer.identity, self.now

    # --- laws ---

    def _see(self, setpoint):
        self.trail.append(setpoint.position)
        self.position, self.velocity = setpoint.position, setpoint.velocity
        assert np.all((setpoint.position >= SPEC.position_low) & (setpoint.position <= SPEC.position_high)), "range"
        low, high = self.shaper.stopping_range(setpoint.position, setpoint.velocity, setpoint.acceleration)
        assert np.all((low >= SPEC.position_low) & (high <= SPEC.position_high)), "no room to stop"
        assert 0.0 <= setpoint.opening <= 1.0
        limits = (SPEC.velocity_limit, SPEC.acceleration_limit, SPEC.jerk_limit)
        for order, limit in enumerate(limits, start=1):
            if len(self.trail) > order:
                change = np.diff(np.array(self.trail[-order - 1:]), order, axis=0)[0] / LIMITS.tick_s**order
                assert np.all(np.abs(change) <= limit * (1 + 1e-6) + 1e-6), f"derivative {order} beyond its limit"

    def _check_state(self, state, setpoint):
        if state.lease and state.lease not in self.owners:  # handed over within the tick
            assert state.lease > self.highest
            self.highest, self.heard[state.lease] = state.lease, self.now
            self.owners[state.lease] = self.core.leases.holder.peer.identity
        assert state.lease in (0, self.highest), "two holders"
        if state["chunk"]:
            t0, ttl = self.accepted[state["chunk"], state.lease]
            assert self.now < t0 + ttl, "an action older than its time to live"
            silence = self.now - self.heard[state.lease]
            assert silence <= (LIMITS.silence_s + 2 * LIMITS.tick_s) * 1e9, "motion under a silent commander"
        if self.core.situation.fault:
            assert not state["chunk"], "motion under a fault"
        last = max(self.heard.values(), default=0) + self.suspended  # a loop that does not turn brakes nothing
        if self.now - last > (LIMITS.silence_s + 1.05 * BRAKING_S + 3 * LIMITS.tick_s) * 1e9 and setpoint is not None:
            assert np.all(setpoint.velocity == 0), "still moving after the declared time of silence"


@settings(max_examples=STREAMS, deadline=None, database=None, derandomize=not EXPLORE,
          suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32 - 1), st.lists(st.sampled_from(EVENTS), min_size=4, max_size=12))
def test_no_stream_makes_the_driver_see_what_it_must_not(seed, events):
    stage = Stage(seed)
    for event in events:
        stage.do(event)
    stage.run(SETTLING)
    assert stage.core.situation.mode in (Mode.READY, Mode.FAULT, Mode.LEASED, Mode.HOLDING)


def test_most_streams_do_move_the_arm():
    """The laws above would be idle if everything were refused."""
    moved = 0
    for seed in range(40):
        stage = Stage(seed)
        for event in ("chunk", "renew", "chunk", "chunk", "wait"):
            stage.do(event)
        moved += bool(np.abs(stage.position - SPEC.home).max() > 1e-4)
    assert moved >= 15


@pytest.mark.parametrize("law", ["ttl", "silence", "lease"])
def test_the_laws_notice_a_controller_that_breaks_them(law, monkeypatch):
    if law == "ttl":
        monkeypatch.setattr(Controller, "_watch_chunk", lambda self, now: None)
    elif law == "silence":
        monkeypatch.setattr(Controller, "_watch_lease", lambda self, now: None)
    else:
        monkeypatch.setattr("tandem.bridge.controller.lease.Leases.check", lambda self, peer, token: self.holder)
    with pytest.raises((AssertionError, KeyError, AttributeError)):
        for seed in range(300):
            stage = Stage(seed)
            for event in ("chunk", "chunk", "chunk", "renew", "chunk", "wait", "chunk", "chunk", "wait"):
                stage.do(event)
            stage.run(SETTLING)
