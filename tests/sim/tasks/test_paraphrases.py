"""Other words change nothing but the words: the same seed draws the same world and the same goal."""

from string import Formatter

import numpy as np
import pytest

from tandem.bridge.contract import UnknownName
from tandem.bridge.robots import load
from tandem.sim.simulation import Simulation
from tandem.sim.tasks import TASKS, task_named
from tandem.sim.tasks.paraphrases import PARAPHRASES, worded


def slots(phrase):
    return {name for _, name, _, _ in Formatter().parse(phrase) if name}


@pytest.mark.parametrize("name", TASKS)
def test_each_phrasing_has_one_paraphrase_with_its_slots(name):
    own, others = TASKS[name].phrasings, PARAPHRASES[name]
    assert [slots(phrase) for phrase in own] == [slots(phrase) for phrase in others]
    assert len(set(others)) == len(others)
    assert not set(own) & set(others)


@pytest.mark.parametrize("name", TASKS)
def test_the_world_and_the_goal_stay(name):
    said = []
    for wording in ("own", "paraphrased"):
        simulation = Simulation(worded(task_named(name), wording), load("panda"), cameras=())
        said.append([])
        for seed in range(12):
            _, info = simulation.reset(seed=seed)
            goal = [str(subgoal) for subgoal in simulation.truth().remaining()]
            said[-1].append((info["instruction"], goal, simulation.state()))
        simulation.close()
    for (words, goal, state), (other_words, same_goal, same_state) in zip(*said, strict=True):
        assert words != other_words
        assert "{" not in other_words
        assert goal == same_goal
        assert np.array_equal(state, same_state)


def test_words_that_there_are_not_are_refused():
    with pytest.raises(UnknownName, match="own, paraphrased"):
        worded(task_named("sort"), "shouted")
