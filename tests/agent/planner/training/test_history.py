"""What is told of earlier tries fits the table that a plan starts from."""

import numpy as np
import pytest

from tandem.agent.planner.prompting import attempt_line
from tandem.agent.planner.training.history import history_of, mistaken

THINGS = [
    {"name": "red cube", "u": 0.2, "v": 0.4, "where": "on the table"},
    {"name": "green cube", "u": 0.2, "v": 0.35, "where": "on the red cube"},
    {"name": "blue cube", "u": 0.5, "v": 0.3, "where": "in the gripper"},
    {"name": "mat", "u": 0.7, "v": 0.5, "where": "on the table"},
]
HOLDING = {
    "view": 1, "infeasible": None, "things": THINGS,
    "steps": [{"skill": "stack_on", "object": "blue cube", "target": "green cube"}],
}
TO_PICK = {
    "view": 1, "infeasible": None, "things": [*THINGS[:2], {**THINGS[2], "where": "on the table"}, THINGS[3]],
    "steps": [{"skill": "pick", "object": "blue cube"}, *HOLDING["steps"]],
}


def _drawn(record, count=400):
    rng = np.random.default_rng(0)
    return [told for told in (history_of(record, rng) for _ in range(count)) if told]


def test_what_is_held_was_picked_last_and_nothing_else_can_be_picked():
    refusals = 0
    for told in _drawn(HOLDING):
        lines = [attempt_line(attempt) for attempt in told]
        assert "- pick blue cube: done" in lines
        refused = [attempt for attempt in told if attempt.failure == "PRECONDITION_FAILED"]
        assert all(a.subgoal.skill == "pick" and "it holds something" in a.detail for a in refused)
        refusals += bool(refused)
    assert refusals > 20


def test_what_came_undone_is_told_as_done_now_and_then():
    undone = ["- stack_on blue cube, green cube: done" in map(attempt_line, told) for told in _drawn(TO_PICK)]
    assert 0.03 < np.mean(undone) < 0.3
    assert not any(attempt_line(told[-1]) == "- pick blue cube: done" for told in _drawn(TO_PICK))


def test_what_cannot_be_done_has_no_history():
    assert not _drawn({**HOLDING, "infeasible": "there is no green cube"})


@pytest.mark.parametrize("record", [HOLDING, TO_PICK], ids=["holding", "to pick"])
def test_only_what_the_history_says_was_put_somewhere_is_overlooked_or_misplaced(record):
    rng, wrong = np.random.default_rng(1), 0
    for told in _drawn(record):
        seen = {thing["name"]: thing["where"] for thing in mistaken(record, told, rng)}
        for thing in record["things"]:
            if seen.get(thing["name"]) == thing["where"]:
                continue
            wrong += 1
            assert thing["name"] == "green cube"
            assert seen.get("green cube", "on the table") == "on the table"
            assert "- stack_on green cube, red cube: done" in map(attempt_line, told)
    assert wrong
    assert mistaken(record, (), rng) == record["things"]
