"""What is written in the code can be read from it, by cell and by glimpse."""

import numpy as np
import pytest
import torch

from tandem.agent.planner.training.architecture import CELLS
from tandem.agent.planner.training.codes import PART, PER_CELL, SPANS, WORDS, Slots
from tandem.agent.planner.training.dense import axis_logits
from tandem.agent.planner.training.glimpse import imagined
from tandem.agent.planner.training.words import COLOURS, KINDS, PLACES

THINGS = [
    {"name": "red cube", "u": 0.21, "v": 0.4, "where": "on the table"},
    {"name": "gear", "u": 0.41, "v": 0.53, "where": "in the gear slot"},
    {"name": "blue brick", "u": 0.8, "v": 0.7, "where": "in the red bin"},
    {"name": "start button", "u": 0.99, "v": 0.99, "where": "on the table"},
]


def read(code):
    """Name, whereabouts and bins of one slot's code."""
    said = {name: int(code[SPANS[name]].argmax()) for name in WORDS}
    name = f"{COLOURS[said['colour']]} {KINDS[said['kind']]}".strip()
    where = PLACES[said["place"]]
    if where in ("in", "on"):
        where += f" the {COLOURS[said['support_colour']]} {KINDS[said['support_kind']]}".replace("  ", " ")
    return name, where, axis_logits(torch.from_numpy(code)[None])[0].argmax(-1).tolist()


def test_every_thing_is_written_in_its_cell_and_nothing_anywhere_else():
    codes = Slots(THINGS).codes().reshape(*CELLS, PER_CELL, PART)
    for thing in THINGS:
        code = codes[int(thing["v"] * CELLS[0]), int(thing["u"] * CELLS[1]), 0]
        name, where, (x, y) = read(code)
        assert (name, where) == (thing["name"], thing["where"])
        assert (x, y) == pytest.approx((thing["u"] * 200, thing["v"] * 200), abs=0.6)
    absent, present = codes[..., SPANS["there"]].transpose(3, 0, 1, 2)
    assert (present > absent).sum() == len(THINGS)


def test_things_in_one_cell_move_aside_and_none_is_lost():
    crowd = [{"name": "red cube", "u": 0.5 + 0.002 * k, "v": 0.5, "where": "on the table"} for k in range(6)]
    slots = Slots(crowd)
    assert len(set(slots.index.tolist())) == 6
    assert sorted(slots.kept.tolist()) == list(range(6))
    rows, columns = np.divmod(slots.index // PER_CELL, CELLS[1])
    assert np.abs(rows - int(0.5 * CELLS[0])).max() <= 1
    assert np.abs(columns - int(0.5 * CELLS[1])).max() <= 1


def test_what_lies_outside_of_the_picture_has_no_slot():
    assert len(Slots([{**THINGS[0], "u": 1.01}]).index) == 0


@pytest.mark.parametrize("seed", range(20))
def test_an_imagined_glimpse_shows_every_thing_in_order(seed):
    glimpse = imagined(THINGS, np.random.default_rng(seed))
    assert (np.diff(glimpse.cells) > 0).all()
    places = {int(thing["v"] * CELLS[0]) * CELLS[1] + int(thing["u"] * CELLS[1]) for thing in THINGS}
    assert places <= set(glimpse.cells.tolist())
    assert len(glimpse.codes) == len(glimpse.cells) <= CELLS[0] * CELLS[1]


def test_what_is_seen_twice_is_the_same_thing_in_a_cell_beside_it():
    again = 0
    for seed in range(40):
        codes = imagined(THINGS, np.random.default_rng(seed)).codes.reshape(-1, PART)
        sure = codes[codes[:, SPANS["there"]][:, 1] > codes[:, SPANS["there"]][:, 0] + 0.1]
        seen = [read(code) for code in sure]
        again += len(seen) - len(THINGS)
        for name, _, (x, y) in seen:
            assert any(abs(x - thing["u"] * 200) < 15 and abs(y - thing["v"] * 200) < 15 for thing in THINGS), name
    assert again > 5
