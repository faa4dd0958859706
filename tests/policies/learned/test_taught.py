"""The learner begins, the teacher goes on, and the log tells who was who."""

import numpy as np
import pytest

from tandem.bridge.conformance import DummyBody, DummyPolicy, dummy_spec
from tandem.bridge.contract import SKILLS, FailureCode, SkillFailed, Subgoal
from tandem.policies.learned.taught import LEARNER, TaughtPolicy

SPEC = dummy_spec()
PICK, HOME = Subgoal("pick", {"object": "red cube"}), Subgoal("home")


class Failing(DummyPolicy):
    def infer(self, observation, subgoal):
        raise SkillFailed(FailureCode.GRASP_FAILED, "nothing there")


def driven(learner, subgoal=PICK, seeds=range(30)):
    """The phases of subgoals that begin in different places."""
    found = []
    for seed in seeds:
        policy = TaughtPolicy(learner, DummyPolicy(SPEC, chunks=3), most=4)
        observation = dict(DummyBody(SPEC).reset(seed=1)[0])
        observation["time"] = np.array([float(seed)])
        policy.reset(1)
        chunks = [policy.infer(observation, subgoal)]
        while not chunks[-1].final:
            chunks.append(policy.infer(observation, subgoal))
        assert [chunk.request_id for chunk in chunks] == list(range(len(chunks)))
        found.append([chunk.phase for chunk in chunks])
    return found


def test_the_teacher_goes_on_and_ends_the_subgoal():
    phases = driven(DummyPolicy(SPEC, chunks=9))
    lengths = {one.count(LEARNER) for one in phases}
    assert lengths == {0, 1, 2, 3, 4}
    assert all(one[-1] != LEARNER and one == sorted(one, key=lambda phase: phase != LEARNER) for one in phases)
    assert phases == driven(DummyPolicy(SPEC, chunks=9))


@pytest.mark.parametrize("learner", [
    Failing(SPEC), DummyPolicy(SPEC, chunks=9, skills={"place": SKILLS["place"]}),
])
def test_a_learner_that_gives_up_or_was_not_taught_is_no_failure(learner):
    assert all(LEARNER not in one for one in driven(learner))


def test_a_learner_that_says_it_is_done_is_not_believed():
    assert all(one.count(LEARNER) <= 1 for one in driven(DummyPolicy(SPEC, chunks=1)))
