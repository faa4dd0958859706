"""No verification: the policy's claim is believed. For measuring what verification is worth, not for use."""

from __future__ import annotations

from tandem.bridge.contract import Observation, Outcome, Subgoal, Verdict


class TrustingVerifier:
    """Calls every subgoal done that the policy says it finished, and says that nobody looked: nothing counts as seen.

    An agent with it claims what its policy claims: expect false successes.
    """

    privileged, looks = False, False
    observes: tuple[str, ...] = ()

    def reset(self) -> None:
        """It remembers nothing."""

    def watch(self, observation: Observation) -> None:
        """It looks at nothing."""

    def verify(self, subgoal: Subgoal, before: Observation, after: Observation) -> Verdict:
        """Success, whatever happened."""
        return Verdict(Outcome.SUCCESS, f"not verified: the policy says that it finished {subgoal}")
