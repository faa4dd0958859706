"""One reply being written: thoughts, if the model has any, then the answer under its grammar.

A writer knows no model. It takes the logits after the last token and gives the tokens to read next: the one that was
chosen and all that follow from it by force. No tokens mean that it is done.
"""

from __future__ import annotations

import torch

from tandem.agent.planner.in_process.free import Free
from tandem.agent.planner.in_process.grammar import Guide, apply, bitmask
from tandem.agent.planner.in_process.sampler import Sampler


class Thought:
    """Thinking aloud: free text within a budget, then the words that close it.

    Args:
        closing: tokens of the family's closing words; the first of them ends the thought.
        budget: tokens that it may have.
        stops: tokens that end any text.
        control: control tokens, which are no thoughts.
        vocabulary: size of the model's output.
    """

    def __init__(self, closing: list[int], budget: int, stops: set[int], control: set[int], vocabulary: int):
        self._closing, self._budget, self._ends = closing, budget, stops | {closing[0]}
        self.longest = budget + len(closing)
        self._mask = bitmask(vocabulary, forbidden=control - self._ends)
        self.ids: list[int] = []
        self.finished = False

    def next(self, logits: torch.Tensor, sampler: Sampler) -> list[int]:
        """The token to read next, or the closing words."""
        apply(self._mask, logits)
        token = sampler.choose(logits)
        if token in self._ends:
            self.finished = True
            return self._closing
        self.ids.append(token)
        self.finished = len(self.ids) >= self._budget
        return [token, *self._closing] if self.finished else [token]


class Writer:
    """Writes one reply.

    Args:
        guide: the grammar of the answer, or `Free` for none.
        sampler: chooses among what is allowed.
        budget: tokens that the answer may have.
        thought: comes first; None for an answer without.
        write_forced: append forced text without asking the model.
    """

    def __init__(self, guide: Guide | Free, sampler: Sampler, budget: int, thought: Thought | None, write_forced: bool):
        self._guide, self._sampler, self.budget, self.thought = guide, sampler, budget, thought
        self._write_forced = write_forced
        self.ids: list[int] = []
        self.sampled = self.forced = 0

    @property
    def guided(self) -> bool:
        """A grammar has the last word on every token."""
        return isinstance(self._guide, Guide)

    @property
    def longest(self) -> int:
        """Tokens that the reply may have, a forced ending that goes beyond its budget not counted."""
        return self.budget + (self.thought.longest if self.thought is not None else 0)

    @property
    def finished(self) -> bool:
        """The answer is complete."""
        return self._guide.finished

    @property
    def too_long(self) -> bool:
        """The answer does not fit: its budget is used up before it is complete, or its forced ending goes beyond."""
        return len(self.ids) >= self.budget + self.finished

    def opening(self) -> list[int]:
        """What the grammar forces at the very start; read together with the prompt."""
        return [] if self.thought is not None else self._follow()

    def next(self, logits: torch.Tensor) -> list[int]:
        """Tokens to read next, given logits (V,) after the last one; none when the reply has come to its end."""
        if self.thought is not None and not self.thought.finished:
            tokens = self.thought.next(logits, self._sampler)
            self.sampled += 1
            return tokens + self._follow() if self.thought.finished else tokens
        if self.finished or self.too_long:
            return []
        token = self._sampler.choose(self._guide.restrict(logits))
        self._guide.accept(token)
        self.ids.append(token)
        self.sampled += 1
        tokens = [token, *self._follow()]
        return [] if self.finished or self.too_long else tokens

    def _follow(self) -> list[int]:
        tokens = self._guide.forced() if self._write_forced else []
        self.ids += tokens
        self.forced += len(tokens)
        return tokens
