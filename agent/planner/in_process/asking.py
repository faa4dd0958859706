"""One question on its way to an answer: its prompt, its writer, what came of it, and the record of all that."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any

from tandem.agent.planner.answers import read_answer
from tandem.agent.planner.in_process.chat import Chat, Prompt
from tandem.agent.planner.in_process.free import Free
from tandem.agent.planner.in_process.grammar import Grammars, Guide
from tandem.agent.planner.in_process.options import Options
from tandem.agent.planner.in_process.reader import Read
from tandem.agent.planner.in_process.sampler import Sampler
from tandem.agent.planner.in_process.writer import Thought, Writer
from tandem.agent.planner.model import Model, Question
from tandem.agent.planner.record import call_record
from tandem.bridge.contract import PlannerFailed


@dataclass(frozen=True, eq=False)
class Asking:
    """A question, and the reply that is being written to it.

    Attributes:
        question: what was asked.
        prompt: as the model reads it, the forced beginning of the answer included.
        writer: of the reply.
    """

    question: Question
    prompt: Prompt
    writer: Writer

    def record(self, model: Model, who: Mapping[str, Any], read: Read | None, tokenizer: Any, seconds: float) -> dict:
        """The exchange for the log; its `error` says why the reply is no answer, empty when it is one."""
        writer, thought = self.writer, self.writer.thought
        reply = tokenizer.decode(writer.ids, skip_special_tokens=not writer.guided)
        error = self._fault(reply) if writer.finished and not writer.too_long else (
            f"{self.question.kind}: the answer of {who['id']} does not fit: {len(writer.ids)} tokens were written, "
            f"{writer.budget} are allowed (max_tokens {self.question.max_tokens}), and it ends with {reply[-60:]!r}"
        )
        return call_record(
            self.question, model, who, reply=reply, thinking=tokenizer.decode(thought.ids) if thought else "",
            tokens={"prompt": self.prompt.ids.shape[1], "cached": read.cached if read else 0,
                    "sampled": writer.sampled, "forced": writer.forced},
            seconds=seconds, error=error,
        )

    def _fault(self, reply: str) -> str:
        """What is wrong with a complete reply; nothing can be if a grammar guided it."""
        if self.writer.guided:
            return ""
        try:
            read_answer(reply, self.question.schema)
        except PlannerFailed as reason:
            return f"{self.question.kind}, written without a grammar: {reason}"
        return ""


class Desk:
    """Turns questions into askings, for one model.

    Args:
        chat: renders its prompts.
        grammars: of its tokenizer.
        options: of the model.
        context: tokens that prompt and reply may have together.
        stops: tokens that end any text of it.
        think: its thinking words, None when it is not to think.
    """

    def __init__(self, chat: Chat, grammars: Grammars, options: Options, context: int, stops: set[int],
                 think: tuple[str, str] | None):
        self._chat, self._grammars, self._options, self._context = chat, grammars, options, context
        self._stops, self._closing = stops, chat.encode(think[1]) if think else []
        self._sampler = Sampler(options.sampling)

    def with_options(self, options: Options) -> Desk:
        """The same desk, where tokens are chosen in another way."""
        twin = copy(self)
        twin._options, twin._sampler = options, Sampler(options.sampling)
        return twin

    @property
    def thinks(self) -> bool:
        """Whether replies begin with thoughts."""
        return bool(self._closing)

    def open(self, question: Question) -> Asking:
        """Render a question. Raises `PlannerFailed` with the numbers when it leaves no room for a reply."""
        self._refuse_a_flood(question)
        prompt = self._chat.prompt(question, thinking=self.thinks)
        thinking = self._options.think_tokens + len(self._closing) if self.thinks else 0
        room = self._context - prompt.ids.shape[1] - thinking
        if room < 1:
            raise PlannerFailed(
                f"{question.kind}: the question has {prompt.ids.shape[1]} tokens and thinking may take {thinking}, "
                f"the context holds {self._context}: ask in fewer words"
            )
        guide = Guide(self._grammars, question.schema) if self._options.grammar else Free(self._stops)
        writer = Writer(
            guide, self._sampler, min(question.max_tokens, room),
            self._thought() if self.thinks else None, self._options.write_forced,
        )
        return Asking(question, self._chat.followed_by(prompt, writer.opening()), writer)

    def _refuse_a_flood(self, question: Question) -> None:
        """Text that cannot fit even in tokens as long as they get is not worth cutting into tokens."""
        text = len(question.system) + sum(len(part) for part in question.parts if isinstance(part, str))
        fewest = text // self._grammars.longest_token
        if fewest > self._context:
            raise PlannerFailed(
                f"{question.kind}: the question has at least {fewest} tokens, the context holds {self._context}: "
                "ask in fewer words"
            )

    def _thought(self) -> Thought:
        return Thought(self._closing, self._options.think_tokens, self._stops, self._grammars.control,
                       self._grammars.vocabulary)


def value_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON object of a reply that fits."""
    return json.loads(record["reply"])
