"""The skill catalogue: what a planner may ask for and a policy can be asked to do.

It is part of the contract because planner and policy must agree on it and never import one another. A planner
builds its grammar from it, a policy declares which entries it offers, `Subgoal` is checked against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from tandem.bridge.contract.errors import UnknownName


class ArgumentKind(StrEnum):
    """The types that an argument can have."""

    TEXT = "text"  # words that name an entity, such as "red cube"
    POINT = "point"  # a `CameraPoint`


@dataclass(frozen=True)
class ArgumentSpec:
    """One argument of a skill: its name, type, whether it may be left out, and its meaning in words."""

    name: str
    kind: ArgumentKind
    meaning: str
    required: bool = True


@dataclass(frozen=True)
class SkillSpec:
    """One skill.

    Attributes:
        name: the verb.
        meaning: what it does, in words that a model reads.
        arguments: in order.
        precondition: what must hold before it starts, in words.
        timeout_s: default time budget in seconds.
        instruction: the step in plain words; a `str.format` template over the text arguments, see `words`.
        criterion: how one would see that it is done; likewise.
    """

    name: str
    meaning: str
    arguments: tuple[ArgumentSpec, ...]
    precondition: str
    timeout_s: float
    instruction: str
    criterion: str

    @property
    def required(self) -> frozenset[str]:
        """Names of the arguments that cannot be left out."""
        return frozenset(a.name for a in self.arguments if a.required)

    def words(self, arguments: Mapping[str, object]) -> tuple[str, str]:
        """Instruction and criterion of a step with these arguments, of which only the texts are read.

        In a template, `{target}` is the argument itself and `{whole_target}` the thing that it is the handle of.
        """
        texts = {a.name: str(arguments.get(a.name, HELD)) for a in self.arguments if a.kind is ArgumentKind.TEXT}
        texts |= {f"whole_{name}": text.removesuffix(" handle") for name, text in texts.items()}
        return self.instruction.format(**texts), self.criterion.format(**texts)


HELD = "held object"  # how one speaks of what is held when nobody named it


def _text(name: str, meaning: str, *, required: bool = True) -> ArgumentSpec:
    return ArgumentSpec(name, ArgumentKind.TEXT, meaning, required)


def _point(name: str, meaning: str) -> ArgumentSpec:
    return ArgumentSpec(name, ArgumentKind.POINT, meaning, required=False)


_OBJECT = (_text("object", "what to take, in words"), _point("point", "a camera point on it"))
_HELD = _text("object", "what is held, in words", required=False)
_TARGET = (_text("target", "where, in words"), _point("point", "a camera point on it"))

SKILLS: Mapping[str, SkillSpec] = MappingProxyType({
    skill.name: skill
    for skill in (
        SkillSpec(
            "pick", "grasp an object from above and lift it", _OBJECT, "the gripper holds nothing", 20.0,
            "pick up the {object}", "the gripper holds the {object} above the table",
        ),
        SkillSpec(
            "place", "put the held object into or onto the target", (_HELD, *_TARGET), "an object is held", 20.0,
            "put the {object} into the {target}", "the {object} lies in the {target}, let go",
        ),
        SkillSpec(
            "stack_on", "set the held object on top of another", (_HELD, *_TARGET), "an object is held", 20.0,
            "set the {object} on the {target}", "the {object} stands on the {target}, let go",
        ),
        SkillSpec(
            "insert", "push the held peg into a hole", (_HELD, *_TARGET), "a peg is held", 40.0,
            "push the {object} into the {target}", "the {object} sits deep in the {target}",
        ),
        SkillSpec(
            "open", "pull a drawer open by its handle", _TARGET, "the gripper holds nothing", 30.0,
            "pull the {whole_target} open", "the {whole_target} stands open",
        ),
        SkillSpec(
            "close", "push a drawer shut", _TARGET, "the gripper holds nothing", 30.0,
            "push the {whole_target} shut", "the {whole_target} is shut",
        ),
        SkillSpec(
            "press", "press a button from above", _TARGET, "the gripper holds nothing", 20.0,
            "press the {target}", "the {target} has been pressed",
        ),
        SkillSpec(
            "push", "slide an object over the table to a place without grasping it",
            (*_OBJECT, _text("target", "where to, in words"), _point("to", "a camera point of the place")),
            "the gripper holds nothing", 30.0,
            "push the {object} to the {target}", "the {object} lies at the {target}",
        ),
        SkillSpec(
            "home", "return the arm to its rest pose", (), "none", 15.0,
            "return the arm to its rest pose", "the arm is in its rest pose",
        ),
    )
})
"""The standard catalogue, by name, in a fixed order."""


def skill_named(name: str, catalogue: Mapping[str, SkillSpec] = SKILLS) -> SkillSpec:
    """The skill of that name, or `UnknownName` listing those that exist."""
    if name not in catalogue:
        raise UnknownName("skill", name, catalogue)
    return catalogue[name]
