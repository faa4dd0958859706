"""The benchmark of executors: the same seeds for all, and what the policy benchmark asks of it."""

from dataclasses import replace

import pytest
from benchmarks.executors import ExecutorsBenchmark, drive, seam_jerk_ratio
from composition import System

from tandem.bridge.contract import InvalidOption

SYSTEM = System(planner="scripted", policy="demonstrator", verifier="predicate")


def test_the_ratio_compares_the_same_episodes():
    figures = seam_jerk_ratio(SYSTEM, [3], executor="ensemble")
    assert figures["success"] == figures["baseline_success"] == 1.0
    assert 0 < figures["seam_jerk_ratio"] < 10
    assert seam_jerk_ratio(SYSTEM, [3], executor="open_loop:horizon=8")["seam_jerk_ratio"] == 1.0


def test_its_figures_are_named_by_executor(capsys):
    figures = ExecutorsBenchmark(("async", "open_loop:horizon=8", "open_loop:horizon=20"), seeds=1).run()
    assert {"async_seam_jerk", "open_loop_2_success", "open_loop_3_effective_hz"} <= set(figures)
    assert "open_loop:horizon=20" in capsys.readouterr().out


def test_a_policy_that_the_executor_cannot_drive_and_nothing_to_measure_are_refused():
    with pytest.raises(InvalidOption, match="choose a flow policy"):
        seam_jerk_ratio(SYSTEM, [3], executor="rtc")
    with pytest.raises(InvalidOption, match="at least one seed"):
        ExecutorsBenchmark(seeds=0).run()


def test_figures_over_episodes_weigh_by_what_was_driven():
    driven = drive(replace(SYSTEM, executor="async", clock="charged:100"), [3, 4])
    actions = [summary.actions for summary in driven.summaries]
    stale = [summary.stale for summary in driven.summaries]
    assert driven.value("stale_action_ratio") == pytest.approx(sum(stale) / sum(actions))
    assert driven.value("latency_p50_s") == pytest.approx(0.1)
