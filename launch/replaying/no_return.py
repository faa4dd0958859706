"""The point of no return: the last step of a failed episode from which success is still likely.

Found by bisection, which assumes that chances only fall; the curve of what was tried is kept, so that a reader can see
whether they did.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
from replaying.logged import Logged

from tandem.agent.evaluation.statistics import wilson
from tandem.bridge.contract import InvalidOption
from tandem.bridge.log.atomic import replacing
from tandem.sim.replay import frames

LIKELY = 0.5
CAMERA, SIZE = "spectator", (640, 480)


@dataclass(frozen=True)
class Chance:
    """How many of the branches from a step succeeded."""

    step: int
    successes: int
    trials: int

    @property
    def likely(self) -> bool:
        """At least half of them did."""
        return self.successes >= LIKELY * self.trials

    def to_dict(self) -> dict[str, Any]:
        """Plain types, with Wilson's 95 % interval."""
        low, high = wilson(self.successes, self.trials)
        return {"step": self.step, "successes": self.successes, "trials": self.trials, "low": low, "high": high}


@dataclass(frozen=True)
class NoReturn:
    """What was found.

    Attributes:
        step: the last step from which success is likely; None when it was never likely.
        exact_to: the next step that was tried, from which it is not, lies so many steps later.
        curve: every step that was tried, in order.
    """

    step: int | None
    exact_to: int
    curve: tuple[Chance, ...]

    @property
    def words(self) -> str:
        """For people."""
        if self.step is None:
            return "success was not likely from any step"
        if not self.exact_to:
            return f"success was still likely from the last step, {self.step}"
        return f"from step {self.step} success was still likely, {self.exact_to} steps later no more"

    def to_dict(self) -> dict[str, Any]:
        """Plain types."""
        curve = [chance.to_dict() for chance in self.curve]
        return {"step": self.step, "exact_to": self.exact_to, "words": self.words, "curve": curve}


def search(chance_at: Callable[[int], Chance], last: int, resolution: int) -> NoReturn:
    """Bisect the steps 0 to `last`.

    Args:
        chance_at: tries a step.
        last: of the log.
        resolution: stop when the answer is known to so many steps.
    """
    if resolution < 1:
        raise InvalidOption(f"--resolution must be at least 1 step, got {resolution}")
    tried = {0: chance_at(0)}
    low, high = 0, last
    if tried[0].likely:
        tried[last] = chance_at(last)
        while not tried[last].likely and high - low > resolution:
            middle = (low + high) // 2
            tried[middle] = chance_at(middle)
            low, high = (middle, high) if tried[middle].likely else (low, middle)
    curve = tuple(tried[step] for step in sorted(tried))
    if not tried[0].likely:
        return NoReturn(None, 0, curve)
    return NoReturn(last, 0, curve) if tried[last].likely else NoReturn(low, high - low, curve)


def write_frame(logged: Logged, step: int, path: Path) -> None:
    """What the world looked like at the start of a step, as PNG."""
    (picture,) = frames(logged.world.model, logged.states[step : step + 1], CAMERA, *SIZE)
    done, data = cv2.imencode(".png", picture[..., ::-1])
    if not done:
        raise InvalidOption(f"no picture can be made for {path}")
    with replacing(path) as draft:
        draft.write_bytes(data.tobytes())
