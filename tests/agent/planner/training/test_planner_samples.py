"""Samples are what deployment would ask and accept."""

import json

import numpy as np
import pytest

from tandem.agent.planner.families.registry import family_of
from tandem.agent.planner.scene import Scene
from tandem.agent.planner.steps import read_plan
from tandem.agent.planner.training import samples
from tandem.agent.planner.training.dense import COLUMNS, ROWS, slot_index, targets
from tandem.agent.planner.training.paste import paste
from tandem.agent.planner.training.words import split_name, split_where
from tandem.agent.planner.validation import mistake
from tandem.bridge.contract import SKILLS

CANVAS = samples.canvas_of(family_of("qwen3_vl"), (384, 288))
RECORD = {
    "instruction": "sort the blocks by colour", "infeasible": None, "view": 1, "task": "sort",
    "things": [
        {"name": "red cube", "u": 0.2, "v": 0.4, "where": "on the table"},
        {"name": "red bin", "u": 0.4, "v": 0.5, "where": "on the table"},
        {"name": "blue brick", "u": 0.41, "v": 0.5, "where": "in the red bin"},
        {"name": "blue bin", "u": 0.8, "v": 0.5, "where": "on the table"},
    ],
    "steps": [
        {"skill": "pick", "object": "blue brick"}, {"skill": "place", "object": "blue brick", "target": "blue bin"},
        {"skill": "pick", "object": "red cube"}, {"skill": "place", "object": "red cube", "target": "red bin"},
    ],
}


def test_what_is_perceived_is_read_back_within_half_a_step_of_the_grid():
    sample = samples.perceive(np.zeros((2, 2, 3), np.uint8), RECORD["things"], CANVAS)
    scene = Scene.read(json.loads(sample.answer), CANVAS)
    assert [(thing.name, thing.where) for thing in scene.things] == [
        (thing["name"], thing["where"]) for thing in RECORD["things"]
    ]
    for thing, known in zip(scene.things, RECORD["things"], strict=True):
        assert thing.point.u / 640 == pytest.approx(known["u"], abs=0.5 / samples.GRID + 1e-9)
        assert thing.point.v / 480 == pytest.approx(known["v"], abs=0.5 / samples.GRID + 1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_every_plan_is_accepted_by_the_schema_and_the_reader_that_deployment_uses(seed):
    sample = samples.plan(RECORD, CANVAS, np.random.default_rng(seed))
    answer = json.loads(sample.answer)
    assert mistake(answer, sample.question.schema) is None
    subgoals, reason = read_plan(answer, CANVAS, SKILLS)
    assert not reason
    assert {str(step) for step in subgoals} == {
        "pick(blue brick)", "place(blue brick, blue bin)", "pick(red cube)", "place(red cube, red bin)"
    }


def test_a_plan_that_needs_what_is_not_seen_is_no_sample():
    record = {**RECORD, "things": RECORD["things"][1:]}
    assert samples.plan(record, CANVAS, np.random.default_rng(0)) is None


def test_what_cannot_be_done_is_refused_with_the_reason():
    record = {**RECORD, "infeasible": "there is no green bin", "steps": []}
    answer = json.loads(samples.plan(record, CANVAS, np.random.default_rng(0)).answer)
    assert answer == {"feasible": False, "reason": "there is no green bin"}


@pytest.mark.parametrize("seed", range(30))
def test_a_verdict_follows_from_where_things_are(seed):
    picture = np.zeros((4, 4, 3), np.uint8)
    sample = samples.judge(RECORD, picture, picture, np.random.default_rng(seed))
    answer, statement = json.loads(sample.answer), sample.question.parts[-1]
    assert mistake(answer, sample.question.schema) is None
    inside = "blue brick" in statement and "red bin" in statement and "holds" not in statement
    assert (answer["verdict"] == "success") == inside, (statement, answer)


def test_each_thing_has_a_slot_of_its_own_near_its_point():
    crowd = [{"name": "red cube", "u": 0.5 + 0.002 * k, "v": 0.5, "where": "on the table"} for k in range(6)]
    wanted = targets([crowd])
    assert len(set(wanted.slot.tolist())) == 6
    assert wanted.there.sum() == 6
    near = {slot_index(ROWS // 2 + dy, COLUMNS // 2 + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)}
    assert set(wanted.slot.tolist()) <= near


def test_slots_are_numbered_as_patches_are_laid_out():
    every = sorted(slot_index(row, column) for row in range(ROWS) for column in range(COLUMNS))
    assert every == list(range(ROWS * COLUMNS))
    assert [slot_index(0, 0), slot_index(0, 1), slot_index(1, 0), slot_index(1, 1), slot_index(0, 2)] == [0, 1, 2, 3, 4]


def test_pasting_adds_things_and_keeps_those_that_were_there():
    rng = np.random.default_rng(0)
    pictures = [np.full((288, 384, 3), tone, np.uint8) for tone in (90, 160)]
    pictures[1][100:112, 100:112] = (200, 20, 20)
    source = [{"name": "red cube", "u": 106 / 384, "v": 102 / 288, "where": "on the table"}]
    picture, things = paste((pictures[0], RECORD["things"]), [(pictures[1], source)], rng)
    assert things[: len(RECORD["things"])] == RECORD["things"]
    added = things[len(RECORD["things"]):]
    assert added
    assert {thing["name"] for thing in added} == {"red cube"}
    for thing in added:
        red, green, _ = picture[round(thing["v"] * 288) + 2, round(thing["u"] * 384)].astype(int)
        assert red - green > 100


@pytest.mark.parametrize(("name", "known"), [("red cube", True), ("start button", True), ("green sandwich", False)])
def test_only_known_words_are_supervised_densely(name, known):
    assert (split_name(name) is not None) == known
    assert (split_where(f"in the {name}") is not None) == known
