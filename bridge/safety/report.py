"""What a stage of the chain changed or refused, and why: the stream that no command passes without."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Report:
    """One change.

    Attributes:
        stage: name of the stage: age, range, splice, shaping, collision, silence, ...
        code: what it did, in a word: dropped, clamped, braked, stopped, ...
        detail: in plain words, with numbers.
        chunk: seq of the chunk that it concerns, 0 for none.
    """

    stage: str
    code: str
    detail: str
    chunk: int = 0
