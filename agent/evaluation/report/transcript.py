"""The exchanges with models, as they stand in a log: what was asked, the raw reply, the parsed plan, the time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tandem.agent.evaluation.report.story import Story

TEXT, PROMPT, MANIFEST = 4000, 12000, 12000  # characters at most
CALLS, PROMPTS = 40, 24  # exchanges of one planner call; system texts
_STRING, _ROWS = 240, 24  # of one value in a manifest


@dataclass(frozen=True)
class Exchange:
    """One question to a model and its answer.

    Attributes:
        kind: of the question.
        model: who answered.
        system: the system text's name in `Prompts`, None when there was none.
        asked: the user's turn.
        thinking: what the model thought aloud.
        reply: raw.
        error: why the reply was refused, else empty.
        facts: seconds, tokens and notes in words.
    """

    kind: str
    model: str
    system: str | None
    asked: str
    thinking: str
    reply: str
    error: str
    facts: str


@dataclass(frozen=True)
class Turn:
    """One planner call or other exchange, at a body time.

    Attributes:
        time_s: body time.
        who: "planner", "verifier".
        latency_s: wall time, None when it is not known.
        plan: the parsed plan, line by line; None when there is none.
        feasible: as the planner says.
        reason: likewise.
        exchanges: with models; a planner that is a program has none.
        left_out: how many more there were.
    """

    time_s: float
    who: str
    latency_s: float | None
    plan: tuple[str, ...] | None
    feasible: bool
    reason: str
    exchanges: tuple[Exchange, ...]
    left_out: int


class Prompts:
    """System texts, each kept once: the same few stand before every call."""

    def __init__(self):
        self.texts: dict[str, str] = {}

    def name(self, text: str) -> str | None:
        """What it is called in this report; None for no text, and when there are too many."""
        if not text:
            return None
        name = hashlib.sha256(text.encode(errors="replace")).hexdigest()[:8]
        if name not in self.texts and len(self.texts) >= PROMPTS:
            return None
        self.texts.setdefault(name, cut(text, PROMPT))
        return name


class Room:
    """How many characters of exchanges with models one episode may still show."""

    def __init__(self, characters: int):
        self._left = characters

    def take(self, text: Any) -> str:
        """As much of it as there is room for."""
        shown = cut(text or "", min(TEXT, self._left))
        self._left = max(0, self._left - len(shown))
        return shown


def cut(text: Any, limit: int = TEXT) -> str:
    """Text of at most about that many characters, saying how much is missing."""
    text = text if isinstance(text, str) else json.dumps(text, ensure_ascii=False, default=str)
    if len(text) <= limit:
        return text
    return f"{text[:limit]}\n… ({len(text):,} characters in all; the log holds them)"


def transcript(story: Story, prompts: Prompts, room: Room) -> list[Turn]:
    """Every planner call and every other exchange, in the order of body time."""
    turns = [_plan_turn(time_s, plan, prompts, room) for time_s, plan in story.plans]
    for event in story.calls:
        exchanges, left = _exchanges(event.data.get("calls") or (), prompts, room)
        turns.append(Turn(event.time_s, str(event.data.get("what", "model")), None, None, True, "", exchanges, left))
    return sorted(turns, key=lambda turn: turn.time_s)


def _plan_turn(time_s: float, plan: Mapping[str, Any], prompts: Prompts, room: Room) -> Turn:
    exchanges, left = _exchanges(plan.get("calls") or (), prompts, room)
    lines, latency_s = tuple(_subgoal(subgoal) for subgoal in plan["subgoals"]), plan.get("latency_s")
    return Turn(
        time_s, "planner", None if latency_s is None else float(latency_s), lines, bool(plan["feasible"]),
        room.take(plan.get("reason")), exchanges, left,
    )


def _subgoal(subgoal: Mapping[str, Any]) -> str:
    words = (f"{name}={_argument(value)}" for name, value in subgoal["arguments"].items())
    return cut(f"{subgoal['skill']}({', '.join(words)})", 400)


def _argument(value: Any) -> str:
    if isinstance(value, Mapping):
        u, v = (round(pixel, 1) if isinstance(pixel, float) else pixel for pixel in (value.get("u"), value.get("v")))
        return f"({u}, {v}) in {value.get('camera')}"
    return str(value)


def _exchanges(
    calls: Iterable[Mapping[str, Any]], prompts: Prompts, room: Room
) -> tuple[tuple[Exchange, ...], int]:
    calls = list(calls)
    return tuple(_exchange(call, prompts, room) for call in calls[:CALLS]), max(0, len(calls) - CALLS)


def _exchange(call: Mapping[str, Any], prompts: Prompts, room: Room) -> Exchange:
    parts = (part if isinstance(part, str) else _picture(part) for part in call.get("parts") or ())
    return Exchange(
        str(call.get("kind", "call")), cut((call.get("model") or {}).get("id") or "unnamed model", 200),
        prompts.name(str(call.get("system") or "")), room.take("\n".join(parts)),
        room.take(call.get("thinking")), room.take(call.get("reply")), room.take(call.get("error")),
        cut(_facts(call), 600),
    )


def _picture(part: Mapping[str, Any]) -> str:
    size = "×".join(map(str, part.get("size") or ()))
    return f"[picture {part.get('picture')}, {size} pixels, sha256 {str(part.get('sha256'))[:12]}…]"


def _facts(call: Mapping[str, Any]) -> str:
    tokens = [f"{count} {name}" for name, count in (call.get("tokens") or {}).items() if count is not None]
    words = [f"{call['seconds']:.2f} s"] if isinstance(call.get("seconds"), int | float) else []
    words += [f"tokens: {', '.join(tokens)}"] if tokens else []
    return " · ".join([*words, *map(str, call.get("notes") or ())])


def manifest_text(manifest: Mapping[str, Any]) -> str:
    """As indented JSON, long texts and tables cut short."""
    return cut(json.dumps(_brief(manifest), indent=1, ensure_ascii=False, default=str), MANIFEST)


def _brief(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _brief(held) for name, held in value.items()}
    if isinstance(value, list | tuple):
        if all(isinstance(held, int | float) for held in value):
            return json.dumps(value[:_ROWS]) + ("" if len(value) <= _ROWS else f" … {len(value)} numbers")
        return [_brief(held) for held in value[:_ROWS]] + ([] if len(value) <= _ROWS else [f"… {len(value)} in all"])
    if isinstance(value, str) and len(value) > _STRING:
        return f"{value[:_STRING]}… ({len(value):,} characters)"
    return value
