"""How an exchange with a model is written down: verbatim, in plain types, the same from every backend.

A picture is named by the sha256 of its pixels, which is what the episode log calls it too. With the frame in which the
model writes points and the size that it resized to, a record can be answered again without the model (`cassette`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tandem.agent.planner.model import Model, Picture, Question
from tandem.bridge.contract import PlannerFailed


def picture_digest(pixels: np.ndarray) -> str:
    """sha256 of the array's own bytes, hex; equals the digest of the picture in an episode log."""
    return hashlib.sha256(np.ascontiguousarray(pixels).data).hexdigest()


def check_pictures(question: Question, *, sees: bool) -> None:
    """Raise `PlannerFailed` for a picture that is none, and for any picture when the model cannot see."""
    for part in question.parts:
        if isinstance(part, str):
            continue
        if not sees:
            raise PlannerFailed(
                f"{question.kind}: the model reads text only and was shown picture {part.name!r}: "
                "let a model that sees do the perceiving"
            )
        pixels = part.pixels
        if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
            found = f"{pixels.dtype} {pixels.shape}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
            raise PlannerFailed(f"{question.kind}: picture {part.name!r} must be uint8 (H, W, 3), got {found}")
        if not pixels.size:
            raise PlannerFailed(f"{question.kind}: picture {part.name!r} is empty: {pixels.shape}")


def parts_record(question: Question, model: Model) -> list[str | dict[str, Any]]:
    """The user's turn: text as it is; a picture by name, digest, size and the size that the model resizes it to."""
    return [part if isinstance(part, str) else _picture(part, model) for part in question.parts]


def _picture(picture: Picture, model: Model) -> dict[str, Any]:
    height, width = picture.pixels.shape[:2]
    return {
        "picture": picture.name, "sha256": picture_digest(picture.pixels), "size": [width, height],
        "resized": list(model.resized(width, height)),
    }


def model_record(model: Model, *, id: str, revision: str | None, digest: str | None) -> dict[str, Any]:
    """Who answered, and in which frame it writes points. None where it cannot be known (a server tells no digest)."""
    family = model.family
    return {
        "id": id, "revision": revision, "digest": digest, "family": family.name, "frame": str(family.frame),
        "sees": family.sees,
    }


def call_record(
    question: Question, model: Model, who: Mapping[str, Any], *, reply: str, thinking: str = "",
    tokens: Mapping[str, int | None], seconds: float, notes: Sequence[str] = (), error: str = "",
) -> dict[str, Any]:
    """One exchange, for `Answer.call` and `PlannerFailed.calls`.

    Args:
        question: what was asked.
        model: who was asked.
        who: its `model_record`.
        reply: the raw text.
        thinking: what it thought aloud first.
        tokens: `prompt`, `cached`, `sampled`, `forced`; None where it is not known.
        seconds: from question to answer.
        notes: what was unusual, in words: a repeated try, another way of asking.
        error: why the reply was refused, empty when it was not.
    """
    return {
        "kind": question.kind, "system": question.system, "parts": parts_record(question, model), "reply": reply,
        "thinking": thinking, "model": dict(who), "tokens": dict(tokens), "seconds": float(seconds),
        "notes": list(notes), "error": error,
    }
