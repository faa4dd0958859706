"""A local port at which clients are let in, or refused for a while without losing the port."""

from __future__ import annotations

import socket

BACKLOG = 64


class Door:
    """See the module; shut at first.

    Args:
        name: of the port.
        host: local address.

    Attributes:
        name: of the port.
        number: TCP port, any that was free.
    """

    def __init__(self, name: str, host: str):
        self.name = name
        self._family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # Bound and never listening, it keeps others from the port while nobody listens there; Linux also never picks
        # such a port for a connection, so that no client that tries again can end up connected to itself.
        self._keeper = self._bound((host, 0))
        self._address = self._keeper.getsockname()
        self.number: int = self._address[1]
        self.listener: socket.socket | None = None

    def open(self) -> None:
        """Let clients in."""
        if self.listener is None:
            self.listener = self._bound(self._address)
            self.listener.setblocking(False)
            self.listener.listen(BACKLOG)

    def shut(self) -> None:
        """From now on who connects is refused (RST)."""
        if self.listener is not None:
            self.listener.close()
            self.listener = None

    def close(self) -> None:
        """Give the port back."""
        self.shut()
        self._keeper.close()

    def _bound(self, address: tuple) -> socket.socket:
        bound = socket.socket(self._family, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind(address)
        except OSError:
            bound.close()
            raise
        return bound
