"""The verifier that reads ground truth."""

import pytest

from tandem.agent.verify.predicate import PredicateVerifier
from tandem.bridge.conformance import DummyBody, check_verifier
from tandem.bridge.contract import Outcome, Subgoal


@pytest.mark.parametrize(("holds", "outcome"), [
    (True, Outcome.SUCCESS), (False, Outcome.FAILURE), (None, Outcome.INCONCLUSIVE),
])
def test_it_says_what_the_predicate_says(holds, outcome):
    verifier = PredicateVerifier(lambda subgoal: holds)
    verdict = verifier.verify(Subgoal("pick", {"object": "red cube"}), {}, {})
    assert verdict.outcome is outcome
    assert "pick(red cube)" in verdict.evidence
    assert verifier.privileged


def test_it_conforms():
    newest, _ = DummyBody().reset(seed=1)
    check_verifier(lambda: PredicateVerifier(lambda subgoal: None), [Subgoal("home")], newest, newest)
