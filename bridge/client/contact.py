"""Whom a client reaches and as whom."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tandem.bridge.contract.errors import InvalidOption
from tandem.bridge.keys import CONTROLLER, KeyPair, load_pair, load_public

_ENDPOINT = re.compile(r"tcp://([A-Za-z0-9_.:\[\]-]+):(\d{1,5})")


def is_endpoint(text: str) -> bool:
    """Whether the words name a controller's control socket, "tcp://HOST:PORT"."""
    found = _ENDPOINT.fullmatch(text)
    return found is not None and 0 < int(found[2]) < 65536


@dataclass(frozen=True)
class Contact:
    """An endpoint and, where it is guarded, the keys.

    Attributes:
        host: of the controller.
        port: of its control socket.
        mine: this side's pair, None for plain.
        controller: the controller's public key (z85), None for plain.
        ports: TCP ports to use instead of those that hello tells, by socket (a proxy's); None for none.
    """

    host: str
    port: int
    mine: KeyPair | None = None
    controller: str | None = None
    ports: Mapping[str, int] | None = None

    @classmethod
    def at(cls, endpoint: str, *, keys: Path | str | None = None, key: str = "commander") -> Contact:
        """From the words of a command line.

        Args:
            endpoint: "tcp://host:port" of the control socket.
            keys: folder with `KEY.key_secret` and `controller.key`; None for plain.
            key: name of this side's pair.

        Raises:
            InvalidOption: no such endpoint.
            KeyProblem: a key is missing, damaged or readable by others.
        """
        if not is_endpoint(endpoint):
            raise InvalidOption(f"{endpoint!r} is no endpoint of a controller; write tcp://HOST:PORT")
        found = _ENDPOINT.fullmatch(endpoint)
        host, port = found[1], int(found[2])
        if keys is None:
            return cls(host, port)
        folder = Path(keys)
        return cls(host, port, load_pair(folder, key), load_public(folder / f"{CONTROLLER}.key"))

    @property
    def is_ipv6(self) -> bool:
        """Whether the host is an IPv6 address."""
        return self.host.startswith("[")

    def endpoint(self, port: int | None = None) -> str:
        """Of the control socket, or of another port of the same host."""
        return f"tcp://{self.host}:{self.port if port is None else port}"
