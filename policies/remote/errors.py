"""What can go wrong between a policy and its server, one class a mistake."""

from __future__ import annotations

from tandem.bridge.contract import TandemError


class Undecodable(TandemError):
    """Bytes that are not what the wire says: damaged, too large, an array of objects, a shape that does not fit."""


class ServerUnresponsive(TandemError):
    """A policy server did not answer in time, or closed the connection. What it may still send is never used."""


class ServerRefused(TandemError):
    """A policy server answered with an error instead of actions.

    Args:
        words: as the server put it.
    """

    def __init__(self, words: str):
        self.words = words
        super().__init__(f"the server refused: {words}")
