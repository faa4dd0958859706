"""JSON schemas of the answers, from the skill catalogue and what is there: what is not offered cannot be said.

The order of properties is the order of writing. A thing of the scene is one constant, name and point together, so that
a grammar writes its point for nothing; two things of one name stay two constants.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tandem.agent.planner.canvas import Canvas
from tandem.agent.planner.scene import Scene, constant
from tandem.bridge.contract import ArgumentKind, ArgumentSpec, Outcome, SkillSpec

MAX_STEPS = 16
MAX_THINGS = 24
WORDS = {"type": "string", "pattern": "^[a-z0-9][a-z0-9 '-]{0,39}$"}
# Shorter than 128: xgrammar 0.2.8 cannot keep the rules of longer repetitions.
SENTENCE = {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9 .,;:%'()+-]{0,119}$"}

Schema = dict[str, Any]


def perceive_schema(canvas: Canvas) -> Schema:
    """Things with name, point and whereabouts."""
    thing = _record({"name": WORDS, "point": _point(canvas), "where": WORDS})
    return _record({"things": {"type": "array", "items": {"$ref": "#/$defs/thing"}, "maxItems": MAX_THINGS}},
                   {"thing": thing})


def plan_schema(catalogue: Mapping[str, SkillSpec], scene: Scene | None, canvas: Canvas) -> Schema:
    """Steps, or the reason why there are none.

    Args:
        catalogue: the skills that may be named.
        scene: the things that may be named, None for any. A skill that needs a thing is left out when there is none.
        canvas: for points.
    """
    thing, name = _known(scene, canvas) if scene is not None else (_record({"name": WORDS, "point": _point(canvas)}),
                                                                   WORDS)
    offered = [skill for skill in catalogue.values() if scene is None or scene.things or not tuple(slots(skill))]
    steps: Schema = {"const": []}
    if offered:
        items = {"anyOf": [{"$ref": f"#/$defs/{skill.name}"} for skill in offered]}
        steps = {"type": "array", "items": items, "maxItems": MAX_STEPS}
    return {
        "anyOf": [_record({"feasible": {"const": True}, "steps": steps}),
                  _record({"feasible": {"const": False}, "reason": SENTENCE})],
        "$defs": {"thing": thing, "name": name, **{skill.name: _step(skill) for skill in offered}},
    }


def judge_schema() -> Schema:
    """Evidence, then the verdict."""
    return _record({"evidence": SENTENCE, "verdict": {"enum": [str(outcome) for outcome in Outcome]}})


def slots(skill: SkillSpec) -> Iterator[tuple[ArgumentSpec, ArgumentSpec | None]]:
    """The texts of a skill in order, each with the point that belongs to it: a point follows its text."""
    for i, argument in enumerate(skill.arguments):
        if argument.kind is ArgumentKind.TEXT:
            after = skill.arguments[i + 1] if i + 1 < len(skill.arguments) else None
            yield argument, after if after is not None and after.kind is ArgumentKind.POINT else None


def _known(scene: Scene, canvas: Canvas) -> tuple[Schema, Schema]:
    constants = [constant(thing, canvas) for thing in scene.things]
    distinct = [value for i, value in enumerate(constants) if value not in constants[:i]]
    return {"enum": distinct}, {"enum": list(scene.names)}


def _step(skill: SkillSpec) -> Schema:
    """Every text is asked for, the one that names what is held, too."""
    fields: Schema = {"skill": {"const": skill.name}}
    for text, point in slots(skill):
        fields[text.name] = {"$ref": "#/$defs/thing" if point else "#/$defs/name"}
    return _record(fields)


def _point(canvas: Canvas) -> Schema:
    axes = [{"type": "integer", "minimum": 0, "maximum": most} for most in canvas.largest]
    return {"type": "array", "prefixItems": axes, "items": False, "minItems": 2, "maxItems": 2}


def _record(fields: Schema, definitions: Schema | None = None) -> Schema:
    record = {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}
    return {**record, "$defs": definitions} if definitions else record
