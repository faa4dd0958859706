"""Pictures from the cameras' process to whoever subscribes: a thread, a socket in and a socket out, nothing copied."""

from __future__ import annotations

import contextlib
import threading
import time

import zmq

from tandem.bridge.controller.doorman import Tap
from tandem.bridge.wire.frames import receive_frames
from tandem.bridge.wire.kinds import Port

POLL_MS = 100


class MediaRelay:
    """Carries every picture from an ipc PULL to the media PUB.

    Args:
        context: of the gateway.
        endpoint: ipc, where the cameras' process pushes.
        publisher: the media PUB; this thread's until `close`.
        tap: sees every picture's header.

    Attributes:
        endpoint: where to push.
    """

    def __init__(self, context: zmq.Context, endpoint: str, publisher: zmq.Socket, tap: Tap):
        self.endpoint, self._publisher, self._tap = endpoint, publisher, tap
        self._source = context.socket(zmq.PULL)
        self._source.rcvhwm, self._source.linger = 4, 0
        self._source.bind(endpoint)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._carry, name="media", daemon=True)
        self._thread.start()

    def _carry(self) -> None:
        while not self._over.is_set():
            if self._source.poll(POLL_MS):
                frames = receive_frames(self._source)
                if len(frames) == 3:
                    self._tap("out", Port.MEDIA, frames[0].bytes, None, frames[1].bytes, time.monotonic_ns())
                    with contextlib.suppress(zmq.Again):
                        self._publisher.send_multipart(frames, zmq.NOBLOCK, copy=False)

    def close(self) -> None:
        """End the thread."""
        self._over.set()
        self._thread.join()
        self._source.close()
