"""What is told of a picture is true of the picture."""

import numpy as np
import pytest

from tandem.bridge.robots import load
from tandem.sim import predicates
from tandem.sim.annotate import IN_GRIPPER, OUT_OF_REACH, annotate, whereabouts
from tandem.sim.arrange import advance, rearrange
from tandem.sim.simulation import Simulation
from tandem.sim.tasks import TASKS, task_named


@pytest.fixture(scope="module")
def table():
    simulation = Simulation(task_named("sort"), load("panda"))
    simulation.reset(seed=3)
    yield simulation
    simulation.close()


def test_each_point_lies_on_its_thing(table):
    truth = table.truth()
    geoms = truth.segmentation("front")
    shown = annotate(truth, "front")
    assert len(shown) >= 6
    for thing in shown:
        body = truth.world.model.geom_bodyid[geoms[int(thing.v), int(thing.u)]]
        assert body == truth.world.model.body(truth.entity(thing.name).body).id


def test_things_are_listed_from_left_to_right(table):
    across = [thing.u for thing in annotate(table.truth(), "front")]
    assert across == sorted(across)


def test_without_rendering_the_same_things_are_found_where_nothing_hides_them(table):
    seen = {thing.name: thing.where for thing in annotate(table.truth(), "front")}
    assert {thing.name: thing.where for thing in whereabouts(table.truth(), "front")} == seen


@pytest.mark.parametrize("task", TASKS)
def test_whereabouts_agree_with_the_predicates_in_every_arrangement(task):
    simulation, rng = Simulation(task_named(task), load("panda")), np.random.default_rng(1)
    told = set()
    for seed in range(10):
        simulation.reset(seed=seed)
        rearrange(simulation, rng)
        truth = simulation.truth()
        for thing in annotate(truth, "front"):
            entity = truth.entity(thing.name)
            told.add(thing.where.split(" the ")[0])
            if thing.where == IN_GRIPPER:
                assert truth.held() == thing.name
            elif thing.where == OUT_OF_REACH:
                assert not truth.world.robot.workspace.contains(*truth.pose(thing.name)[0][:2])
            elif thing.where.startswith("in the ") and truth.entity(thing.where[7:]).kind == "bin":
                assert predicates.inside(truth, thing.name, thing.where[7:])
            elif entity.kind == "drawer":
                assert (thing.where == "open") == (predicates.opened_fraction(truth, thing.name) > 0.7)
    simulation.close()
    assert len(told) >= 2


def test_an_arrangement_is_determined_by_its_generator(table):
    states = []
    for _ in range(2):
        table.reset(seed=5)
        rearrange(table, np.random.default_rng(7))
        states.append(table.state())
    assert np.array_equal(*states)
    table.reset(seed=5)
    rearrange(table, np.random.default_rng(8))
    assert not np.array_equal(table.state(), states[0])


@pytest.mark.parametrize("task", ["stack", "kit"])
def test_the_middle_of_a_task_is_often_a_thing_in_the_hand_that_comes_next(task):
    simulation, rng, held = Simulation(task_named(task), load("panda")), np.random.default_rng(0), []
    for seed in range(10):
        simulation.reset(seed=seed, options={"feasible": True})
        advance(simulation, rng)
        truth = simulation.truth()
        held.append(truth.held())
        if held[-1] is not None:
            step = truth.remaining()[0]
            assert step.skill in ("place", "stack_on")
            assert step.arguments["object"] == held[-1]
    simulation.close()
    assert any(held)
    assert not all(held)
