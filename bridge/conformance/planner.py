"""The laws of a `Planner`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from tandem.bridge.conformance.law import require
from tandem.bridge.contract import (
    Attempt,
    CameraPoint,
    FailureCode,
    Plan,
    Planner,
    PlannerFailed,
    PlanRequest,
    Subgoal,
)


def check_planner(make_planner: Callable[[], Planner], request: PlanRequest) -> None:
    """Raise AssertionError naming the first law of `Planner` that is broken.

    Args:
        make_planner: makes a fresh planner.
        request: an instruction that it can plan for, with the catalogue and cameras that it may use.
    """
    plan = make_planner().plan(request)
    _check_plan(plan, request)
    subgoal = plan.subgoals[0] if plan.subgoals else Subgoal("home")
    failed = Attempt(subgoal, False, None, None, FailureCode.GRASP_FAILED, "the gripper closed on nothing", 0.0, 1.0)
    _check_answer(make_planner(), replace(request, history=(failed,)))
    _check_answer(make_planner(), replace(request, catalogue={}))


def _check_answer(planner: Planner, request: PlanRequest) -> None:
    """The same laws where a planner may also give up, with a typed error and nothing else."""
    try:
        plan = planner.plan(request)
    except PlannerFailed:
        return
    except Exception as other:
        law = "a planner that finds no plan must raise PlannerFailed"
        raise AssertionError(f"{law}; it raised {type(other).__name__}: {other}") from other
    _check_plan(plan, request)


def _check_plan(plan: Plan, request: PlanRequest) -> None:
    require(isinstance(plan, Plan), "plan must return a Plan.", type(plan))
    for subgoal in plan.subgoals:
        law = f"a plan may name only skills of the catalogue it was given: {', '.join(request.catalogue) or 'none'}."
        require(subgoal.skill in request.catalogue, law, subgoal.skill)
        for value in subgoal.arguments.values():
            known = not isinstance(value, CameraPoint) or value.camera in request.cameras
            law = f"a camera point may name only cameras that it was given: {', '.join(request.cameras) or 'none'}."
            require(known, law, value)
    try:
        json.dumps(plan.to_dict())
    except TypeError as reason:
        raise AssertionError(f"a plan is data: its calls must hold plain types only ({reason}).") from reason
