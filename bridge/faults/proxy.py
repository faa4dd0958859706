"""A proxy between ZeroMQ peers on TCP that does on purpose what networks do by accident."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from tandem.bridge.contract.errors import InvalidOption, TandemError, UnknownName
from tandem.bridge.faults.counts import Counts
from tandem.bridge.faults.door import Door
from tandem.bridge.faults.fault import Direction, Fault
from tandem.bridge.faults.lane import MAX_WAITING
from tandem.bridge.faults.loop import Address, Loop
from tandem.bridge.faults.outages import Cut, Freeze, HalfOpen, Outage

log = logging.getLogger(__name__)
Answer = TypeVar("Answer")
_PATIENCE_S = 0.2  # between two looks whether the thread still lives


class ProxyFailed(TandemError):
    """The proxy's thread has ended of a mistake in it, or it is not running."""


class FaultProxy:
    """Listens on a local port for each port of a controller, and passes on both ways what the faults let through.

    Times of faults count from `start`. The switches may be called from any thread and are in force when they return;
    what a switch began only its counterpart ends, and what has a time ends at its time.

    Args:
        upstream_host: where the controller is.
        ports: its TCP ports by name.
        faults: what goes wrong; () for nothing until a switch is used.
        seed: of all that is drawn, at least 0.
        host: local address to listen on.
        max_waiting: bytes that may wait in one direction of one connection; then the sender is not read any more. The
            largest message is half of that.

    Raises:
        InvalidOption: no such host, or a seed or bound without a meaning.
        UnknownName: a fault strikes a port that is not there.
    """

    def __init__(self, upstream_host: str, ports: Mapping[str, int], faults: Sequence[Fault] = (), seed: int = 0, *,
                 host: str = "127.0.0.1", max_waiting: int = MAX_WAITING):
        if seed < 0 or max_waiting < 2**16:
            raise InvalidOption(f"seed must be at least 0 and max_waiting at least 65536, got {seed} and {max_waiting}")
        for fault in faults:
            if fault.only and fault.only not in ports:
                raise UnknownName("port", fault.only, ports)
        self._upstream = {name: _resolved(upstream_host, port) for name, port in ports.items()}
        self._faults, self._seed, self._host, self._max_waiting = tuple(faults), seed, host, max_waiting
        self._doors: list[Door] = []
        self._loop: Loop | None = None
        self._thread: threading.Thread | None = None
        self._failure: Exception | None = None

    def __enter__(self) -> FaultProxy:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen, and let clients in. Once only. Raises `InvalidOption` when the local address cannot be had."""
        if self._loop is not None:
            raise InvalidOption("a proxy starts once, as its decisions begin with its seed; make a new one")
        try:
            for name in self._upstream:
                self._doors.append(Door(name, self._host))
        except OSError as reason:
            self._close_doors()
            raise InvalidOption(f"cannot listen at {self._host}: {reason}; give host= an address of this computer"
                                ) from reason
        self._loop = Loop(self._upstream, self._doors, self._faults, self._seed, self._max_waiting)
        self._thread = threading.Thread(target=self._run, name="bridge-faults", daemon=True)
        self._thread.start()
        self._do(lambda: None)  # the doors are open when this returns

    def stop(self) -> None:
        """Close everything; what waits is lost. Allowed twice. Raises `ProxyFailed` if the thread failed meanwhile."""
        if self._loop is None or self._thread is None:
            return
        self._loop.post(self._loop.end)
        self._thread.join()
        self._thread = None
        if self._failure is not None:
            raise ProxyFailed(f"the proxy's thread has failed: {self._failure!r}") from self._failure

    @property
    def ports(self) -> dict[str, int]:
        """Local TCP port of each port, once started."""
        return {door.name: door.number for door in self._doors}

    @property
    def counts(self) -> dict[tuple[str, Direction], Counts]:
        """A copy of the counters, by port and direction; also after `stop`."""
        if self._loop is None:
            raise ProxyFailed("the proxy has not been started; call start() first")
        return {lane: replace(counts) for lane, counts in self._loop.counts.items()}

    @property
    def waiting(self) -> dict[tuple[str, Direction], int]:
        """Bytes that wait now, by port and direction, an allowance for each message included."""
        return self._do(lambda: self._loop.waiting())

    def freeze(self) -> None:
        """Nothing passes from now on, in either direction; connections stay."""
        self._begin(Freeze(0.0, 1.0))

    def thaw(self) -> None:
        """End `freeze`."""
        self._end(Freeze)

    def half_open(self) -> None:
        """What clients say is lost from now on."""
        self._begin(HalfOpen(0.0))

    def cut(self) -> None:
        """Reset every connection, and refuse new ones from now on."""
        self._begin(Cut(0.0, 1.0))

    def mend(self) -> None:
        """End `cut` and `half_open`."""
        self._end(Cut, HalfOpen)

    def _begin(self, fault: Outage) -> None:
        self._change(lambda: self._loop.outages.begin(fault))

    def _end(self, *kinds: type[Fault]) -> None:
        self._change(lambda: self._loop.outages.end(*kinds))

    def _change(self, change: Callable[[], None]) -> None:
        def make() -> None:
            change()
            self._loop.refresh()

        self._do(make)

    def _do(self, errand: Callable[[], Answer]) -> Answer:
        """Have something done in the loop's thread and wait for it."""
        if self._loop is None or self._thread is None:
            raise ProxyFailed("the proxy is not running; call start() first, or use it as a context manager")
        done, answers = threading.Event(), []

        def run() -> None:
            answers.append(errand())
            done.set()

        self._loop.post(run)
        while not done.wait(_PATIENCE_S):
            if not self._thread.is_alive():
                raise ProxyFailed(f"the proxy's thread has failed: {self._failure!r}") from self._failure
        return answers[0]

    def _run(self) -> None:
        try:
            self._loop.run()
        except Exception as reason:  # kept for stop(), which raises it
            log.exception("the proxy's thread has failed")
            self._failure = reason

    def _close_doors(self) -> None:
        for door in self._doors:
            door.close()
        self._doors.clear()


def _resolved(host: str, port: int) -> Address:
    try:
        family, _, _, _, address = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]
    except (OSError, OverflowError) as reason:
        raise InvalidOption(f"the controller's address {host}:{port} cannot be found: {reason}") from reason
    return family, address
