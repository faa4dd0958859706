"""Two verifiers in one: each may veto, neither can outvote the other's failure."""

from __future__ import annotations

from tandem.bridge.contract import Observation, Outcome, Subgoal, Verdict, Verifier


class BothVerifiers:
    """Success if one says so and neither says failure; failure if one says failure; else inconclusive.

    Args:
        first: named first in the evidence.
        second: judges the same.
    """

    def __init__(self, first: Verifier, second: Verifier):
        self._both = (first, second)
        self.privileged = any(getattr(each, "privileged", False) for each in self._both)
        self.observes: tuple[str, ...] = tuple(dict.fromkeys((*first.observes, *second.observes)))

    def reset(self) -> None:
        """Both forget."""
        for each in self._both:
            each.reset()

    def watch(self, observation: Observation) -> None:
        """Both watch."""
        for each in self._both:
            each.watch(observation)

    def verify(self, subgoal: Subgoal, before: Observation, after: Observation) -> Verdict:
        """The evidence of both, the more cautious outcome."""
        verdicts = [each.verify(subgoal, before, after) for each in self._both]
        said = {verdict.outcome for verdict in verdicts}
        outcome = next(each for each in (Outcome.FAILURE, Outcome.SUCCESS, Outcome.INCONCLUSIVE) if each in said)
        evidence = "; ".join(f"{verdict.outcome}: {verdict.evidence}" for verdict in verdicts)
        return Verdict(outcome, evidence, tuple(call for verdict in verdicts for call in verdict.calls))
