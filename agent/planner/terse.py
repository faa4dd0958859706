"""For a model that was made for these prompts: the system text is the name of the question and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tandem.agent.planner.model import Answer, Model, Question


def terse(question: Question) -> Question:
    """The question, with its kind for a system text."""
    return replace(question, system=question.kind)


class Terse:
    """Asks a model tersely. Satisfies `Model`.

    Args:
        model: what answers.
    """

    def __init__(self, model: Model):
        self._model, self.family = model, model.family

    def resized(self, width: int, height: int) -> tuple[int, int]:
        """As the model resizes."""
        return self._model.resized(width, height)

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """As the model answers when it is asked so."""
        return self._model.answer([terse(question) for question in questions])

    def describe(self) -> dict[str, Any]:
        """The model, and that it is asked so."""
        return {**self._model.describe(), "terse": True}
