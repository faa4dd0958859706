"""Pushing in physics: a cube slides by what was asked, to a place from ground truth or to a bare point of a picture."""

from dataclasses import replace

import numpy as np
import pytest

from tandem.bridge.contract import CameraPoint, FailureCode, SkillFailed, Subgoal, skill_named
from tandem.bridge.robots import load
from tandem.policies.motion import MotionPolicy
from tandem.policies.motion.targets import DepthTargets
from tandem.sim.simulation import Simulation
from tandem.sim.tasks import task_named

CUBE, SPOT = "red cube", "free spot"
NEAR_M = 0.02
WISH = {"difficulty": 0.0, "instruction": "put the red cube in the blue bin"}


class KnownSpot:
    """Ground truth, and one place that only it knows."""

    privileged = True

    def __init__(self, body, place):
        self._truth = body.truth()
        self._spot = replace(self._truth.target(CUBE), surface=place, size=np.zeros(3), rim_z_m=0.0)

    def locate(self, words, point, observation):
        return self._spot if words == SPOT else self._truth.locate(words, point, observation)


@pytest.fixture
def body():
    simulation = Simulation(task_named("pick_place"), load("panda"))
    yield simulation
    simulation.close()


def point_of(spec, place):
    """The point of the front camera's picture that shows a place (3,)."""
    camera = spec.camera("front")
    rotation, origin = camera.T_mount_camera[:3, :3], camera.T_mount_camera[:3, 3]
    x, y, z = rotation.T @ (place - origin)
    u, v, _ = camera.intrinsics @ (x / z, y / z, 1.0)
    return CameraPoint("front", float(u), float(v))


def push(body, observation, targets, place):
    arguments = {
        "object": CUBE, "point": body.truth().visible_point(CUBE), "target": SPOT, "to": point_of(body.spec, place)
    }
    subgoal = Subgoal("push", arguments, *skill_named("push").words(arguments))
    policy = MotionPolicy(body.spec, targets)
    policy.reset(1)
    final = False
    while not final:
        chunk = policy.infer(observation, subgoal)
        final = chunk.final
        for action in chunk.actions:
            observation, *_ = body.step(action)


@pytest.mark.parametrize("way", [(0.08, 0.0), (0.0, -0.08)], ids=["away", "sideways"])
@pytest.mark.parametrize("source", ["truth", "depth"])
def test_a_cube_is_pushed_by_what_was_asked(body, source, way):
    observation, _ = body.reset(seed=1, options=WISH)
    start = body.truth().target(CUBE)
    place = np.array([*(start.surface[:2] + way), 0.0])
    push(body, observation, DepthTargets(body.spec) if source == "depth" else KnownSpot(body, place), place)
    now = body.truth().target(CUBE)
    moved = now.surface[:2] - start.surface[:2]
    assert np.linalg.norm(moved - way) < NEAR_M, f"asked for {way}, moved by {moved.round(3)} m"
    assert abs(now.surface[2] - start.surface[2]) < 0.002  # it slid: it stands on the table as before
    assert body.truth().held() is None


def test_what_is_there_already_is_left_alone(body):
    observation, _ = body.reset(seed=1, options=WISH)
    start = body.truth().target(CUBE).surface.copy()
    push(body, observation, KnownSpot(body, start * [1, 1, 0]), start * [1, 1, 0])
    np.testing.assert_allclose(body.truth().target(CUBE).surface, start, atol=1e-3)


def test_a_spot_is_the_point_itself_where_the_table_is_bare_and_else_the_thing(body):
    observation, _ = body.reset(seed=1, options=WISH)
    targets, cube = DepthTargets(body.spec), body.truth().target(CUBE)
    place = np.array([*(cube.surface[:2] + (0.08, 0.0)), 0.0])
    spot = targets.spot(SPOT, point_of(body.spec, place), observation)
    np.testing.assert_allclose(spot.surface, place, atol=0.004)
    found = targets.spot("blue bin", body.truth().visible_point("blue bin"), observation)
    np.testing.assert_allclose(found.surface[:2], body.truth().target("blue bin").surface[:2], atol=0.01)
    with pytest.raises(SkillFailed) as failure:  # a bare place is nothing to be taken
        targets.locate(SPOT, point_of(body.spec, place), observation)
    assert failure.value.code is FailureCode.OBJECT_NOT_FOUND
