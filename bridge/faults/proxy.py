"""The proxy: one thread between the client's sockets and the controller's."""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence

from tandem.bridge.contract.errors import InvalidOption
from tandem.bridge.faults.dice import Dice
from tandem.bridge.faults.fault import CLIENT, CONTROLLER, Cut, Fault, Freeze, HalfOpen
from tandem.bridge.faults.lane import Lane
from tandem.bridge.faults.zmtp import NotZmtp

TURN_S = 0.05
CONNECT_S = 2.0


class FaultProxy:
    """Forwards each port, and does what the faults say. Use it as a context manager, or call `start` and `stop`.

    Args:
        host: of the controller.
        ports: TCP port of each of its sockets by name, as its hello tells.
        faults: what goes wrong.
        seed: determines which messages are struck.
        listen: address at which clients reach the proxy.

    Attributes:
        ports: TCP port of each socket at the proxy.
        counts: messages by (socket, direction) and by what happened: passed, dropped, duplicated, reordered, lost.
    """

    def __init__(
        self, host: str, ports: Mapping[str, int], faults: Sequence[Fault] = (), seed: int = 0, *,
        listen: str = "127.0.0.1",
    ):
        if seed < 0:
            raise InvalidOption(f"a seed is a whole number of at least 0, got {seed}")
        self._host, self._upstream, self._faults, self._seed = host, dict(ports), tuple(faults), seed
        self._selector = selectors.DefaultSelector()
        self._listeners = {name: socket.create_server((listen, 0)) for name in ports}
        self.ports = {name: listener.getsockname()[1] for name, listener in self._listeners.items()}
        self.counts: dict[tuple[str, str], Counter[str]] = {
            (name, towards): Counter() for name in ports for towards in (CONTROLLER, CLIENT)
        }
        self._pairs: list[tuple[str, Lane, Lane]] = []
        self._connections: Counter[str] = Counter()
        self._frozen, self._is_cut, self._half_open, self._over = False, False, False, False
        self._begin_s = 0.0
        self._thread = threading.Thread(target=self._carry, name="fault-proxy", daemon=True)

    def start(self) -> None:
        """Begin to forward; the faults' seconds count from now."""
        self._begin_s = time.monotonic()
        for name, listener in self._listeners.items():
            listener.setblocking(False)
            self._selector.register(listener, selectors.EVENT_READ, name)
        self._thread.start()

    def stop(self) -> None:
        """Break every connection and end."""
        self._over = True
        if self._thread.is_alive():
            self._thread.join()
        for listener in self._listeners.values():
            listener.close()
        self._selector.close()

    def __enter__(self) -> FaultProxy:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def freeze(self) -> None:
        """Nothing passes until `thaw`."""
        self._frozen = True

    def thaw(self) -> None:
        """All that waited comes."""
        self._frozen = False

    def cut(self) -> None:
        """Connections break, and none can be made until `mend`."""
        self._is_cut = True

    def mend(self) -> None:
        """Connections can be made again."""
        self._is_cut = False

    def half_open(self) -> None:
        """What clients send from now on is lost."""
        self._half_open = True

    def _now_within(self, kind: type[Freeze] | type[Cut], port: str, towards: str) -> bool:
        t = time.monotonic() - self._begin_s
        return any(
            isinstance(fault, kind) and fault.strikes(port, towards) and fault.at_s <= t < fault.at_s + fault.seconds
            for fault in self._faults
        )

    def _lost(self, port: str) -> bool:
        t = time.monotonic() - self._begin_s
        return self._half_open or any(
            isinstance(fault, HalfOpen) and fault.strikes(port, CONTROLLER) and fault.at_s <= t
            for fault in self._faults
        )

    def _carry(self) -> None:
        while not self._over:
            for key, _ in self._selector.select(self._pause_s()):
                if isinstance(key.data, str):
                    self._connect(key.data)
                else:
                    self._readable(*key.data)
            self._turn()
        for pair in list(self._pairs):
            self._break(pair)

    def _pause_s(self) -> float:
        now = time.monotonic()
        due = [lane.due_s() for _, up, down in self._pairs for lane in (up, down)]
        soonest = min((moment - now for moment in due if moment is not None), default=TURN_S)
        blocked = any(lane.blocked for _, up, down in self._pairs for lane in (up, down))
        return max(0.001 if self._frozen or blocked else 0.0, min(soonest, TURN_S))

    def _connect(self, name: str) -> None:
        client, _ = self._listeners[name].accept()
        if self._is_cut or self._now_within(Cut, name, CONTROLLER):
            _reset(client)
            return
        try:
            upstream = socket.create_connection((self._host, self._upstream[name]), CONNECT_S)
        except OSError:
            _reset(client)  # as the controller would
            return
        number = self._connections[name]
        self._connections[name] += 1
        for side in (client, upstream):
            side.setblocking(False)
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        up, down = (
            Lane(source, target, Dice(self._faults, self._seed, name, number, towards), self.counts[name, towards])
            for source, target, towards in ((client, upstream, CONTROLLER), (upstream, client, CLIENT))
        )
        pair = (name, up, down)
        self._pairs.append(pair)
        self._selector.register(client, selectors.EVENT_READ, (pair, up))
        self._selector.register(upstream, selectors.EVENT_READ, (pair, down))

    def _readable(self, pair: tuple[str, Lane, Lane], lane: Lane) -> None:
        name, up, _ = pair
        if pair not in self._pairs or lane.full:
            return
        up.lost = self._lost(name)
        try:
            alive = lane.read(time.monotonic())
        except NotZmtp:
            alive = False
        if not alive:
            self._break(pair)

    def _turn(self) -> None:
        now = time.monotonic()
        for pair in list(self._pairs):
            name, up, down = pair
            if self._is_cut or self._now_within(Cut, name, CONTROLLER):
                self._break(pair)
                continue
            for lane, towards in ((up, CONTROLLER), (down, CLIENT)):
                frozen = self._frozen or self._now_within(Freeze, name, towards)
                if not frozen and pair in self._pairs and not lane.write(now):
                    self._break(pair)

    def _break(self, pair: tuple[str, Lane, Lane]) -> None:
        if pair not in self._pairs:
            return
        self._pairs.remove(pair)
        for side in (pair[1].source, pair[1].target):
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(side)
            _reset(side)


def _reset(side: socket.socket) -> None:
    """Close with RST, as a cable that was pulled is found out."""
    with contextlib.suppress(OSError):
        side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    side.close()
