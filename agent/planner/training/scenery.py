"""Makes one record many: other colours, left and right exchanged. What is true of it stays true."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tandem.agent.planner.training.words import COLOURS

RECOLOURED, MIRRORED = 0.7, 0.5
THINNED, SCATTERED = 0.6, 0.3
CROWDED, CROWD = 0.45, (0.08, 0.3)  # share of tables whose things stand close together, and in how much of the picture
ALIGNED, COLUMNS, AWRY = 0.7, (1, 4), 0.006  # share of crowds that stand in columns, how many there are, how straight
SIDED = ("conveyor",)  # tasks whose order of steps depends on where things are
MISSED = ("pick_place", "stack", "kit", "insert", "drawer", "machine")  # where "there is no ..." is the reason
_COLOUR = re.compile(rf"\b({'|'.join(COLOURS[1:])})\b")


def varied_record(record: Mapping[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """A variant of a record, in all its words and places."""
    made = dict(record)
    if rng.random() < RECOLOURED:
        names = COLOURS[1:]
        other = dict(zip(names, rng.permutation(names).tolist(), strict=True))
        made = _reworded(made, lambda words: _COLOUR.sub(lambda match: other[match[0]], words))
    if rng.random() < MIRRORED and record["task"] not in SIDED:
        made["things"] = [{**thing, "u": 1 - thing["u"]} for thing in made["things"]]
    return made


def without_one(record: Mapping[str, Any], rng: np.random.Generator) -> Mapping[str, Any]:
    """The record with something gone that its first steps need, so that it cannot be done; itself if nothing fits.

    Beside the record as it is, it teaches to look whether what is asked for is there. Tasks that have reasons of their
    own for what is missing are left as they are.
    """
    needed = [step["object"] for step in record["steps"] if step["skill"] == "pick"]
    standing = {thing["name"] for thing in record["things"] if thing["where"] == "on the table"}
    if record["infeasible"] or record.get("view", 0):
        return record
    if record["task"] == "sort":
        return _without_a_bin(record, rng)
    if record["task"] not in MISSED or not set(needed) & standing:
        return record
    gone = str(rng.choice([name for name in needed if name in standing]))
    if gone not in record["instruction"] or any(thing["where"].endswith(gone) for thing in record["things"]):
        return record
    things = [thing for thing in record["things"] if thing["name"] != gone]
    return {**record, "things": things, "steps": [], "infeasible": f"there is no {gone}"}


def _without_a_bin(record: Mapping[str, Any], rng: np.random.Generator) -> Mapping[str, Any]:
    filled = {thing["where"].removeprefix("in the ") for thing in record["things"]}
    placed = [step for step in record["steps"] if step["skill"] == "place" and step["target"] not in filled]
    if not placed:
        return record
    step = placed[rng.integers(len(placed))]
    things = [thing for thing in record["things"] if thing["name"] != step["target"]]
    reason = f"there is no {step['target']} for the {step['object']}"
    return {**record, "things": things, "steps": [], "infeasible": reason}


def scattered(things: Sequence[Mapping[str, Any]], rng: np.random.Generator) -> list[Mapping[str, Any]]:
    """Some of the things, perhaps in places of chance, from left to right.

    Few and far apart are told most easily; what stands close together teaches to tell neighbours from each other, and
    what stands in a column, to tell how far down a thing is by its name and not by how far across it is.
    """
    made, chance = list(things), rng.random()
    if chance < CROWDED:
        (wide, high), (left, top) = rng.uniform(*CROWD, 2), rng.uniform(0.1, 0.6, 2)
        across = left + rng.uniform(0, wide, len(made))
        if rng.random() < ALIGNED:
            columns = rng.choice(across, rng.integers(*COLUMNS)) if made else across
            across = np.clip(rng.choice(columns, len(made)) + rng.normal(0, AWRY, len(made)), 0.01, 0.99)
        down = top + rng.uniform(0, high, len(made))
        made = [{**thing, "u": float(u), "v": float(v)} for thing, u, v in zip(made, across, down, strict=True)]
    elif rng.random() < THINNED:
        made = [thing for thing in made if rng.random() < rng.uniform(0.1, 1.0)] or made[:1]
    if chance > 1 - SCATTERED:
        made = [{**thing, "u": rng.uniform(0.01, 0.99), "v": rng.uniform(0.1, 0.95)} for thing in made]
    return sorted(made, key=lambda thing: (thing["u"], thing["v"]))


def _reworded(value: Any, say) -> Any:
    """Every text in it, said otherwise."""
    if isinstance(value, str):
        return say(value)
    if isinstance(value, dict):
        return {name: _reworded(part, say) for name, part in value.items()}
    return [_reworded(part, say) for part in value] if isinstance(value, list) else value
