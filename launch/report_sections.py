"""What a report holds beside its episodes: from the evaluations themselves, and from what launch/replay.py wrote."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2

from tandem.agent.evaluation import arms, comparison
from tandem.agent.evaluation.manifests import differences
from tandem.agent.evaluation.report import (
    Arm,
    ArmsMatrix,
    Comparison,
    ComparisonRow,
    CurvePoint,
    Divergence,
    DivergenceRow,
    Interval,
    Layer,
    PointOfNoReturn,
    Rate,
)
from tandem.agent.evaluation.report.sections import Section
from tandem.agent.evaluation.results import Evaluation
from tandem.bridge.contract import InvalidOption, TandemError
from tandem.bridge.log import LogReader

SAME = {"bit-exact": True, "within tolerance": True, "diverged": False, "not comparable": None}


def sections(evaluations: Sequence[Evaluation], replays: Sequence[Path], *, other_states: bool) -> list[Section]:
    """Arms against their baseline, or the first against each other one; then every replay, in the order given."""
    found: list[Section] = []
    baseline = arms.baseline_of(evaluations)
    if baseline is not None:
        found.append(_matrix(baseline, arms.against(baseline, evaluations, other_states=other_states)))
    else:
        found += [_comparison(evaluations[0], other, other_states) for other in evaluations[1:]]
    return found + [_replay(path) for path in replays]


def _comparison(a: Evaluation, b: Evaluation, other_states: bool) -> Comparison:
    measured = comparison.compare(b, a, other_states=other_states)  # a positive difference is in B's favour
    rows = tuple(_row(one, a.name, b.name) for one in (measured.overall, *measured.tasks))
    differing = tuple((one.path, *one.words) for one in differences(a.plan, b.plan) if one.explains)
    return Comparison(a.name, b.name, measured.overall.verdict(b.name, a.name), rows, differing)


def _row(contrast: comparison.Contrast, a: str, b: str) -> ComparisonRow:
    (good_b, good_a), pairs = contrast.table.successes, contrast.table.pairs
    difference = Interval(contrast.table.difference, *contrast.interval)
    return ComparisonRow(contrast.name, Rate(good_a, pairs), Rate(good_b, pairs), difference, contrast.verdict(b, a))


def _matrix(baseline: Evaluation, against: Sequence[arms.Arm]) -> ArmsMatrix:
    tasks = tuple(baseline.plan["tasks"])
    rows = [Arm("baseline", "", tuple(_rate(baseline, task) for task in tasks))]
    for arm in against:
        low, high = arm.comparison.overall.interval
        also = f" (also differs: {', '.join(arm.also)})" if arm.also else ""
        rows.append(Arm(arm.evaluation.name, f"{arm.name}{also}", tuple(_rate(arm.evaluation, task) for task in tasks),
                        Interval(arm.comparison.overall.table.difference, low, high)))
    return ArmsMatrix(tasks, tuple(rows), "One thing changed at a time, from the same initial states.")


def _rate(evaluation: Evaluation, task: str) -> Rate | None:
    scored = [one.success for one in evaluation.episodes.values() if one.task == task and one.success is not None]
    return Rate(sum(scored), len(scored)) if scored else None


def _replay(path: Path) -> Section:
    """Raises `InvalidOption` for a file that launch/replay.py --json did not write."""
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        episode = Path(plain["log"]).stem
        return _no_return(plain, episode) if "curve" in plain else _divergence(plain, episode)
    except (OSError, ValueError, KeyError, TypeError, TandemError) as reason:
        words = f"{path} is not what launch/replay.py --json writes: {type(reason).__name__}: {reason}"
        raise InvalidOption(words) from reason


def _divergence(plain: dict[str, Any], episode: str) -> Divergence:
    step_s = 1 / LogReader(plain["log"]).spec.control_hz
    layers = tuple(
        Layer(one["layer"], one["verdict"], SAME[one["status"]], one["step"],
              None if one["step"] is None else max(one["step"], 0) * step_s, one["words"])
        for one in plain["layers"]
    )
    culprit = next((one for one in plain["layers"] if SAME[one["status"]] is False), None)
    words = f"{culprit['layer']} {culprit['verdict']}" if culprit else "every layer that can be compared is the same"
    rows = tuple(
        DivergenceRow(row["name"], row["unit"], row["tolerance"], row["first"], row["peak"], row["end"])
        for row in (culprit or {}).get("rows", ()) if row["peak"] > 0
    )
    return Divergence(episode, words, layers, rows)


def _no_return(plain: dict[str, Any], episode: str) -> PointOfNoReturn:
    step_s, step = 1 / LogReader(plain["log"]).spec.control_hz, plain["step"]
    curve = tuple(CurvePoint(one["step"], one["step"] * step_s, Rate(one["successes"], one["trials"]))
                  for one in plain["curve"])
    frame = cv2.imread(plain["picture"], cv2.IMREAD_COLOR_RGB) if plain.get("picture") else None
    return PointOfNoReturn(episode, step, None if step is None else step * step_s, plain["words"], curve, frame)
