"""A verifier that uses ground truth, and says so: for demonstrations and as the yardstick of other verifiers."""

from __future__ import annotations

from collections.abc import Callable

from tandem.bridge.contract import Observation, Outcome, Subgoal, Verdict


class PredicateVerifier:
    """Judges by the criterion as the simulation measures it.

    Args:
        predicate: whether a subgoal's criterion holds now; None when the simulation has no such criterion.
    """

    privileged = True
    observes: tuple[str, ...] = ()

    def __init__(self, predicate: Callable[[Subgoal], bool | None]):
        self._predicate = predicate

    def reset(self) -> None:
        """It remembers nothing."""

    def watch(self, observation: Observation) -> None:
        """It needs nothing of what happens in between."""

    def verify(self, subgoal: Subgoal, before: Observation, after: Observation) -> Verdict:
        """What the predicate says; inconclusive when there is none."""
        holds = self._predicate(subgoal)
        if holds is None:
            return Verdict(Outcome.INCONCLUSIVE, f"ground truth has no criterion for {subgoal}")
        words = "holds" if holds else "does not hold"
        return Verdict(Outcome.SUCCESS if holds else Outcome.FAILURE, f"ground truth: {subgoal} {words}")
