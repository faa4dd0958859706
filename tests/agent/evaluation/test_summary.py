"""A summary counts episodes once, broken workers never, and says of nothing what was not measured."""

import json
from dataclasses import replace

import pytest

from tandem.agent.evaluation import results
from tandem.agent.evaluation.results import INFRASTRUCTURE, Record
from tandem.agent.evaluation.statistics import wilson
from tandem.agent.evaluation.summary import Summary

PLAN = {"tasks": ["sort", "stack", "kit"], "episodes": 4, "first_seed": 7, "arm": {}}
GOOD = Record(
    "sort", 0, 7, success=True, claimed=True, measured=True, false_success=False, progress=1.0, plans=1, steps=100,
    held_steps=10, plan_latency_s=(0.5,), success_s=4.0,
)
BAD = Record("sort", 1, 8, success=False, measured=False, false_success=False, failure="GRASP_FAILED", progress=0.5,
             plans=3, steps=300, held_steps=70, plan_latency_s=(0.1, 0.2, 0.3))
TRIES = (
    GOOD, replace(GOOD, success=False),  # a second line of the same episode
    BAD, replace(BAD, index=2, seed=9, claimed=True, false_success=True, failure=None),
    replace(GOOD, index=3, seed=10, kind=INFRASTRUCTURE, success=None, failure="WorkerDied"),
    replace(GOOD, task="stack", success_s=6.0), replace(BAD, task="stack", success=None, false_success=None),
    replace(BAD, task="stack", index=2, seed=9, privileged=True),
)


@pytest.fixture
def summary(tmp_path):
    results.begin(tmp_path / "a", PLAN)
    for record in TRIES:
        results.append(tmp_path / "a", record)
    return Summary.of(results.load(tmp_path / "a"))


def test_rates_are_of_what_was_measured(summary):
    overall = summary.overall
    assert (summary.planned, overall.episodes, overall.scored, overall.successes) == (12, 6, 5, 2)
    assert overall.success == 0.4
    assert (overall.wilson_low, overall.wilson_high) == wilson(2, 5)
    assert overall.false_success == 0.2
    assert (overall.false_success_low, overall.false_success_high) == wilson(1, 5)
    assert overall.privileged == 1


def test_failures_are_told_apart_and_infrastructure_is_none_of_them(summary):
    assert summary.overall.failures == {"GRASP_FAILED": 3, "FALSE_SUCCESS": 1}
    assert summary.overall.infrastructure_errors == 1
    assert summary.overall.infrastructure == {"WorkerDied": 1}
    assert summary.tasks["stack"].infrastructure_errors == 0


def test_times_and_thinking(summary):
    overall = summary.overall
    assert overall.plans == 14
    assert overall.plan_latency_p50_s == pytest.approx(0.2)
    assert overall.plan_latency_p95_s == pytest.approx(0.5)
    assert overall.held_share == pytest.approx(300 / 1400)
    assert overall.success_s_median == 5.0
    assert overall.progress == pytest.approx(4 / 6)


def test_a_task_that_has_not_begun_has_no_rate(summary):
    kit = summary.tasks["kit"]
    assert kit.episodes == 0
    assert {kit.success, kit.false_success, kit.progress, kit.plan_latency_p95_s, kit.success_s_median} == {None}
    assert (kit.wilson_low, kit.wilson_high) == (0.0, 1.0)


def test_it_goes_through_json_with_flat_names(summary):
    plain = json.loads(json.dumps(summary.to_dict(), allow_nan=False))
    flat = {"success", "wilson_low", "wilson_high", "false_success", "episodes", "infrastructure_errors"}
    assert flat <= plain.keys()
    assert flat <= plain["tasks"]["sort"].keys()
    assert list(plain["tasks"]) == PLAN["tasks"]
