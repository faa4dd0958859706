"""The planner that reads ground truth: a conforming planner that confesses it."""

import pytest

from tandem.agent.planner.scripted import ScriptedPlanner
from tandem.bridge.conformance import check_planner
from tandem.bridge.contract import SKILLS, PlannerFailed, PlanRequest, Subgoal, UnknownName

HOME = Subgoal("home")


class Oracle:
    def __init__(self, remaining=(HOME,), reason=None):
        self._remaining, self._reason = remaining, reason

    def infeasible(self):
        return self._reason

    def remaining(self):
        if isinstance(self._remaining, Exception):
            raise self._remaining
        return self._remaining


REQUEST = PlanRequest("go home", {})


@pytest.mark.parametrize("oracle", [Oracle(), Oracle(()), Oracle(reason="there is no bin")], ids=["do", "done", "no"])
def test_it_conforms_and_confesses(oracle):
    check_planner(lambda: ScriptedPlanner(oracle), REQUEST)
    plan = ScriptedPlanner(oracle).plan(REQUEST)
    assert plan.privileged
    assert plan.feasible == (oracle.infeasible() is None)
    assert plan.subgoals == (tuple(oracle.remaining()) if plan.feasible else ())


def test_it_fails_with_its_own_error():
    with pytest.raises(PlannerFailed, match="red cub"):
        ScriptedPlanner(Oracle(UnknownName("object", "red cub", ["red cube"]))).plan(REQUEST)
    without = {name: skill for name, skill in SKILLS.items() if name != "home"}
    with pytest.raises(PlannerFailed, match="home"):
        ScriptedPlanner(Oracle()).plan(PlanRequest("go home", {}, without))


def test_a_mistake_in_the_oracle_is_not_dressed_up():
    with pytest.raises(ZeroDivisionError):
        ScriptedPlanner(Oracle(ZeroDivisionError())).plan(REQUEST)
