"""Writes a capture: an MCAP file with a channel for each socket, direction and connection, bytes as they were.

Opened by Foxglove and every MCAP tool; message encoding "msgpack". Flushed twice a second: a kill costs no more. On a
full disk the capture ends, which is said at once and again at the end; the controller goes on without it.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

import foxglove
from foxglove.mcap import MCAPCompression, MCAPWriteOptions

from tandem.bridge.contract.errors import LogUnwritable
from tandem.bridge.roles import Peer
from tandem.bridge.wire.kinds import VERSION, Port

log = logging.getLogger(__name__)
JOURNAL = "/servo/journal"
FLUSH_S = 0.5
CHUNK_BYTES = 64 * 1024
MAX_CHANNELS = 1000  # connections; what later ones say is counted and left out

_SCHEMA = foxglove.Schema(name="tandem.Message", encoding="msgpack", data=b"bridge/PROTOCOL.md, version 1")


class Capture:
    """Give its `tap` and `journal` to a gateway. Called from several threads; costs microseconds.

    The library writes into a Python file while it holds a lock of its own: two threads in it at once would wait for
    each other for ever, so one lock here goes around every call.

    Args:
        path: the file to make; it must not exist. Raises `LogUnwritable`.

    Attributes:
        lost: messages of connections beyond the most that are kept apart.
    """

    def __init__(self, path: Path):
        self._context, self._lock, self.lost = foxglove.Context(), threading.Lock(), 0
        self._path, self._failure = path, ""
        self._channels: dict[tuple[str, ...], foxglove.Channel] = {}
        options = MCAPWriteOptions(compression=MCAPCompression.Lz4, chunk_size=CHUNK_BYTES, profile="tandem-capture")
        try:
            self._file = path.open("xb")
            self._mcap = foxglove.open_mcap(self._file, context=self._context, writer_options=options)
        except OSError as reason:
            words = f"cannot make {path}: {reason.strerror}; choose another file with --capture"
            raise LogUnwritable(words) from reason
        self._mcap.write_metadata("manifest", {"kind": "capture", "protocol": str(VERSION)})
        self._over = threading.Event()
        self._flusher = threading.Thread(target=self._flush, name="capture", daemon=True)
        self._flusher.start()

    def tap(self, direction: str, port: Port, route: bytes, peer: Peer | None, frame: bytes, now: int) -> None:
        """One frame of the wire."""
        is_router = port in (Port.CONTROL, Port.COMMAND, Port.STOP)
        name = route.hex() if is_router else route.decode("utf-8", "replace")
        about = {"socket": str(port), "direction": direction, "route": name}
        if peer is not None:
            about |= {"peer": peer.name, "identity": peer.identity, "role": str(peer.role)}
        self._log(f"/wire/{port}/{direction}/{name}", about, frame, now)

    def journal(self, frame: bytes) -> None:
        """What the core was told and said in one turn."""
        self._log(JOURNAL, {}, frame, time.monotonic_ns())

    def _log(self, topic: str, about: dict[str, str], frame: bytes, now: int) -> None:
        key = (topic, json.dumps(about))
        with self._lock:
            if self._failure:
                return
            channel = self._channels.get(key)
            if channel is None:
                if len(self._channels) >= MAX_CHANNELS:
                    self.lost += 1
                    return
                channel = self._channels[key] = foxglove.Channel(
                    topic, schema=_SCHEMA, message_encoding="msgpack", metadata=about, context=self._context
                )
            channel.log(frame, log_time=now)

    def _flush(self) -> None:
        while not self._failure and not self._over.wait(FLUSH_S):
            with self._lock:
                self._try(self._mcap.flush, self._file.flush)

    def _try(self, *writes: Callable[[], None]) -> None:
        """Under the lock. The library tells a failed write as a mistake of the runtime."""
        try:
            for write in writes:
                write()
        except (OSError, RuntimeError) as reason:
            self._failure = str(reason)
            log.error("%s ends here, the controller goes on: %s", self._path, reason)

    def close(self) -> None:
        """Write the summary. Raises `LogUnwritable` when the file ends before the session did."""
        self._over.set()
        self._flusher.join()
        with self._lock:
            if not self._failure:
                losses = {"messages": str(self.lost)}
                self._try(lambda: self._mcap.write_metadata("losses", losses), self._mcap.close, self._file.close)
        if self._failure:
            raise LogUnwritable(f"{self._path} is not whole: {self._failure}; what it holds until then can be read")
