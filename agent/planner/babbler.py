"""A model without weights that says at random what the schema allows: the honest dummy of `Model`.

Whatever it says is valid and means nothing; the same question gets the same answer. What works with it depends on no
model's skill: it is for tests of all that stands on a model, and the floor that a planner has to beat.
"""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from tandem.agent.planner.family import Family
from tandem.agent.planner.model import Answer, Question
from tandem.agent.planner.record import call_record, check_pictures, model_record, parts_record
from tandem.bridge.contract import PlannerFailed

BABBLE = Family(name="Babble", maker="Tandem", model_types=())
_PHRASES = ("red cube", "blue bin", "drawer handle", "on the table", "nothing")
_MOST_ITEMS = 4


class Babbler:
    """Satisfies `Model`.

    Args:
        family: how it pretends to write points, and whether it sees.
        seed: of its babble.
    """

    def __init__(self, family: Family = BABBLE, seed: int = 0):
        self.family, self._seed = family, seed

    def resized(self, width: int, height: int) -> tuple[int, int]:
        """As the family resizes."""
        return self.family.resize(width, height)

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """Any valid answer to each."""
        return [self._answer(question) for question in questions]

    def describe(self) -> dict[str, Any]:
        """Plain types only."""
        return {"id": "babbler", "revision": None, "digest": None, "seed": self._seed}

    def _answer(self, question: Question) -> Answer:
        start_s = time.perf_counter()
        check_pictures(question, sees=self.family.sees)
        chance = random.Random(f"{self._seed} {question.system} {parts_record(question, self)}")
        value = _any(question.schema, question.schema.get("$defs", {}), chance)
        reply = json.dumps(value, separators=(",", ":"))
        tokens = {"prompt": 0, "cached": 0, "sampled": 0, "forced": 0}
        who = model_record(self, id="babbler", revision=None, digest=None)
        seconds = time.perf_counter() - start_s
        return Answer(value, call_record(question, self, who, reply=reply, tokens=tokens, seconds=seconds))


def _any(schema: Mapping[str, Any], named: Mapping[str, Any], chance: random.Random) -> Any:
    """A random value of the schema: of the keywords that `tandem.agent.planner.schema` uses, and no others."""
    match schema:
        case {"$ref": path}:
            return _any(named[path.rpartition("/")[2]], named, chance)
        case {"const": value}:
            return value
        case {"enum": choices}:
            return chance.choice(choices)
        case {"anyOf": choices}:
            return _any(chance.choice(choices), named, chance)
        case {"type": "object", "properties": fields}:
            return {name: _any(field, named, chance) for name, field in fields.items()}
        case {"type": "array", "prefixItems": items}:
            return [_any(item, named, chance) for item in items]
        case {"type": "array", "items": item}:
            return [_any(item, named, chance) for _ in range(chance.randint(0, _MOST_ITEMS))]
        case {"type": "integer", "minimum": low, "maximum": high}:
            return chance.randint(low, high)
        case {"type": "string"}:
            fitting = [words for words in _PHRASES if re.fullmatch(schema.get("pattern", ".*"), words)]
            return chance.choice(fitting)
    raise PlannerFailed(f"the babbler does not know how to satisfy {str(schema)[:120]}")
