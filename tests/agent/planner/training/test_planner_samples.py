"""Samples are what deployment would ask and accept."""

import json

import numpy as np
import pytest

from tandem.agent.planner.families.registry import family_of
from tandem.agent.planner.scene import Scene
from tandem.agent.planner.steps import read_plan
from tandem.agent.planner.training import samples
from tandem.agent.planner.training.notes import MISSING, STAYS
from tandem.agent.planner.training.scenery import scattered, varied_record, without_one
from tandem.agent.planner.training.words import COLOURS, split_name, split_where
from tandem.agent.planner.validation import mistake
from tandem.bridge.contract import SKILLS

CANVAS = samples.canvas_of(family_of("qwen3_vl"), (640, 480))
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


@pytest.mark.parametrize(("name", "known"), [("red cube", True), ("start button", True), ("green sandwich", False)])
def test_only_known_words_are_supervised_densely(name, known):
    assert (split_name(name) is not None) == known
    assert (split_where(f"in the {name}") is not None) == known


@pytest.mark.parametrize("seed", range(20))
def test_a_record_in_other_colours_tells_the_same_story(seed):
    varied = varied_record(RECORD, np.random.default_rng(seed))
    names = {thing["name"]: other["name"] for thing, other in zip(RECORD["things"], varied["things"], strict=True)}
    assert len(set(names.values())) == len(names)
    assert {name.split()[1] for name in names} == {name.split()[1] for name in names.values()}
    assert names["red cube"].split()[0] == names["red bin"].split()[0] in COLOURS
    assert varied["things"][2]["where"] == f"in the {names['red bin']}"
    assert varied["steps"][1] == {"skill": "place", "object": names["blue brick"], "target": names["blue bin"]}
    moved = {round(thing["u"] + other["u"], 6) for thing, other in zip(RECORD["things"], varied["things"], strict=True)}
    assert moved == {1.0} or all(a["u"] == b["u"] for a, b in zip(RECORD["things"], varied["things"], strict=True))


@pytest.mark.parametrize("seed", range(20))
def test_scattered_things_are_some_of_those_there_were_from_left_to_right(seed):
    made = scattered(RECORD["things"], np.random.default_rng(seed))
    assert made
    assert [thing["u"] for thing in made] == sorted(thing["u"] for thing in made)
    told = {(thing["name"], thing["where"]) for thing in made}
    assert told <= {(thing["name"], thing["where"]) for thing in RECORD["things"]}
    assert all(0 <= thing["u"] < 1 and 0 <= thing["v"] < 1 for thing in made)


def test_things_often_stand_close_together_and_one_below_the_other():
    rng, close, aligned = np.random.default_rng(0), 0, 0
    for _ in range(200):
        made = scattered(RECORD["things"], rng)
        across, down = (np.ptp([thing[axis] for thing in made]) for axis in ("u", "v"))
        close += len(made) == 4 and max(across, down) < 0.3
        aligned += len(made) == 4 and across < 0.03 < down
    assert 40 < close < 160
    assert aligned > 10


def test_a_record_with_something_taken_away_is_refused_for_just_that():
    record = {
        "instruction": "put the red cube on the blue cube", "infeasible": None, "view": 0, "task": "stack",
        "things": [
            {"name": f"{colour} cube", "u": 0.2, "v": 0.4, "where": "on the table"} for colour in ("red", "blue")
        ],
        "steps": [{"skill": "pick", "object": "red cube"},
                  {"skill": "stack_on", "object": "red cube", "target": "blue cube"}],
    }
    poorer = without_one(record, np.random.default_rng(0))
    assert [thing["name"] for thing in poorer["things"]] == ["blue cube"]
    answer = json.loads(samples.plan(poorer, CANVAS, np.random.default_rng(0)).answer)
    assert answer == {"feasible": False, "reason": "there is no red cube"}
    for left_alone in ({**record, "task": "sort"}, {**record, "view": 1}, poorer):  # other reasons, or none to give
        assert without_one(left_alone, np.random.default_rng(0)) is left_alone


def test_notes_tell_what_becomes_of_things_and_where_what_is_asked_for_is():
    record = {
        **RECORD, "things": RECORD["things"][:2], "steps": RECORD["steps"][2:],
        "instruction": "put the red cube in the red bin, not in a bin for the green peg",
    }
    sample = samples.plan(record, CANVAS, np.random.default_rng(0))
    text = str(sample.question.parts[0])
    told = [(text[:end].rsplit("\n", 1)[-1], word) for end, word in sorted(sample.notes.items())]
    assert [word for _, word in told] == ["red bin", STAYS, "on the table", "on the table", MISSING]
    assert [line.endswith(name) for (line, _), name in zip(
        told, ("red cube", "red bin", "red cube", "red bin", "green peg"), strict=True
    )] == [True] * 5


def test_what_cannot_be_done_notes_no_goals():
    record = {**RECORD, "steps": [], "infeasible": "there is no green bin", "instruction": "fill the green bin"}
    sample = samples.plan(record, CANVAS, np.random.default_rng(0))
    assert set(sample.notes.values()) == {MISSING}


def test_a_bin_that_is_gone_cannot_be_sorted_into():
    record = {**RECORD, "view": 0, "things": [{**thing, "where": "on the table"} for thing in RECORD["things"]]}
    for seed in range(10):
        made = without_one(record, np.random.default_rng(seed))
        names = {thing["name"] for thing in made["things"]}
        assert made["steps"] == []
        assert made["infeasible"] in ("there is no blue bin for the blue brick", "there is no red bin for the red cube")
        assert len(names) == 3
        assert made["infeasible"].split(" for ")[0].removeprefix("there is no ") not in names
