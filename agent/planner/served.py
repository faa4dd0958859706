"""The backend that asks an OpenAI-compatible server: vLLM, SGLang, NVIDIA NIM, llama.cpp, `transformers serve`.

The schema goes along as `response_format`. A server that refuses that, or takes it and does not keep to it, is asked
once more with the schema in the prompt, and the call says so. Either way the reply is checked here, and nothing but an
answer under the schema leaves this file.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from tandem.agent.planner.answers import read_answer, unfenced
from tandem.agent.planner.chat_server import SILENCE, ChatServer, Reply, ServerRefused
from tandem.agent.planner.family import Family
from tandem.agent.planner.in_process.options import Sampling
from tandem.agent.planner.model import Answer, Question
from tandem.agent.planner.png import png_url
from tandem.agent.planner.record import call_record, check_pictures, model_record
from tandem.agent.planner.together import all_at_once
from tandem.bridge.contract import InvalidOption, PlannerFailed

THREADS = 8  # questions under way at once
# Thousandths, as every prompt says in words; and the thoughts of most thinkers, where a server leaves them in the text.
UNNAMED = Family(name="unnamed", maker="unknown", model_types=(), think=("<think>", "</think>"))
_KEPT = 20_000  # characters of a refused reply in the log
_NOTED = 500  # characters of one that was asked for again
_REFUSES_SCHEMA = (400, 422, 501)
_IN_PROMPT = "Answer with one JSON object and nothing else. It must satisfy this JSON schema:\n"


@dataclass
class _Exchange:
    """What is known of one question's exchange so far."""

    question: Question
    end_s: float
    notes: list[str] = field(default_factory=list)
    reply: Reply = SILENCE
    started_s: float = field(default_factory=time.perf_counter)


class ServedModel:
    """A model behind an OpenAI-compatible server; satisfies `Model`. Nothing is asked before the first question.

    Args:
        base_url: "http://localhost:8000/v1". A key, if it wants one, is read from OPENAI_API_KEY and never logged.
        model: the id under which the server knows it.
        family: what the model is, which a server does not tell; without it, points are in thousandths and there is a
            system turn.
        timeout_s: for one try.
        retries: further tries after a broken connection, a timeout, 429 or 5xx, with short pauses.
        think_tokens: how long it may think before it answers; 0 asks a model that can be asked not to think.
        sampling: how tokens are chosen. The seed goes along with every question.

    Raises:
        InvalidOption: the address is none, or holds a key; `think_tokens` is negative.
    """

    def __init__(
        self, base_url: str, model: str, *, family: Family | None = None, timeout_s: float = 60.0, retries: int = 2,
        think_tokens: int = 0, sampling: Sampling | None = None,
    ):
        if think_tokens < 0:
            raise InvalidOption(f"think_tokens is not negative, got {think_tokens}")
        self.family, self._id = family or UNNAMED, model
        self._server = ChatServer(base_url, timeout_s=timeout_s, retries=retries)
        self._options = {"timeout_s": timeout_s, "retries": retries, "think_tokens": think_tokens}
        self._think_tokens, self._sampling = think_tokens, sampling or Sampling()
        self._takes_schema = True  # until it refuses one and then answers without

    def resized(self, width: int, height: int) -> tuple[int, int]:
        """By the family's rule; a server that was started with another pixel budget resizes otherwise."""
        return self.family.resize(width, height)

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """One answer for each question, in order; or `PlannerFailed` for the first without one, with all calls."""
        limit_s = self._server.limit_s * -(-len(questions) // THREADS) + 1.0
        outcomes = all_at_once(self._outcome, questions, threads=THREADS, limit_s=limit_s)
        failures = [outcome for outcome in outcomes if not isinstance(outcome, Answer)]
        if not failures:
            return outcomes
        calls = [call for outcome in outcomes if outcome is not None for call in _calls(outcome)]
        if failures[0] is None:
            raise PlannerFailed(f"{self._server.url} kept a question open for {limit_s:.3g} s: restart it", calls)
        raise PlannerFailed(str(failures[0]), calls)

    def describe(self) -> dict[str, Any]:
        """Plain types, and no key. Weights behind a server have no digest that could be vouched for."""
        return {
            "backend": "served", "server": self._server.url, **self._who(), **self._options,
            "sampling": asdict(self._sampling),
        }

    def _who(self) -> dict[str, Any]:
        return model_record(self, id=self._id, revision=None, digest=None)

    def _outcome(self, question: Question) -> Answer | PlannerFailed:
        """The answer; or why there is none, as a value, because it crosses threads."""
        exchange = _Exchange(question, time.monotonic() + self._server.limit_s)
        try:
            check_pictures(question, sees=self.family.sees)
        except PlannerFailed as reason:
            return reason
        try:
            value = self._ask(exchange)
        except PlannerFailed as reason:
            return PlannerFailed(f"{self._id}, {question.kind}: {reason}", [self._call(exchange, str(reason))])
        return Answer(value, self._call(exchange))

    def _ask(self, exchange: _Exchange) -> Mapping[str, Any]:
        refused = False
        if self._takes_schema:
            try:
                return self._read(exchange, in_prompt=False)
            except ServerRefused as reason:
                if reason.status not in _REFUSES_SCHEMA:
                    raise
                refused = True
                exchange.notes.append("it takes no schema, or not this one: asked again, the schema in the prompt")
            except _Astray as fault:
                said = exchange.reply.text[:_NOTED]
                exchange.notes.append(f"{fault}; it said {said!r}; asked again, the schema in the prompt")
        value = self._read(exchange, in_prompt=True)
        self._takes_schema &= not refused
        return value

    def _request(self, question: Question, *, in_prompt: bool) -> dict[str, Any]:
        sampling, family = self._sampling, self.family
        request: dict[str, Any] = {
            "model": self._id, "messages": _messages(question, family, in_prompt=in_prompt),
            "max_tokens": question.max_tokens + self._think_tokens, "temperature": sampling.temperature,
            "seed": sampling.seed,
        }
        if sampling.top_p < 1:
            request["top_p"] = sampling.top_p
        if template := family.template_arguments(thinking=self._think_tokens > 0):
            request["extra_body"] = {"chat_template_kwargs": template}
        if not in_prompt:
            schema = {"name": question.kind, "schema": dict(question.schema), "strict": True}
            request["response_format"] = {"type": "json_schema", "json_schema": schema}
        return request

    def _read(self, exchange: _Exchange, *, in_prompt: bool) -> dict[str, Any]:
        """One request, and the answer in its reply. Raises `_Astray` when that is whole and breaks the schema."""
        request = self._request(exchange.question, in_prompt=in_prompt)
        reply = self._server.complete(request, end_s=exchange.end_s, notes=exchange.notes)
        if reply.model not in ("", self._id):
            exchange.notes.append(f"it says that another model answered: {reply.model!r}")
        text, thinking = _split(reply.text, self.family)
        exchange.reply = reply = replace(reply, text=text, thinking=reply.thinking or thinking)
        if reply.finish == "length":
            budget = f"{request['max_tokens']} tokens"
            raise PlannerFailed(f"the reply is cut off after {budget}; a model that thinks needs think_tokens")
        if reply.finish in ("content_filter", "refusal"):
            raise PlannerFailed(f"it will not answer ({reply.finish}): {reply.text[:_NOTED]!r}")
        if not text.strip():
            raise PlannerFailed("the reply is empty")
        try:
            return read_answer(unfenced(text), exchange.question.schema)
        except PlannerFailed as fault:
            raise _Astray(str(fault)) from None

    def _call(self, exchange: _Exchange, error: str = "") -> dict[str, Any]:
        reply, seconds = exchange.reply, time.perf_counter() - exchange.started_s
        text = reply.text[:_KEPT] if error else reply.text
        return call_record(
            exchange.question, self, self._who(), reply=text, thinking=reply.thinking[:_KEPT], tokens=reply.tokens,
            seconds=seconds, notes=exchange.notes, error=error,
        )


class _Astray(PlannerFailed):
    """A whole reply that breaks its schema."""


def _messages(question: Question, family: Family, *, in_prompt: bool) -> list[dict[str, Any]]:
    """The turns of a question: text alone as a string, because some servers take nothing else from a text model."""
    parts: list[Any] = [*question.parts]
    if in_prompt:
        parts.append(_IN_PROMPT + json.dumps(question.schema, separators=(",", ":")))
    if not family.system_turn:
        parts.insert(0, question.system)
    if all(isinstance(part, str) for part in parts):
        content: Any = "\n\n".join(parts)
    else:
        content = [_part(part) for part in parts]
    user = {"role": "user", "content": content}
    return [{"role": "system", "content": question.system}, user] if family.system_turn else [user]


def _part(part: Any) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    return {"type": "image_url", "image_url": {"url": png_url(part.pixels)}}


def _split(text: str, family: Family) -> tuple[str, str]:
    """Answer and thinking, where a server leaves the thinking in the text."""
    if family.think is None:
        return text, ""
    opening, closing = (words.strip() for words in family.think)
    thinking, found, rest = text.partition(closing)
    return (rest, thinking.strip().removeprefix(opening)) if found else (text, "")


def _calls(outcome: Answer | PlannerFailed) -> tuple[Mapping[str, Any], ...]:
    return (outcome.call,) if isinstance(outcome, Answer) else outcome.calls
