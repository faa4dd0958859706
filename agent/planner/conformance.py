"""The laws of a `Model`, for any backend: run this on your own before you let it plan.

A model without wits passes, too: what is checked is that answers are valid, honest and independent of one another.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tandem.agent.planner.family import Family
from tandem.agent.planner.model import Answer, Model, Picture, Question
from tandem.agent.planner.record import parts_record, picture_digest
from tandem.agent.planner.validation import mistake
from tandem.bridge.conformance.law import refuses, require
from tandem.bridge.contract import PlannerFailed

TOO_LONG = 400_000  # words: more than any of the models listed can read
_SYSTEM = "You are asked about a table in front of a robot. Answer with JSON only."
_FIELDS = ("kind", "system", "parts", "reply", "thinking", "model", "tokens", "seconds")
_WHO = ("id", "revision", "digest", "family", "frame", "sees")
_TOKENS = ("prompt", "cached", "sampled", "forced")


def check_model(make_model: Callable[[], Model], picture: Picture, *, greedy: bool = True) -> None:
    """Raise AssertionError naming the first law of `Model` that is broken.

    Args:
        make_model: makes a model; a fresh one, or the same one every time.
        picture: shown to a model that sees.
        greedy: it always takes the likeliest token, so that the same question gets the same answer.
    """
    model = make_model()
    _check_description(model, picture)
    questions = _questions(picture if model.family.sees else None)
    before = picture_digest(picture.pixels)
    answers = _answers(model, questions)
    require(picture_digest(picture.pixels) == before, "a model must not write into a picture.")
    for question, answer in zip(questions, answers, strict=True):
        _check_answer(question, answer, model)
    require(model.answer([]) == [], "no questions have no answers: [].")
    if greedy:
        _check_memory(make_model, questions, answers)
    _check_refusals(model, questions, picture)


def _questions(picture: Picture | None) -> list[Question]:
    """Three of different kinds, two of which share their system text."""
    seen = () if picture is None else (picture,)
    verdict = _record({"verdict": {"enum": ["success", "failure", "inconclusive"]}})
    axes = [{"type": "integer", "minimum": 0, "maximum": most} for most in (31, 999)]
    point = {"type": "array", "prefixItems": axes, "items": False, "minItems": 2, "maxItems": 2}
    thing = _record({"name": {"type": "string", "pattern": "^[a-z][a-z ]{0,11}$"}, "point": point})
    forms = [_record({"feasible": {"const": True}, "thing": {"$ref": "#/$defs/thing"}}),
             _record({"feasible": {"const": False}, "reason": {"const": "there is no red cube"}})]
    return [
        Question("judge", _SYSTEM, (*seen, "Is the red cube in the blue bin?"), verdict, max_tokens=64),
        Question("plan", "You plan. Answer with JSON only.", ("Instruction: pick up the red cube",),
                 {"anyOf": forms, "$defs": {"thing": thing}}, max_tokens=128),
        Question("perceive", _SYSTEM, ("Look at this:", *seen, "What is on the left?"), thing, max_tokens=128),
    ]


def _record(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object", "properties": dict(fields), "required": list(fields), "additionalProperties": False,
    }


def _answers(model: Model, questions: Sequence[Question]) -> list[Answer]:
    answers = model.answer(questions)
    law = "answer must return one Answer for each question, in a list."
    whole = isinstance(answers, list) and len(answers) == len(questions)
    require(whole and all(isinstance(answer, Answer) for answer in answers), law, answers)
    return answers


def _check_description(model: Model, picture: Picture) -> None:
    require(isinstance(model, Model), "a model has family, resized, answer and describe.", type(model))
    require(isinstance(model.family, Family), "family must be a Family.", type(model.family))
    height, width = picture.pixels.shape[:2]
    size = model.resized(width, height)
    law = "resized must return width and height, positive whole numbers of pixels."
    require(len(size) == 2 and all(isinstance(n, int) and n > 0 for n in size), law, size)
    _check_plain(model.describe(), "describe")


def _check_answer(question: Question, answer: Answer, model: Model) -> None:
    fault = mistake(answer.value, question.schema)
    require(fault is None, f"an answer must satisfy the schema of its question ({question.kind}).", fault)
    call = answer.call
    _check_plain(call, "an answer's call")
    missing = [name for name in _FIELDS if name not in call]
    require(not missing, f"a call must hold {', '.join(_FIELDS)}.", f"no {', '.join(missing)}")
    asked = call["kind"] == question.kind and call["system"] == question.system
    require(asked and call["parts"] == parts_record(question, model), "a call must hold its question verbatim.", call)
    require(isinstance(call["reply"], str) and bool(call["reply"]), "a call must hold the raw reply.", call["reply"])
    _check_who(call["model"])
    counts = [call["tokens"].get(name, -1) for name in _TOKENS]
    counted = all(n is None or (type(n) is int and n >= 0) for n in counts)
    require(counted, f"a call counts {', '.join(_TOKENS)} tokens, None where nobody knows.", call["tokens"])
    took = isinstance(call["seconds"], float) and math.isfinite(call["seconds"]) and call["seconds"] >= 0
    require(took, "a call says how many seconds it took.", call["seconds"])


def _check_who(who: Mapping[str, Any]) -> None:
    missing = [name for name in _WHO if name not in who]
    require(not missing, f"a call says of its model {', '.join(_WHO)}.", f"no {', '.join(missing)}")
    named = isinstance(who["id"], str) and bool(who["id"])
    known = all(who[name] is None or isinstance(who[name], str) for name in ("revision", "digest"))
    require(named and known, "a model has an id; its revision and digest are text, None where nobody knows.", who)


def _check_plain(value: Any, what: str) -> None:
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as reason:
        raise AssertionError(f"{what} must hold plain types only ({reason}).") from reason
    require(json.loads(text) == value, f"{what} must come back from JSON as it was.", value)


def _check_memory(make_model: Callable[[], Model], questions: list[Question], answers: list[Answer]) -> None:
    """The same answer twice, in another order, alone, and from a model that was asked nothing else before."""
    values = [answer.value for answer in answers]
    model = make_model()
    again = [answer.value for answer in _answers(model, questions)]
    require(again == values, "a greedy model must give the same answers twice.", again)
    turned = [answer.value for answer in _answers(model, questions[::-1])][::-1]
    require(turned == values, "questions share no memory: their order must not matter.", turned)
    alone = [_answers(model, [question])[0].value for question in questions]
    require(alone == values, "questions share no memory: company must not matter.", alone)


def _check_refusals(model: Model, questions: list[Question], picture: Picture) -> None:
    question = questions[0]
    long = replace(question, parts=("cube " * TOO_LONG,))
    refuses(PlannerFailed, lambda: model.answer([long]), "a question that is too long must raise PlannerFailed.")
    short = replace(questions[1], max_tokens=1)
    law = "an answer that does not fit into max_tokens must raise PlannerFailed: it is never cut."
    refuses(PlannerFailed, lambda: model.answer([short]), law)
    grey = replace(picture, pixels=np.zeros((4, 4), np.float32))
    law = "a picture that is not uint8 (H, W, 3) must raise PlannerFailed."
    refuses(PlannerFailed, lambda: model.answer([replace(question, parts=(grey, "What is this?"))]), law)
    if not model.family.sees:
        law = "a model that reads text only must raise PlannerFailed for a picture."
        refuses(PlannerFailed, lambda: model.answer([replace(question, parts=(picture,))]), law)
    _answers(model, [question])  # after a failure it goes on
