"""How much memory a model needs, and the refusal of one that does not fit, before a byte of it is downloaded."""

from __future__ import annotations

from dataclasses import dataclass

from tandem.bridge.contract.errors import ModelUnusable

GB = 1e9


@dataclass(frozen=True)
class Need:
    """Bytes that a model needs.

    Attributes:
        parameters: how many numbers it consists of.
        weights: its parameters, in the number format that is used.
        cache: keys and values that are kept.
        working: activations while it reads.
    """

    parameters: int
    weights: int
    cache: int
    working: int

    @property
    def total(self) -> int:
        """All together."""
        return self.weights + self.cache + self.working


def require_room(name: str, need: Need, free: int, reserved_gb: float, *, device: str, remedy: str) -> None:
    """Raise `ModelUnusable`, with the numbers, when a model does not fit beside what is reserved.

    Args:
        name: of the model.
        need: its own.
        free: bytes that could be taken now.
        reserved_gb: gigabytes of them that are left for others.
        device: where, in words.
        remedy: what would fit.
    """
    if need.total > free - int(reserved_gb * GB):
        raise ModelUnusable(
            f"{name} does not fit on {device}: {need.parameters / 1e9:.2f} billion parameters need "
            f"{need.weights / GB:.2f} GB, keys and values {need.cache / GB:.2f} GB, activations "
            f"{need.working / GB:.2f} GB, together {need.total / GB:.2f} GB; {free / GB:.2f} GB are free and "
            f"{reserved_gb:.2f} GB are reserved. {remedy}"
        )
