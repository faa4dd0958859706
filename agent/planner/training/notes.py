"""Notes in the margin: what is to become of each thing, where what is asked for is, how far down a thing is.

A plan follows from a few comparisons between instruction and scene. Told only whether the whole plan is right, a small
model is long in finding them; told at every name what it should have found out by then, it finds them at once. The
notes are learned beside the answers by a head of their own (dense supervision of text), which no checkpoint has.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tandem.agent.planner.training.tokenizer import COLOURED, END, NAMES

STAYS, MISSING = END, "there"
_LISTED = re.compile(r"^- (.+?) at \[", re.MULTILINE)
_POINTED = re.compile(r'"name":"([^"]+)","point":\[\d+,(\d+)\]')
_NAMED = re.compile(rf"\b(?:{'|'.join(sorted(NAMES, key=len, reverse=True))})\b")


def notes(text: str, record: Mapping[str, Any]) -> dict[int, str]:
    """By the end of a name in the text, as a count of characters, what to note there; its first word counts.

    Args:
        text: of the question: the instruction, the scene, what was tried, the instruction again.
        record: what is true: `things`, `steps` and `infeasible`.
    """
    where = {thing["name"]: thing["where"] for thing in record["things"]}
    made: dict[int, str] = {}
    if not record["infeasible"]:
        goals = _goals(record["steps"])
        made |= {match.end(1): goals.get(match[1], STAYS) for match in _LISTED.finditer(text)}
    again = text.rindex("\n") + 1
    for match in _NAMED.finditer(text, again):
        if match[0] in where or _is_thing(match[0]):
            made[match.end()] = where.get(match[0], MISSING)
    return made


def asides(answer: str) -> dict[int, str]:
    """By the end of a name in a list of things, as a count of characters, how far down the picture the thing is.

    That number is written two words later. Left alone, a model looks for what is as far across as it just wrote, and
    takes the place of a neighbour in the same column; what it knew at the name, it need not look for again.
    """
    return {match.end(1): match[2] for match in _POINTED.finditer(answer)}


def _goals(steps: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """By name of a thing, what it goes to at last."""
    return {step["object"]: step["target"] for step in steps if "object" in step and "target" in step}


def _is_thing(name: str) -> bool:
    """Whether a name stands for one thing wherever it is used, and for no kind of things."""
    return name not in COLOURED
