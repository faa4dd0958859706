"""What a disturbance may change: the world between two steps, a command, a measurement, a picture.

Everything random is drawn from the generator of `reset`. A world is changed in `strike` alone, because a log stores the
state after it; and what a picture shows may depend on the time but not on who looked at it before.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from tandem.bridge.contract import InvalidOption

if TYPE_CHECKING:
    from tandem.sim.truth import Truth

_RANGES = (("earliest_s", "latest_s"), ("nearest_m", "furthest_m"), ("slowest_m_s", "fastest_m_s"))


@dataclass(frozen=True)
class Options:
    """When and how much. Numbers are finite and not negative, and the lower end of a range is not above the upper.

    Without the `NEEDED` ones nothing would happen, and the log would say that it did.
    """

    NEEDED: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self):
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, str) and not (np.isfinite(value) and value >= 0):
                raise InvalidOption(f"{field.name} must be a number of at least 0, got {value}")
            if field.name in self.NEEDED and not value:
                raise InvalidOption(f"{field.name} must be more than 0: with {value} nothing is disturbed")
        for low, high in _RANGES:
            if hasattr(self, low) and getattr(self, low) > getattr(self, high):
                raise InvalidOption(f"{low} ({getattr(self, low)}) must not be above {high} ({getattr(self, high)})")


class Disturbance:
    """Changes nothing; subclasses change one thing each.

    Args:
        options: a value of `Options`; None for the defaults.

    Attributes:
        name: as on the command line.
        Options: the class of its options.
        alters_view: it changes in the model what cameras show, such as their places or the light; no state holds that.
    """

    name = "none"
    alters_view = False
    Options: type[Options] = Options

    def __init__(self, options: Options | None = None):
        self.options = self.Options() if options is None else options

    def reset(self, rng: np.random.Generator, truth: Truth) -> None:
        """It begins to go wrong in this world, now; times are from now, and everything random comes from `rng`."""

    def leave(self, truth: Truth) -> None:
        """It goes wrong in this world no longer: undo what no state holds."""

    def strike(self, truth: Truth) -> str | None:
        """After a control step: change the world and say what happened, or None."""
        return None

    def command(self, action: np.ndarray) -> np.ndarray:
        """What reaches the robot instead of the action."""
        return action

    def measured(self, measured: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What is measured instead."""
        return measured

    def picture(self, camera: str, rgb: np.ndarray, depth: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
        """What the camera gives instead."""
        return rgb, depth
