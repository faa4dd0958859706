"""What has a time begins and ends at its time; what was begun by hand ends by hand."""

import math

from tandem.bridge.faults import Cut, Direction, Freeze, HalfOpen, faults_named
from tandem.bridge.faults.outages import Outages

PORTS = ("command", "state")
UP, DOWN = Direction.TO_CONTROLLER, Direction.TO_CLIENT
EVERY = {(port, way) for port in PORTS for way in (UP, DOWN)}


def test_times_of_faults():
    outages = Outages(faults_named("freeze:at_s=1,seconds=0.5;half_open:at_s=3;cut:at_s=2,seconds=1,only=state"), PORTS)
    story = []
    now = 0.0
    while now < math.inf:
        outages.update(now)
        story.append((now, set(outages.frozen), set(outages.discarding), set(outages.cut)))
        now = outages.next_change_s(now)
    ups = {(port, UP) for port in PORTS}
    assert story == [
        (0.0, set(), set(), set()), (1.0, EVERY, set(), set()), (1.5, set(), set(), set()),
        (2.0, set(), set(), {"state"}), (3.0, set(), ups, set()),
    ]


def test_one_port_and_one_direction():
    outages = Outages(faults_named("freeze:at_s=0,seconds=1,only=state,towards=client;half_open:at_s=0,towards=client"),
                      PORTS)
    outages.update(0.0)
    assert outages.frozen == {("state", DOWN)}
    assert outages.discarding == {(port, DOWN) for port in PORTS}


def test_by_hand():
    outages = Outages(faults_named("freeze:at_s=1,seconds=1"), PORTS)
    assert not outages.update(0.0)
    for fault in (Freeze(0, 1), Cut(0, 1), HalfOpen(0)):
        outages.begin(fault)
    assert outages.update(5.0)
    assert outages.frozen == EVERY
    assert outages.cut == set(PORTS)
    outages.end(Cut, HalfOpen)
    outages.end(Freeze)
    assert outages.update(1.5)
    assert outages.frozen == EVERY, "a fault with a time ends at its time"
    outages.update(2.0)
    assert outages.frozen | outages.cut | outages.discarding == set()
