"""How many messages met which fate."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Counts:
    """Messages of one port in one direction, all connections together. Commands and handshakes are not counted.

    Attributes:
        passed: went on to the receiver; copies are not counted.
        dropped: lost by `drop`.
        duplicated: copies that were made besides.
        reordered: were held back, so that others could overtake.
        delayed: were given a delay.
        discarded: lost to `half_open`.
    """

    passed: int = 0
    dropped: int = 0
    duplicated: int = 0
    reordered: int = 0
    delayed: int = 0
    discarded: int = 0
