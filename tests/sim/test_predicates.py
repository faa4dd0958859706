"""What counts as lifted, placed, opened and pressed, and what only looks like it."""

from itertools import product

import numpy as np
import pytest

from tandem.bridge.contract import Subgoal
from tandem.sim import predicates
from tandem.sim.disturbances import disturbance_named

WORDS = {
    "pick": ("object",), "place": ("object", "target"), "stack_on": ("object", "target"),
    "insert": ("object", "target"), "open": ("target",), "close": ("target",), "press": ("target",),
    "push": ("object", "target"),
}

S = 0.5**0.5


@pytest.fixture
def simulation(make_simulation):
    made = make_simulation(cameras=())
    made.reset(seed=3, options={"difficulty": 1.0, "instruction": "put the red cube in the blue bin"})
    return made


def put(simulation, name, position):
    """Teleport a thing; its middle goes to `position`, upright."""
    joint = simulation.world.data.joint(simulation.world.entities[name].joint)
    joint.qpos[:], joint.qvel[:] = [*position, 1, 0, 0, 0], 0
    simulation.restore(simulation.state())


def grasp(simulation, name):
    """Put a thing between the fingers high above the table, and close them."""
    tool = simulation.world.data.site(simulation.robot.tool_site)
    for _ in range(12):
        put(simulation, name, tool.xpos)
        simulation.step(np.append(simulation.spec.home, 0.0))
    assert simulation.truth().held() == name


def another(simulation, name):
    return next(other for other, entity in simulation.world.entities.items() if entity.loose and other != name)


def test_what_stands_on_something_is_not_lifted_however_firmly_it_is_held(simulation):
    truth = simulation.truth()
    grasp(simulation, "red cube")
    assert predicates.lifted(truth, "red cube")
    other, (middle, _) = another(simulation, "red cube"), truth.pose("red cube")
    half = (truth.entity("red cube").size[2] + truth.entity(other).size[2]) / 2 - 0.0005
    put(simulation, other, middle + [0, 0, half])
    assert predicates.lifted(truth, "red cube"), "what lies on it is carried too"
    put(simulation, other, middle - [0, 0, half])
    assert truth.rests("red cube")
    assert not predicates.lifted(truth, "red cube")
    assert not truth.holds(Subgoal("pick", {"object": "red cube"}))


@pytest.mark.parametrize("turn", [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [S, S, 0, 0], [S, 0, -S, 0]])
def test_a_thing_is_what_it_is_however_it_tumbled(make_simulation, turn):
    """A cube that lies on any of its faces has its top above it and its bottom on what carries it."""
    simulation = make_simulation("stack", cameras=())
    simulation.reset(seed=3, options={"instruction": "put the red cube on the green cube"})
    truth, half = simulation.truth(), simulation.truth().entity("red cube").size[2] / 2
    below = truth.target("green cube").surface
    joint = simulation.world.data.joint(truth.entity("red cube").joint)
    joint.qpos[:], joint.qvel[:] = [*below[:2], below[2] + half, *turn], 0
    simulation.restore(simulation.state())
    assert truth.target("red cube").surface == pytest.approx([*below[:2], below[2] + 2 * half])
    assert predicates.bottom_z(truth, "red cube") == pytest.approx(below[2])
    assert truth.success()


@pytest.mark.parametrize("corner_m, within", [(0.03, True), (0.06, False), (0.07, False)])
def test_what_lies_on_the_rim_of_a_bin_is_not_inside(simulation, corner_m, within):
    """Across a corner a cube rests as firmly as on the floor."""
    truth = simulation.truth()
    (origin, rotation), box = truth.pose("blue bin"), truth.entity("blue bin")
    half, yaw = truth.entity("red cube").size[2] / 2, np.arctan2(rotation[1, 0], rotation[0, 0]) + np.pi / 4
    joint = simulation.world.data.joint(truth.entity("red cube").joint)
    joint.qpos[:3] = origin + rotation @ [corner_m, corner_m, box.rim + half + 0.0005]
    joint.qpos[3:], joint.qvel[:] = [np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)], 0
    simulation.restore(simulation.state())
    for _ in range(20):
        simulation.step(np.append(simulation.spec.home, 1.0))
    assert predicates.at_rest(truth, "red cube")
    assert truth.holds(Subgoal("place", {"object": "red cube", "target": "blue bin"})) is within
    assert truth.success() is within


def test_an_unnamed_thing_is_placed_for_certain_only_where_nothing_lies(simulation):
    truth, floor = simulation.truth(), simulation.truth().target("blue bin").surface
    unnamed, named = Subgoal("place", {"target": "blue bin"}), {"target": "blue bin", "object": "red cube"}
    assert truth.holds(unnamed) is False
    other = another(simulation, "red cube")
    put(simulation, other, floor + [0, 0, truth.entity(other).size[2] / 2])
    assert truth.holds(unnamed) is None, "something lies there; whether it is what was meant, nobody can tell"
    assert truth.holds(Subgoal("place", named)) is False


@pytest.mark.parametrize("skill", WORDS)
def test_a_subgoal_that_makes_no_sense_never_holds(simulation, skill):
    """A planner may name anything: no skill is done on what it cannot be done with, and none breaks the measuring."""
    truth = simulation.truth()
    for words in product(("red cube", "blue bin", "unicorn"), repeat=len(WORDS[skill])):
        assert truth.holds(Subgoal(skill, dict(zip(WORDS[skill], words, strict=True)))) is False, words


def test_a_button_is_pressed_and_nothing_else(make_simulation):
    simulation = make_simulation("machine", cameras=())
    simulation.reset(seed=2)
    truth = simulation.truth()
    simulation.world.data.userdata[predicates.PRESSED] = 1
    assert truth.holds(Subgoal("press", {"target": "start button"}))
    for name in set(simulation.world.entities) - {"start button"}:
        assert not truth.holds(Subgoal("press", {"target": name})), name
    assert not truth.holds(Subgoal("close", {"target": "start button"}))


@pytest.mark.parametrize("task", ["pick_place", "sort", "conveyor"])
def test_nothing_remains_of_what_cannot_be_done(make_simulation, task):
    """Also for disturbances, which choose among what remains while an agent tries in vain."""
    simulation = make_simulation(task, cameras=(), disturbances=[disturbance_named("moved:earliest_s=0,latest_s=0")])
    for seed in range(4):
        simulation.reset(seed=seed, options={"feasible": False})
        assert simulation.truth().remaining() == ()
        simulation.step(np.append(simulation.spec.home, 1.0))
