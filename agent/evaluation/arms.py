"""One thing changed at a time: the effect of each arm against the baseline, on the same initial states, by task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tandem.agent.evaluation.comparison import Comparison, compare
from tandem.agent.evaluation.manifests import differences
from tandem.agent.evaluation.results import Evaluation


@dataclass(frozen=True)
class Arm:
    """One arm against the baseline.

    Attributes:
        name: the option that was changed and its value.
        evaluation: the arm's.
        comparison: of the arm (first) with the baseline (second): a positive difference is in the arm's favour.
        also: what else differs that may explain outcomes, so that the effect is not the arm's alone.
    """

    name: str
    evaluation: Evaluation
    comparison: Comparison
    also: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        also = list(self.also)
        return {"arm": self.name, "folder": str(self.evaluation.folder), "also": also, **self.comparison.to_dict()}


def baseline_of(evaluations: Sequence[Evaluation]) -> Evaluation | None:
    """The first in which nothing was changed; None when each is an arm, or none is."""
    if not any(evaluation.plan.get("arm") for evaluation in evaluations):
        return None
    return next((evaluation for evaluation in evaluations if not evaluation.plan.get("arm")), None)


def against(
    baseline: Evaluation, evaluations: Sequence[Evaluation], *, other_states: bool = False
) -> tuple[Arm, ...]:
    """Every evaluation with an arm, against the baseline. Raises what `comparison.match` raises."""
    return tuple(
        Arm(arm_name(one), one, compare(one, baseline, other_states=other_states), _also(baseline, one))
        for one in evaluations if one.plan.get("arm")
    )


def arm_name(evaluation: Evaluation) -> str:
    """The changed option and its value."""
    return ", ".join(f"{option} {_words(value)}" for option, value in evaluation.plan["arm"].items())


def _words(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _also(baseline: Evaluation, arm: Evaluation) -> tuple[str, ...]:
    changed = {"arm", *(f"system.{option}" for option in arm.plan["arm"])}
    return tuple(
        found.path for found in differences(baseline.plan, arm.plan)
        if found.explains and found.group != "arm" and not any(
            found.path == name or found.path.startswith(f"{name}.") for name in changed)
    )
