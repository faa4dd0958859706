"""From an instruction in words back to a subgoal: the catalogue's own templates, read the other way round."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tandem.bridge.contract import (
    ArgumentKind,
    FailureCode,
    InvalidPlan,
    SkillFailed,
    SkillSpec,
    Subgoal,
    UnknownName,
)
from tandem.bridge.contract.skill import HELD

_GAP = re.compile(r"\\\{(whole_)?(\w+)\\\}")
MAX_WORDS = 1000


def subgoal_of(words: Any, extra: Any, skills: Mapping[str, SkillSpec], fallback: str | None = None) -> Subgoal:
    """The subgoal that a client asks for.

    Args:
        words: the instruction.
        extra: `Subgoal.to_dict` if the client sends one, else None.
        skills: what the policy offers.
        fallback: skill for words that fit no template; None refuses them.

    Raises:
        SkillFailed: PRECONDITION_FAILED, with the sentences that would have worked.
    """
    if extra is not None:
        try:
            return Subgoal.from_dict(extra)
        except (InvalidPlan, UnknownName, TypeError) as reason:
            raise SkillFailed(FailureCode.PRECONDITION_FAILED, f"no subgoal: {reason}") from reason
    if type(words) is not str or not words.strip() or len(words) > MAX_WORDS:
        raise SkillFailed(FailureCode.PRECONDITION_FAILED, f"an instruction is 1 to {MAX_WORDS} characters of text")
    words = words.strip()
    for skill in skills.values():
        found = _pattern(skill).fullmatch(words)
        if found:
            return Subgoal(skill.name, _arguments(skill, found), instruction=words)
    if fallback is not None:
        return Subgoal(fallback, _spoken(skills[fallback], words), instruction=words)
    known = "; ".join(skill.instruction for skill in skills.values())
    raise SkillFailed(FailureCode.PRECONDITION_FAILED, f"{words!r} asks for no skill here. Say one of: {known}")


def _pattern(skill: SkillSpec) -> re.Pattern[str]:
    gap = _GAP.sub(r"(?P<\2>.+?)", re.escape(skill.instruction))
    return re.compile(rf"{gap}\.?", re.IGNORECASE)


def _arguments(skill: SkillSpec, found: re.Match[str]) -> dict[str, str]:
    whole = {name for is_whole, name in _GAP.findall(re.escape(skill.instruction)) if is_whole}
    return {name: f"{text} handle" if name in whole and not text.endswith(" handle") else text
            for name, text in found.groupdict().items() if text.lower() != HELD or name in skill.required}


def _spoken(skill: SkillSpec, words: str) -> dict[str, str]:
    """Every argument that must be given is the instruction itself: for policies that read words, not arguments."""
    return {a.name: words for a in skill.arguments if a.required and a.kind is ArgumentKind.TEXT}
