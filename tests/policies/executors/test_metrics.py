"""Seam jerk against its definition, and what ends up in the log."""

import numpy as np
import pytest

from tandem.bridge.contract import Event, EventKind
from tandem.policies.executors.metrics import Metrics, Tally

DT_S = 0.05


def tally_of(path, seams, held=()):
    tally = Tally("test", DT_S)
    for i, position in enumerate(path):
        tally.action(np.append(position, 1.0), held=i in held, fresh=i in seams)
    return tally.summary()


def test_seam_jerk_is_the_third_difference_across_seams():
    path = np.random.default_rng(0).normal(size=(40, 3))
    seams = {9, 21, 22}
    jerk = np.linalg.norm(np.diff(path, n=3, axis=0), axis=1) / DT_S**3  # jerk k spans actions k .. k + 3
    across = np.array([any(k < seam <= k + 3 for seam in seams) for k in range(len(jerk))])
    summary = tally_of(path, seams)
    assert summary.seam_jerk == pytest.approx(np.sqrt(np.mean(jerk[across] ** 2)))
    assert summary.rest_jerk == pytest.approx(np.sqrt(np.mean(jerk[~across] ** 2)))
    assert (summary.seams, summary.actions) == (3, 40)


def test_a_smooth_path_has_no_jerk_and_a_jump_has_it_at_the_seam_alone():
    path = np.linspace(0, 1, 30)[:, None] * np.ones(3)
    assert tally_of(path, {10}).seam_jerk == pytest.approx(0, abs=1e-9)
    path[10:] += 0.01
    jumped = tally_of(path, {10})
    assert jumped.seam_jerk > 100
    assert jumped.rest_jerk == pytest.approx(0, abs=1e-9)


def test_beginning_and_ending_to_hold_are_seams():
    assert tally_of(np.zeros((10, 3)), set(), held={4, 5}).seams == 2


def test_the_gripper_has_no_part_in_it():
    tally = Tally("test", DT_S)
    for i in range(9):
        tally.action(np.array([0.0, i % 2]), held=False, fresh=i == 4)
    assert tally.summary().seam_jerk == 0.0


def test_without_anything_there_are_no_numbers():
    summary = Tally("test", DT_S).summary()
    assert summary.stale_action_ratio is summary.effective_hz is summary.latency_p95_s is summary.seam_jerk is None
    assert str(summary) == "test: nothing was driven"


def test_each_subgoal_ends_with_its_numbers_and_the_total_goes_on():
    metrics, heard = Metrics("test", DT_S), []
    metrics.tell = heard.append
    for steps in (5, 7, 0):
        metrics.on_event(Event(EventKind.SUBGOAL_START, 0.0, "pick"))
        for _ in range(steps):
            metrics.action(np.zeros(4), held=False, fresh=False)
        metrics.on_event(Event(EventKind.SUBGOAL_END, 1.5, "done"))
    assert [(event.kind, event.time_s, event.data["actions"]) for event in heard] == [
        (EventKind.EXECUTION, 1.5, 5), (EventKind.EXECUTION, 1.5, 7)]
    assert metrics.total.summary().actions == 12
