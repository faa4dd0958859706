"""What a policy needs of a wire: one interface for all of them."""

from __future__ import annotations

from typing import Protocol

from tandem.policies.remote.mapping import Told
from tandem.policies.remote.question import Question, Reply


class Link(Protocol):
    """One server over one wire. One request is outstanding at a time; after a failure the connection is a new one.

    Every method raises `ServerUnresponsive` (no answer within the timeout, or the connection ended), `ServerRefused`
    (an error instead of an answer) or `Undecodable`.

    Attributes:
        address: of the server, for messages.
    """

    address: str

    def connect(self) -> Told | None:
        """Connect and hear what the server tells of itself; None when the connection stands already."""

    def reset(self, epoch: int) -> None:
        """Have the server forget the episode, and wait until it says so where the wire has words for that."""

    def ask(self, question: Question, epoch: int, request_id: int) -> Reply:
        """One chunk."""

    def drop(self) -> None:
        """Close the connection. What the server may still send on it is never read."""
