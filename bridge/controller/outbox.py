"""Writes a controller's messages: one place that stamps the envelope and counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tandem.bridge.controller.traffic import Incoming, Outgoing
from tandem.bridge.wire.codec import encode
from tandem.bridge.wire.kinds import Port
from tandem.bridge.wire.message import Message
from tandem.bridge.wire.refusal import REMEDIES, Refused

LONGEST_DETAIL = 1000  # characters: a sender's own words may stand in it


def short(words: str) -> str:
    """Words that fit a message, whatever somebody has put into them."""
    return words if len(words) <= LONGEST_DETAIL else f"{words[:LONGEST_DETAIL - 3]}..."


class Outbox:
    """Collects messages until they are taken.

    Args:
        session: of the controller.
        standing: gives (epoch, lease token) of now.
    """

    def __init__(self, session: str, standing: Callable[[], tuple[int, int]]):
        self.session, self._standing = session, standing
        self._seq = dict.fromkeys(Port, 0)
        self._waiting: list[Outgoing] = []

    def send(
        self, port: Port, route: bytes, kind: str, now: int, *, attached: bytes | None = None, **fields: Any
    ) -> None:
        """One message, stamped with the present epoch and lease."""
        epoch, lease = self._standing()
        self._seq[port] += 1
        message = Message(kind, fields, self.session, epoch, lease, self._seq[port], now)
        self._waiting.append(Outgoing(port, route, encode(message), attached))

    def refuse(self, incoming: Incoming, number: int, reason: Refused, now: int) -> None:
        """Answer with the reason; `number` is the id or seq of what is refused."""
        self.send(
            incoming.port, incoming.route, "refused", now, id=number, code=str(reason.code),
            detail=short(reason.detail), remedy=REMEDIES[reason.code],
        )

    def take(self) -> list[Outgoing]:
        """All that waits, in order."""
        taken, self._waiting = self._waiting, []
        return taken
