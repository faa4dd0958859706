"""A client's connection and the one to the controller that stands for it: two sockets and a lane in each direction."""

from __future__ import annotations

import contextlib
import errno
import math
import os
import selectors
import socket
import struct
from collections.abc import Mapping

from tandem.bridge.faults.fault import Direction
from tandem.bridge.faults.lane import Lane
from tandem.bridge.faults.outages import Outages

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
_CHUNK = 64 * 1024  # bytes of one read
_RESET = struct.pack("ii", 1, 0)  # linger for no time: closing sends RST


class Way:
    """From one socket through a lane to the other."""

    def __init__(self, source: socket.socket, target: socket.socket, lane: Lane):
        self.source, self.target, self.lane = source, target, lane
        self._ended = False  # the source says nothing more
        self._finished = False  # and the target was told so

    @property
    def over(self) -> bool:
        """Nothing will come through any more."""
        return self._finished

    @property
    def wants_read(self) -> bool:
        """Whether there is room for more."""
        return not self._ended and self.lane.room > 0

    def pull(self, now_s: float) -> None:
        """Read what there is, as far as there is room. Raises `NotZmtp`."""
        try:
            data = self.source.recv(min(_CHUNK, self.lane.room))
        except BlockingIOError:
            return
        except OSError:  # reset by its owner: what it said before still counts
            data = b""
        if data:
            self.lane.take(data, now_s)
        else:
            self._ended = True

    def push(self) -> None:
        """Write what is due, as far as it is taken; tell the target when that was the last."""
        try:
            while buffers := self.lane.ready():
                self.lane.written(self.target.sendmsg(buffers))
        except BlockingIOError:
            return
        except OSError:  # the target is gone, which the other way finds out by reading
            self.lane.abandon()
        if self._ended and self.lane.drained and not self._finished:
            self._finished = True
            with contextlib.suppress(OSError):  # not connected any more: it knows
                self.target.shutdown(socket.SHUT_WR)


class Connection:
    """See the module. The selector's data of both sockets is the connection.

    Args:
        port: name of the port.
        client: the accepted socket.
        address: of the controller, as `socket.connect` takes it.
        family: of that address.
        lanes: for both directions.
        selector: of the loop.

    Attributes:
        port: name of the port.
        closed: there is nothing left of it.
    """

    def __init__(self, port: str, client: socket.socket, address: tuple, family: int, lanes: Mapping[Direction, Lane],
                 selector: selectors.BaseSelector):
        self.port, self._client, self._selector = port, client, selector
        self._upstream = socket.socket(family, socket.SOCK_STREAM)
        for end in (self._client, self._upstream):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._ways = {
            Direction.TO_CONTROLLER: Way(self._client, self._upstream, lanes[Direction.TO_CONTROLLER]),
            Direction.TO_CLIENT: Way(self._upstream, self._client, lanes[Direction.TO_CLIENT]),
        }
        self._watched: dict[socket.socket, int] = {self._client: 0, self._upstream: 0}
        self._connected = self.closed = False
        self._dial(address)

    def next_due_s(self, outages: Outages) -> float:
        """When something is due next that may pass; infinity for never."""
        return min((way.lane.next_due_s for direction, way in self._ways.items()
                    if (self.port, direction) not in outages.frozen), default=math.inf)

    def waiting(self, direction: Direction) -> int:
        """Bytes that wait in this direction."""
        return self._ways[direction].lane.waiting

    def handle(self, ready: socket.socket, events: int, now_s: float) -> None:
        """A socket is ready. Raises `NotZmtp`, and `OSError` if nobody is at the controller."""
        if ready is self._upstream and not self._connected:
            self._check_dialled(ready.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
        if events & READ and self._connected:
            for way in self._ways.values():
                if way.source is ready:
                    way.pull(now_s)

    def turn(self, now_s: float, outages: Outages) -> None:
        """Pass on what is due, and say to the selector what to wait for."""
        reads, writes = set(), set()
        for direction, way in self._ways.items():
            lane = (self.port, direction)
            if lane in outages.frozen:
                continue
            way.lane.release(now_s, discard=lane in outages.discarding)
            if self._connected:
                way.push()
            if way.wants_read:
                reads.add(way.source)
            if way.lane.ready():
                writes.add(way.target)
        if all(way.over for way in self._ways.values()) or self._maimed(outages):
            self.close()
            return
        for end in self._watched:
            dialling = not self._connected and end is self._upstream
            self._watch(end, WRITE if dialling else READ * (end in reads) | WRITE * (end in writes))

    def abort(self) -> None:
        """Reset both sockets; nothing more is passed on."""
        for end in self._watched:
            with contextlib.suppress(OSError):  # reset by its owner already
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.close()

    def close(self) -> None:
        """Close both sockets. Allowed twice."""
        for end in self._watched:
            self._watch(end, 0)
            end.close()
        self.closed = True

    def _dial(self, address: tuple) -> None:
        self._check_dialled(self._upstream.connect_ex(address))

    def _check_dialled(self, code: int) -> None:
        if code not in (0, errno.EINPROGRESS):
            self.abort()
            raise OSError(code, os.strerror(code))
        self._connected = code == 0

    def _maimed(self, outages: Outages) -> bool:
        """It lost part of its handshake, and now nothing is lost any more: only a new one helps."""
        return any(way.lane.maimed and (self.port, direction) not in outages.discarding
                   for direction, way in self._ways.items())

    def _watch(self, end: socket.socket, events: int) -> None:
        before, self._watched[end] = self._watched[end], events
        if before == events:
            return
        if not before:
            self._selector.register(end, events, self)
        elif events:
            self._selector.modify(end, events, self)
        else:
            self._selector.unregister(end)
