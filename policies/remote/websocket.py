"""One websocket connection in lock-step, every wait bounded. For openpi's and vla-eval's wires.

Pings of the server are answered by a thread of the library's own, whatever the policy does. The client sends none: a
server of openpi's computes on the thread that would have to answer them (openpi issue 717).
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Mapping

from tandem.bridge.contract import MissingDependency
from tandem.policies.remote.arrays import MAX_FRAME
from tandem.policies.remote.errors import ServerUnresponsive

try:
    from websockets.exceptions import WebSocketException
    from websockets.sync.client import ClientConnection, connect
except ModuleNotFoundError as reason:
    raise MissingDependency("Python module 'websockets'", "pip install 'tandem[remote]'") from reason

_GOODBYE_S = 0.2


class WebSocket:
    """See the module.

    Args:
        address: "ws://host:port" or "wss://host:port".
        timeout_s: for connecting, for each message sent and for each received.
        headers: of the opening request.
    """

    def __init__(self, address: str, timeout_s: float, headers: Mapping[str, str] | None = None):
        self.address, self._timeout_s, self._headers = address, timeout_s, dict(headers or {})
        self._connection: ClientConnection | None = None
        self._ending = contextlib.ExitStack()

    @property
    def is_open(self) -> bool:
        """Whether there is a connection, as far as this side knows."""
        return self._connection is not None

    def open(self) -> None:
        """Connect. Raises `ServerUnresponsive`."""
        try:
            connection = self._ending.enter_context(connect(
                self.address, compression=None, max_size=MAX_FRAME, open_timeout=self._timeout_s,
                close_timeout=_GOODBYE_S, ping_interval=None, additional_headers=self._headers, proxy=None,
            ))
        except (OSError, WebSocketException, EOFError) as reason:
            raise ServerUnresponsive(f"{self.address}: cannot connect: {_words(reason)}") from reason
        self._bound_sending(connection.socket)
        self._connection = connection

    def receive(self) -> bytes | str:
        """The next message; text comes as `str`. Raises `ServerUnresponsive`, and the connection is closed."""
        try:
            return self._connection.recv(timeout=self._timeout_s)
        except (OSError, WebSocketException, EOFError) as reason:
            self.drop()
            late = isinstance(reason, TimeoutError)
            why = f"no answer within {self._timeout_s:g} s" if late else _words(reason)
            raise ServerUnresponsive(f"{self.address}: {why}") from reason
        except BaseException:
            self.drop()  # Ctrl-C: what comes after it answers nothing
            raise

    def send(self, frame: bytes) -> None:
        """Send a message, unless the server has spoken out of turn. Raises `ServerUnresponsive`."""
        try:
            self._connection.recv(timeout=0)
        except TimeoutError:
            pass
        except (OSError, WebSocketException, EOFError) as reason:
            self.drop()
            raise ServerUnresponsive(f"{self.address}: {_words(reason)}") from reason
        else:
            self.drop()
            raise ServerUnresponsive(f"{self.address}: an answer to nothing that was asked; connecting anew")
        try:
            self._connection.send(frame)
        except (OSError, WebSocketException) as reason:
            self.drop()
            raise ServerUnresponsive(f"{self.address}: cannot send: {_words(reason)}") from reason
        except BaseException:
            self.drop()
            raise

    def exchange(self, frame: bytes) -> bytes | str:
        """Send one message and receive one."""
        self.send(frame)
        return self.receive()

    def drop(self) -> None:
        """Close. What the server may still send is never read."""
        self._connection = None
        self._ending.close()

    def _bound_sending(self, plain: socket.socket) -> None:
        """A server that does not read must not hold a sender for ever; the library has no timeout for that."""
        seconds, rest = divmod(self._timeout_s, 1.0)
        with contextlib.suppress(OSError):  # closed already: receiving will say why
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", int(seconds), int(rest * 1e6)))


def _words(reason: BaseException) -> str:
    return str(reason) or type(reason).__name__
