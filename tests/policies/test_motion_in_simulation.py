"""Whole subgoals in physics: three arms, one policy; targets from ground truth, and from a pixel and its depth."""

import pytest

from tandem.bridge.robots import load
from tandem.policies.motion import MotionPolicy
from tandem.policies.motion.targets import DepthTargets
from tandem.sim.simulation import Simulation
from tandem.sim.tasks import task_named


class _Truth:
    privileged = True

    def __init__(self, body):
        self.body = body

    def locate(self, words, point, observation):
        return self.body.truth().locate(words, point, observation)


def _episode(task, robot, source, seed):
    """Carry out the plan once. Gives the body and the observation keys that were rendered."""
    body = Simulation(task_named(task), load(robot))
    observation, _ = body.reset(seed=seed)
    policy = MotionPolicy(body.spec, source(body))
    for epoch, subgoal in enumerate(body.truth().remaining(), start=1):
        policy.reset(epoch)
        final = False
        while not final:
            chunk = policy.infer(observation, subgoal)
            final = chunk.final
            for action in chunk.actions:
                observation, *_ = body.step(action)
        assert body.truth().holds(subgoal), f"{subgoal} was claimed and does not hold"
    return body


@pytest.mark.parametrize("robot", ["panda", "ur5e", "so101"])
@pytest.mark.parametrize("source", [_Truth, lambda body: DepthTargets(body.spec)], ids=["truth", "depth"])
def test_pick_and_place_with_three_arms(robot, source):
    body = _episode("pick_place", robot, source, seed=4)
    assert body.truth().success()
    body.close()


@pytest.mark.parametrize("task", ["stack", "insert", "machine", "drawer", "conveyor"])
def test_every_skill_from_camera_points(task):
    body = _episode(task, "panda", lambda body: DepthTargets(body.spec), seed=2)
    assert body.truth().success()
    body.close()
