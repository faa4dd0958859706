"""Remedies: cheapest first, and an end to each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.agent.recover import REMEDIES, Budget, Limits, Recovery, without_points
from tandem.bridge.contract import CameraPoint, FailureCode, InvalidOption, Subgoal

ORDER = list(Recovery)


@pytest.mark.parametrize("code", FailureCode)
def test_remedies_come_cheapest_first_and_end(code):
    budget, given_remedies = Budget(Limits(retries=2, back_ups=1, replans=1)), []
    while not given_remedies or given_remedies[-1] is not Recovery.GIVE_UP:
        given_remedies.append(budget.remedy(code, 0))
        if given_remedies[-1] is Recovery.REPLAN:
            budget.replan()
        assert len(given_remedies) < 20
    assert given_remedies == sorted(given_remedies, key=ORDER.index)


@pytest.mark.parametrize("code", [
    FailureCode.BODY_UNRESPONSIVE, FailureCode.PHYSICS_DIVERGED, FailureCode.INVALID_OBSERVATION,
    FailureCode.INVALID_ACTION, FailureCode.SPEC_MISMATCH, FailureCode.LOG_UNWRITABLE, FailureCode.INTERRUPTED,
    FailureCode.BUDGET_EXHAUSTED, FailureCode.INFEASIBLE,
])
def test_some_failures_have_no_remedy(code):
    assert code not in REMEDIES
    assert Budget(Limits()).remedy(code, 0) is Recovery.GIVE_UP


def test_retries_are_counted_for_each_subgoal_and_plan():
    budget = Budget(Limits(retries=1))
    codes = [budget.remedy(FailureCode.GRASP_FAILED, i) for i in (0, 1, 0)]
    assert codes == [Recovery.RETRY, Recovery.RETRY, Recovery.REPLAN]
    budget.new_plan()
    assert budget.remedy(FailureCode.GRASP_FAILED, 0) is Recovery.RETRY


@given(st.lists(st.tuples(st.sampled_from(sorted(REMEDIES)), st.integers(0, 3)), max_size=200))
def test_no_sequence_of_failures_goes_on_for_ever(failures):
    limits = Limits(retries=2, back_ups=3, replans=2)
    budget, moves = Budget(limits), []
    for code, subgoal in failures:
        moves.append(budget.remedy(code, subgoal))
        if moves[-1] is Recovery.REPLAN:
            budget.replan()
            budget.new_plan()
        if moves[-1] is Recovery.GIVE_UP:
            break
    assert moves.count(Recovery.REPLAN) <= limits.replans
    assert moves.count(Recovery.BACK_UP) <= limits.back_ups
    assert moves.count(Recovery.RETRY) <= limits.retries * 4 * (limits.replans + 1)


def test_points_are_dropped_and_words_stay():
    pick = Subgoal("pick", {"object": "red cube", "point": CameraPoint("front", 1, 2)}, timeout_s=3.0)
    assert without_points(pick) == Subgoal("pick", {"object": "red cube"}, timeout_s=3.0)


@pytest.mark.parametrize("limit", [{"retries": -1}, {"settle_s": float("nan")}, {"steps": float("inf")}], ids=str)
def test_limits_are_numbers_that_end(limit):
    with pytest.raises(InvalidOption, match=next(iter(limit))):
        Limits(**limit)
