"""The checks of the swap kit, in order: what each measures, in words and figures, and whether it is good enough."""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from swap_kit.planning import hostile, plan_all
from swap_kit.pointing import measure
from swap_kit.scenes import Shot, shots

from tandem.agent.planner.conformance import check_model
from tandem.agent.planner.model import Model
from tandem.agent.planner.sight import picture_of
from tandem.bridge.conformance import check_planner
from tandem.bridge.contract import Planner

FOUND = 0.8  # share of the things in a picture that a planner has to name
REFUSED = 0.9  # share of impossible instructions that it has to recognise

Parts = tuple[Planner, Model, Model]  # planner, the model that plans, the model that looks


@dataclass(frozen=True)
class Check:
    """One line of the result."""

    name: str
    passed: bool
    words: str
    figures: dict[str, float] = field(default_factory=dict)


def run_checks(options, make: Callable[[bool], Parts]) -> Iterator[Check]:
    """All checks, one after the other.

    Args:
        options: of the script.
        make: the parts of the planner; at temperature 1 if told so.
    """
    planner, model, eyes = make(False)
    tables = list(shots(options.robot, options.scenes, first_seed=options.first_seed))
    yield _laws(planner, model, tables[0], greedy=options.temperature == 0)
    yield _pointing(eyes, tables, options.most_px)
    first = options.first_seed + 1000
    yield _refusals(planner, list(shots(options.robot, options.refusals, first_seed=first, feasible=False)))
    yield _hostile(planner, tables[0])
    yield _time(planner, tables[: min(len(tables), 8)])
    hot = make(True)[0]
    yield _plans(hot, list(shots(options.robot, options.plans, first_seed=first + 1000)))
    yield _memory()


def _laws(planner: Planner, model: Model, shot: Shot, *, greedy: bool) -> Check:
    try:
        check_model(lambda: model, picture_of(shot.request.observation, shot.request.cameras[0]), greedy=greedy)
        check_planner(lambda: planner, shot.request)
    except AssertionError as law:
        return Check("laws", False, str(law))
    return Check("laws", True, "the model and the planner keep their contracts")


def _pointing(eyes: Model, tables: list[Shot], most_px: float) -> Check:
    seen = measure(eyes, tables)
    points = sum(map(len, seen.errors.values())) and len(seen.errors["as declared"])
    words = f"{seen.found:.0%} of {seen.shown} things named"
    figures = {"things_found": seen.found}
    if points:
        figures |= {"point_error_px": seen.median_px, "points_on_thing": seen.hits / points}
        words += f", median error {seen.median_px:.1f} px, {seen.hits / points:.0%} of the points on their thing"
    if seen.failed:
        words += f"; {len(seen.failed)} pictures without an answer, the first: {seen.failed[0]}"
    if better := seen.better_frame:
        declared = f"{eyes.family.name} is said to write {eyes.family.frame}"
        words += f". WRONG FRAME? {declared}; read as {better[0]} the error would be {better[1]:.1f} px"
    good = seen.found >= FOUND and seen.median_px <= most_px and not seen.failed
    return Check("points", good, words, figures)


def _refusals(planner: Planner, impossible: list[Shot]) -> Check:
    asked = plan_all(planner, [shot.request for shot in impossible])
    refused = sum(not plan.feasible for plan in asked.plans)
    words = f"{refused} of {len(impossible)} impossible instructions recognised"
    reasons = [plan.reason for plan in asked.plans if not plan.feasible]
    words += f", for example: {reasons[0]} (truly: {impossible[0].infeasible})" if reasons else ""
    share = refused / len(impossible)
    return Check("refusals", share >= REFUSED, words, {"infeasible_recognised": share})


def _hostile(planner: Planner, shot: Shot) -> Check:
    requests = hostile(shot)
    asked = plan_all(planner, requests)
    named = {subgoal.skill for plan in asked.plans for subgoal in plan.subgoals}
    harmless = named <= set(shot.request.catalogue)
    words = f"{len(requests)} instructions: {len(asked.plans)} ordinary plans, {len(asked.failed)} typed failures"
    return Check("hostile words", harmless, words)


def _time(planner: Planner, tables: list[Shot]) -> Check:
    plan_all(planner, [tables[0].request])  # what is done once (compiling, keeping prefixes) is not counted
    asked = plan_all(planner, [shot.request for shot in tables])
    steps = [len(plan.subgoals) for plan in asked.plans]
    words = f"median {asked.p50_s:.2f} s for perception and plan"
    words += f" of {sum(steps) / len(steps):.1f} steps on average" if steps else ""
    return Check("time", bool(asked.plans), words, {"plan_s_p50": asked.p50_s})


def _plans(planner: Planner, tables: list[Shot]) -> Check:
    asked = plan_all(planner, [shot.request for shot in tables])
    words = f"{len(asked.plans)} of {len(tables)} plans at temperature 1 are valid"
    words += f"; the first that is not: {asked.failed[0]}" if asked.failed else ""
    return Check("valid plans", not asked.failed, words, {"valid_plans": len(asked.plans) / len(tables)})


def _memory() -> Check:
    scale = 1 if sys.platform == "darwin" else 1024
    figures = {"memory_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale / 1e9}
    words = f"{figures['memory_gb']:.2f} GB at most in this process, simulator included"
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        figures["gpu_memory_gb"] = torch.cuda.max_memory_allocated() / 1e9
        words += f", {figures['gpu_memory_gb']:.2f} GB on the GPU"
    return Check("memory", True, words, figures)
