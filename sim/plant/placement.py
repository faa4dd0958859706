"""The options of a reset, as they come from anywhere, made into what both processes are told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tandem.bridge.contract import InvalidOption

KNOWN: Mapping[str, tuple[type, ...]] = {"difficulty": (int, float), "feasible": (bool,), "instruction": (str,)}
LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True)
class Placement:
    """A world to draw.

    Attributes:
        seed: determines everything.
        options: those of `Simulation.reset` that were given.
    """

    seed: int
    options: dict[str, Any]

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> Placement:
        """From {"seed", "difficulty", "feasible", "instruction"}, each of which may be None or missing.

        A missing seed is drawn here, once for both processes. Raises `InvalidOption`.
        """
        given = {name: value for name, value in arguments.items() if name != "id" and value is not None}
        seed = given.pop("seed", None)
        seed = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed
        if type(seed) is not int or not 0 <= seed <= LARGEST_SEED:
            raise InvalidOption(f"a seed is a whole number of at least 0, got {str(seed)[:40]}")
        for name, value in given.items():
            if name not in KNOWN:
                raise InvalidOption(f"unknown reset option {name[:40]!r}; known: seed, {', '.join(KNOWN)}")
            if type(value) not in KNOWN[name]:
                wanted = " or ".join(kind.__name__ for kind in KNOWN[name])
                raise InvalidOption(f"reset option {name} is a {wanted}, got {str(value)[:40]!r}")
        return cls(seed, given)
