"""Planners are tested on phrasings that training never saw."""

import pytest
from planner_training.phrasings import training_phrasings

from tandem.bridge.robots import load
from tandem.sim.simulation import Simulation
from tandem.sim.tasks import TASKS, task_named
from tandem.sim.tasks.paraphrases import PARAPHRASES


@pytest.mark.parametrize("name", TASKS)
def test_training_has_many_phrasings_and_none_of_the_tasks_own(name):
    task = task_named(name)
    learned = {phrase.lower().strip(" .!") for phrase in training_phrasings(task)}
    assert len(learned) > 500
    assert not learned & {phrase.lower().strip(" .!") for phrase in (*task.phrasings, *PARAPHRASES[name])}


@pytest.mark.parametrize("name", TASKS)
def test_every_kind_of_phrasing_can_be_filled_in(name):
    from planner_training.phrasings import for_training

    simulation = Simulation(for_training(task_named(name)), load("panda"), cameras=())
    said = set()
    for seed in range(40):
        _, info = simulation.reset(seed=seed)
        assert "{" not in info["instruction"]
        said.add(info["instruction"])
    assert len(said) > 30
    simulation.close()
