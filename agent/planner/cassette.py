"""The backend that replays the recorded answers of a logged episode: everything downstream of a model, with no model.

It answers the n-th question of a kind with the n-th recorded answer of that kind, if it is the question that was
recorded: same system text, same words, same pictures to the pixel. What the model refused then is refused again.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tandem.agent.planner.answers import read_answer, unfenced
from tandem.agent.planner.family import Family, Frame
from tandem.agent.planner.model import Answer, Question
from tandem.agent.planner.record import call_record, check_pictures, parts_record
from tandem.bridge.contract import EventKind, ModelUnusable, PlannerFailed
from tandem.bridge.log import LogReader

_FIELDS = frozenset({"kind", "system", "parts", "reply", "thinking", "model", "tokens", "error"})
_WHO = frozenset({"id", "family", "frame", "sees"})
_SHOWN = 60  # characters of each text around the place where they differ


class CassetteModel:
    """Satisfies `Model` as far as the recording goes. Each new one starts at its beginning.

    Args:
        path: the log of an episode that a model planned or judged.
        strict: a question that differs from the recorded one is a failure that says where; else it is answered all
            the same, and the call notes the difference.
        model: id of the model whose answers are replayed, when the log holds those of several.

    Raises:
        LogUnreadable: there is no such log.
        ModelUnusable: it holds no answers of a model, or of several and none is named.
    """

    def __init__(self, path: Path | str, *, strict: bool = True, model: str | None = None):
        self._path, self._strict = Path(path), strict
        calls = _calls_of(self._path)
        self._who = _who(calls, model, self._path)
        self._calls: dict[str, list[Mapping[str, Any]]] = {}
        self._sizes: dict[tuple[int, int], tuple[int, int]] = {}
        for call in calls:
            if call["model"]["id"] == self._who["id"]:
                self._calls.setdefault(call["kind"], []).append(call)
                pictures = (part for part in call["parts"] if not isinstance(part, str))
                self._sizes |= {tuple(part["size"]): tuple(part["resized"]) for part in pictures}
        self.family = Family(
            name=self._who["family"], maker="recorded", model_types=(), sees=self._who["sees"],
            frame=Frame(self._who["frame"]),
        )
        self._played: Counter[str] = Counter()

    def resized(self, width: int, height: int) -> tuple[int, int]:
        """As the recorded model resized a picture of this size."""
        if (width, height) not in self._sizes and self.family.frame is not Frame.THOUSANDTHS:
            seen = ", ".join(f"{across}x{down}" for across, down in self._sizes) or "none"
            raise PlannerFailed(f"{self._path.name} holds pictures of the size {seen}, and none of {width}x{height}")
        return self._sizes.get((width, height), (width, height))

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """The recorded answer for each question, in order. A batch that fails may be asked again, one by one."""
        played, answers = self._played.copy(), []
        for question in questions:
            try:
                answers.append(self._answer(question, played))
            except PlannerFailed as reason:
                if len(questions) == 1:
                    self._played = played
                raise PlannerFailed(str(reason), [*(answer.call for answer in answers), *reason.calls]) from None
        self._played = played
        return answers

    def describe(self) -> dict[str, Any]:
        """Plain types: the model that was recorded, and where."""
        counts = {kind: len(calls) for kind, calls in self._calls.items()}
        return {"backend": "cassette", "log": self._path.name, "strict": self._strict, "calls": counts, **self._who}

    def _answer(self, question: Question, played: Counter[str]) -> Answer:
        started_s = time.perf_counter()
        check_pictures(question, sees=self.family.sees)
        recorded, n = self._calls.get(question.kind, ()), played[question.kind]
        if n >= len(recorded):
            raise PlannerFailed(
                f"{self._path.name} has no further answer to {question.kind!r}, it has {len(recorded)}: the recorded "
                "episode ended before"
            )
        call, place = recorded[n], f"call {n + 1} of {question.kind!r} in {self._path.name}"
        notes = [f"replayed: {place}"]
        if (fault := _difference(call, question, self)) is not None:
            if self._strict:
                raise PlannerFailed(
                    f"{place} was another question: {fault}; a cassette answers the episode that it was made in, so "
                    "give that log's task, seed and options (strict=False answers anyway)"
                )
            notes.append(fault)
        again = call_record(
            question, self, self._who, reply=call["reply"], thinking=call["thinking"], tokens=call["tokens"],
            seconds=time.perf_counter() - started_s, notes=notes, error=call["error"],
        )
        played[question.kind] += 1
        if call["error"]:
            raise PlannerFailed(call["error"], [again])
        return Answer(read_answer(unfenced(call["reply"]), question.schema), again)


def _calls_of(path: Path) -> list[Mapping[str, Any]]:
    """Every exchange with a model, in the order in which it was logged."""
    events = (event for event in LogReader(path).events() if event.kind in (EventKind.PLAN, EventKind.CALLS))
    calls = [call for event in events for call in event.data.get("calls", ())]
    if not calls:
        raise ModelUnusable(
            f"{path} holds no answers of a model: its planner was scripted. Record an episode that a model plans"
        )
    if not all(call.keys() >= _FIELDS and call["model"].keys() >= _WHO for call in calls):
        raise ModelUnusable(f"{path} holds calls of another version, which cannot be replayed; record the episode anew")
    return calls


def _who(calls: Sequence[Mapping[str, Any]], model: str | None, path: Path) -> Mapping[str, Any]:
    """The model that is replayed."""
    recorded = {call["model"]["id"]: call["model"] for call in calls}
    if model is None and len(recorded) == 1:
        return next(iter(recorded.values()))
    if model not in recorded:
        words = "name one of them" if model is None else f"name one of them, not {model!r}"
        raise ModelUnusable(f"{path} holds answers of {', '.join(recorded)}: {words}, as in cassette:FILE#MODEL")
    return recorded[model]


def _difference(call: Mapping[str, Any], question: Question, model: CassetteModel) -> str | None:
    """What is asked now and was not asked then, in words."""
    if (fault := _text_difference("the system text", call["system"], question.system)) is not None:
        return fault
    then, now = call["parts"], parts_record(question, model)
    if len(then) != len(now):
        return f"it had {len(then)} parts, this one has {len(now)}"
    for i, (old, new) in enumerate(zip(then, now, strict=True), 1):
        if isinstance(old, str) and isinstance(new, str):
            if (fault := _text_difference(f"part {i}", old, new)) is not None:
                return fault
        elif isinstance(old, str) or isinstance(new, str):
            return f"part {i} was {'text' if isinstance(old, str) else 'a picture'} and is the other now"
        elif (old["picture"], old["sha256"]) != (new["picture"], new["sha256"]):
            return f"part {i}, a picture, was {_shown(old)} and is {_shown(new)}"
    return None


def _shown(picture: Mapping[str, Any]) -> str:
    width, height = picture["size"]
    return f"{picture['picture']} {width}x{height} {picture['sha256'][:12]}"


def _text_difference(what: str, old: str, new: str) -> str | None:
    if old == new:
        return None
    at = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    start = max(0, at - _SHOWN // 3)
    return f"{what} was ...{old[start:at + _SHOWN]!r} and is ...{new[start:at + _SHOWN]!r}, from character {at}"
