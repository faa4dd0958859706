"""What a planner asks of a vision-language model, whatever runs it: a question in, an answer under a schema out.

A backend (`in_process`, `served`, `cassette`) is a file that satisfies `Model`; `check_model` states its laws. Prompts,
schemas and plans are made elsewhere and are the same for every backend, in deployment and in training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from tandem.agent.planner.family import Family


@dataclass(frozen=True, eq=False)
class Picture:
    """An image in a question.

    Attributes:
        name: of the camera, for the log.
        pixels: uint8 (H, W, 3) RGB, as the camera gave it; the backend resizes as its family does.
    """

    name: str
    pixels: np.ndarray


@dataclass(frozen=True, eq=False)
class Question:
    """One turn to answer. Questions share no memory: all that matters is in here.

    Attributes:
        kind: name of the prompt: "perceive", "plan", "replan" or "judge".
        system: the part that is the same in every question of its kind, so that its prefix can be kept.
        parts: the user's turn, text and pictures in reading order.
        schema: JSON schema that the answer must satisfy.
        max_tokens: of the answer; an answer that does not fit is a failure, never cut.
    """

    kind: str
    system: str
    parts: tuple[str | Picture, ...]
    schema: Mapping[str, Any]
    max_tokens: int = 1024


@dataclass(frozen=True, eq=False)
class Answer:
    """What the model said.

    Attributes:
        value: the JSON object, which satisfies the question's schema.
        call: the exchange verbatim, plain types only, for the log: `kind`, `system`, `parts` (text, or the name and
            sha256 of a picture), `reply` (raw text), `thinking`, `model` (id, revision, digest), `tokens` (prompt,
            cached, sampled, forced) and `seconds`.
    """

    value: Mapping[str, Any]
    call: Mapping[str, Any]


@runtime_checkable
class Model(Protocol):
    """Answers questions under their schemas. Raises `PlannerFailed` rather than giving any other answer.

    Attributes:
        family: how its kind of model writes points and whether it sees.
    """

    family: Family

    def resized(self, width: int, height: int) -> tuple[int, int]:
        """Width and height that a picture of this size has after the family's own resizing."""

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """One answer for each question, in order; together, where the backend can."""

    def describe(self) -> dict[str, Any]:
        """What a log must say of it: id, revision, digest of the weights, device, sampling. Plain types only."""
