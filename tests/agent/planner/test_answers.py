"""What is read out of a reply, and what is refused."""

import json
import re

import pytest

from tandem.agent.planner.answers import MAX_REPLY, parse, read_answer
from tandem.agent.planner.validation import mistake
from tandem.bridge.contract import PlannerFailed

WORD = {"type": "string", "pattern": "^[a-z ]{1,10}$"}
POINT = {
    "type": "array", "prefixItems": [{"type": "integer", "minimum": 0, "maximum": 999}] * 2, "items": False,
    "minItems": 2, "maxItems": 2,
}
RED = {"name": "red cube", "point": [512, 430]}


def record(**fields):
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}


PLAN = {
    "anyOf": [
        record(feasible={"const": True}, steps={
            "type": "array", "items": {"anyOf": [{"$ref": "#/$defs/pick"}, {"$ref": "#/$defs/home"}]}, "maxItems": 3,
        }),
        record(feasible={"const": False}, reason=WORD),
    ],
    "$defs": {
        "thing": {"enum": [RED]}, "home": record(skill={"const": "home"}),
        "pick": record(skill={"const": "pick"}, object={"$ref": "#/$defs/thing"}),
    },
}
PICK, HOME = {"skill": "pick", "object": RED}, {"skill": "home"}


@pytest.mark.parametrize("value", [
    {"feasible": True, "steps": [PICK, HOME]}, {"steps": [], "feasible": True},
    {"feasible": False, "reason": "no cube"},
])
def test_what_satisfies_the_schema_is_read(value):
    for text in (json.dumps(value), json.dumps(value, indent=2), json.dumps(value, separators=(",", ":"))):
        assert read_answer(text, PLAN) == value


@pytest.mark.parametrize(("value", "words"), [
    ({"feasible": True, "steps": [{"skill": "fly"}]}, r'steps\[0\].skill must be "pick", or be "home", got "fly"'),
    ({"feasible": True, "steps": [PICK] * 4}, "items of at most 3"),
    ({"feasible": True}, "have steps"),
    ({"feasible": 1, "steps": []}, "feasible must be true"),
    ({"feasible": False, "reason": "no\n"}, "match"),
    ({"feasible": False, "reason": "no cube", "steps": []}, "answer.steps must not be there"),
    ({"feasible": True, "steps": [{**PICK, "object": {"name": "red cube", "point": [512, 431]}}]}, "512, 430"),
    ({"feasible": True, "steps": [{**PICK, "object": {"name": "red cube", "point": [512.0, 430]}}]}, "512, 430"),
    ({"feasible": True, "steps": {"skill": "home"}}, "type array"),
    ([], "JSON object"), (None, "JSON object"), ("yes", "JSON object"),
])
def test_what_breaks_the_schema_is_refused_with_the_place_and_what_would_do(value, words):
    with pytest.raises(PlannerFailed, match=words):
        read_answer(json.dumps(value), PLAN)


@pytest.mark.parametrize(("value", "schema", "words"), [
    ([1, 2], POINT, None), ([1], POINT, "at least 2"), ([1, 2, 3], POINT, "at most 2"),
    ([1, 1000], POINT, "at most 999"), ([True, 2], POINT, "type integer"), ([1.0, 2], POINT, "type integer"),
    ([10**400, 2], POINT, "at most 999"),
    (1.5, {"type": "number", "minimum": 2}, "at least 2"), (2, {"type": "number"}, None),
    (None, {"type": "null"}, None), (False, {"type": "null"}, "type null"), (True, {"type": "boolean"}, None),
    ("ab", {"type": "string", "minLength": 3}, "length of at least 3"), ("ab", {"maxLength": 1}, "at most 1"),
    (["a", 1], {"items": {"type": "string"}}, r"answer\[1\] must be of type string"),
    ({"b c": 1}, {"properties": {}, "additionalProperties": True}, None),
    ({"b c": 1}, {"properties": {}}, r'answer\["b c"\] must not be there'),
])
def test_each_keyword_holds(value, schema, words):
    fault = mistake(value, schema)
    assert fault is None if words is None else re.search(words, fault)


def test_a_schema_that_cannot_be_checked_is_refused():
    for schema, words in (({"format": "date"}, "'format'"), ({"$ref": "#/$defs/cube"}, "cube")):
        with pytest.raises(PlannerFailed, match=words):
            mistake({}, schema)


def test_a_schema_that_refers_to_itself_ends():
    nested = {"$ref": "#/$defs/a", "$defs": {"a": {"type": "array", "items": {"$ref": "#/$defs/a"}}}}
    assert mistake([[], [[]]], nested) is None
    deep = []
    for _ in range(100_000):
        deep = [deep]
    assert "deeply" in mistake(deep, nested)


@pytest.mark.parametrize(("reply", "words"), [
    ("", "empty"), (" \n", "empty"), ("{", "not JSON"), ('{"a":1} and so on', "not JSON"), ("yes", "not JSON"),
    ('{"a":NaN}', "not finite"), ('{"a":-Infinity}', "not finite"), ('{"a":1e999}', "not finite"),
    ('{"a":1,"a":2}', '"a" is there twice'), ('{"b":{"a":1,"a":2}}', "twice"), ('{"a":"\\ud800"}', "surrogates"),
    ("[" * 100_000, "nested too deeply"), ('{"a":' * 100_000, "nested|more than"), ("1" * 5000, "digits"),
    ('"' + "x" * MAX_REPLY + '"', "more than"),
])
def test_hostile_text_is_no_answer(reply, words):
    with pytest.raises(PlannerFailed, match=words) as caught:
        parse(reply)
    assert len(str(caught.value)) < 500
