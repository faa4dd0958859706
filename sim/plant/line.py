"""A line between two processes: small messages (msgpack), whole and in order. Neither side ever waits for the other.

It is also how one side learns that the other is gone, whatever it died of: the line is closed then.
"""

from __future__ import annotations

import select
import socket
from collections import deque
from typing import Any

import msgpack

from tandem.bridge.contract import InvalidOption

LIMIT = 128 * 1024  # bytes of a message: what a socket takes at once
HELLO, NOTICE = -1, -2  # instead of the number of a question: ready; something happened


class Line:
    """One end.

    Args:
        end: a socket of kind SEQPACKET.

    Attributes:
        closed: the other side is gone.
    """

    def __init__(self, end: socket.socket):
        end.setblocking(False)
        self._end, self._waiting = end, deque[bytes]()
        self.closed = False
        self._bell = select.poll()
        self._bell.register(end, select.POLLIN)

    @classmethod
    def pair(cls) -> tuple[Line, socket.socket]:
        """This side's end, and the other's."""
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return cls(mine), theirs

    @classmethod
    def of(cls, descriptor: int) -> Line:
        """The end that was handed to this process."""
        return cls(socket.socket(fileno=descriptor))

    def send(self, *message: Any) -> None:
        """Send it, now or when there is room. Raises `InvalidOption` when it is no plain data, or too much."""
        try:
            frame = msgpack.packb(message)
        except (TypeError, ValueError, OverflowError) as reason:
            raise InvalidOption(f"only plain data can be sent: {reason}") from reason
        if len(frame) > LIMIT:
            raise InvalidOption(f"a message of {len(frame)} bytes, at most {LIMIT} can be sent")
        self._waiting.append(frame)
        self._flush()

    def _flush(self) -> None:
        while self._waiting and not self.closed:
            try:
                self._end.send(self._waiting[0])
            except BlockingIOError:
                return
            except (BrokenPipeError, ConnectionResetError):
                self.closed = True
                return
            self._waiting.popleft()

    def receive(self) -> list[list[Any]]:
        """All messages that have come."""
        if self._waiting:
            self._flush()
        messages = []
        while not self.closed:
            try:
                frame = self._end.recv(LIMIT)
            except BlockingIOError:
                break
            except ConnectionResetError:
                frame = b""
            if not frame:
                self.closed = True
                break
            messages.append(msgpack.unpackb(frame, strict_map_key=False))
        return messages

    def wait(self, seconds: float) -> None:
        """Until a message comes, or for so long."""
        self._bell.poll(max(0.0, seconds) * 1e3)

    def close(self) -> None:
        """Hang up."""
        self.closed = True
        self._end.close()
