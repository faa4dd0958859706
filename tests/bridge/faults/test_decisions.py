"""Decisions come from the seed and the place of a message in its stream, and from nothing else."""

import numpy as np

from tandem.bridge.faults import Decisions, Direction, faults_named

UP, DOWN = Direction.TO_CONTROLLER, Direction.TO_CLIENT
MANY = "drop:p=0.2;duplicate:p=0.3;reorder:p=0.1;delay:ms=5,jitter_ms=10"


def drawn(count=200, words=MANY, seed=1, port="command", connection=0, direction=UP):
    decisions = Decisions(faults_named(words), seed, port, connection, direction)
    return [decisions.decide() for _ in range(count)]


def test_the_same_seed_gives_the_same_decisions():
    assert drawn() == drawn()


def test_another_seed_port_connection_or_direction_gives_others():
    others = [drawn(seed=2), drawn(port="control"), drawn(connection=1), drawn(direction=DOWN)]
    assert all(other != drawn() for other in others)
    assert len({tuple(other) for other in others}) == len(others)


def test_streams_do_not_disturb_each_other():
    one, other = (Decisions(faults_named(MANY), 1, port, 0, UP) for port in ("command", "state"))
    mixed = []
    for k in range(200):
        mixed.append(one.decide())
        for _ in range(k % 3):
            other.decide()
    assert mixed == drawn()


def test_what_one_fault_does_never_shifts_the_luck_of_another():
    always, never = drawn(words="drop:p=1;duplicate:p=0.3"), drawn(words="drop:p=0;duplicate:p=0.3")
    assert [each.copies for each in always] == [each.copies for each in never]


def test_faults_strike_as_often_and_as_hard_as_they_say():
    decisions = drawn(5000)
    share = {name: np.mean([getattr(each, name) > 0 for each in decisions]) for name in ("dropped", "copies", "held_s")}
    for name, p in (("dropped", 0.2), ("copies", 0.3), ("held_s", 0.1)):
        assert abs(share[name] - p) < 0.03, name
    delays = np.array([each.delay_s for each in decisions])
    assert 0.005 <= delays.min() < 0.0052
    assert 0.0148 < delays.max() < 0.015


def test_faults_elsewhere_do_not_strike():
    words = "drop:p=1,only=state;duplicate:p=1,towards=client;freeze:at_s=0,seconds=9"
    assert not any(each.dropped or each.copies for each in drawn(words=words))
    assert all(each.dropped and not each.copies for each in drawn(words=words, port="state"))
    assert all(each.copies and not each.dropped for each in drawn(words=words, direction=DOWN))
