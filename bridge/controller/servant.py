"""The servo as the gateway sees it: a process behind two pipes."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import zmq

from tandem.bridge.controller.relay import JOURNAL, QUIT, pack_incoming, pair, unpack_outgoing
from tandem.bridge.controller.servo import Order, plain_order
from tandem.bridge.controller.traffic import Incoming, Outgoing

QUIT_S = 5.0  # a stop and the driver's goodbye
_PROGRAM = """
import json, os, sys
path = json.loads(sys.argv[1])
sys.path[:] = path
from tandem.bridge.controller.servo import main
sys.exit(main(sys.argv[2]))
"""


class ServoProcess:
    """Starts the servo, feeds it, and reads it.

    Args:
        context: of the gateway.
        folder: for the pipes; nobody else may enter it.
        order: what the servo shall do, but for its pipes.
        journal: gets what the core was told and said; None for a core that keeps none.
    """

    def __init__(
        self, context: zmq.Context, folder: str, order: dict[str, Any], journal: Callable[[bytes], None] | None = None
    ):
        self._journal = journal
        pipe, stop_pipe = (f"ipc://{folder}/{name}" for name in ("servo", "stop"))
        self.pipe, self.stop_pipe = pair(context, pipe, bind=True), pair(context, stop_pipe, bind=True)
        wanted = Order(**order, pipe=pipe, stop_pipe=stop_pipe, journal=journal is not None)
        text = json.dumps(plain_order(wanted))
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, json.dumps(sys.path), text], stdin=subprocess.DEVNULL, env=environment,
        )

    @property
    def pid(self) -> int:
        """Of the servo."""
        return self._process.pid

    def forward(self, incoming: Incoming) -> bool:
        """Hand a frame over; False when the servo does not keep up."""
        return _hand_over(self.pipe, incoming)

    def forward_stop(self, incoming: Incoming) -> bool:
        """The same for a stop, by its own pipe and from its own thread."""
        return _hand_over(self.stop_pipe, incoming)

    def collect_stops(self) -> list[Outgoing]:
        """What the servo has said to stops since; each answer knows whom it is for. For the thread of stops."""
        said = []
        while self.stop_pipe.poll(0):
            said.append(unpack_outgoing(self.stop_pipe.recv_multipart()))
        return said

    def collect(self) -> list[Outgoing]:
        """What the servo has said to everything else since."""
        said = []
        while True:
            try:
                frames = self.pipe.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return said
            if frames[0] == JOURNAL:
                self._journal(frames[1])
            else:
                said.append(unpack_outgoing(frames))

    def ended(self) -> int | None:
        """Its exit status, None while it lives."""
        return self._process.poll()

    def quit(self) -> None:
        """Let it stop the arm and go; a servo that hangs is ended."""
        with contextlib.suppress(zmq.Again):
            self.pipe.send(QUIT, zmq.NOBLOCK)
        end = time.monotonic() + QUIT_S
        while self._process.poll() is None and time.monotonic() < end:
            self.collect()
            time.sleep(0.02)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        for pipe in (self.pipe, self.stop_pipe):
            pipe.close()


def _hand_over(pipe: zmq.Socket, incoming: Incoming) -> bool:
    try:
        pipe.send_multipart(pack_incoming(incoming), zmq.NOBLOCK)
        return True
    except zmq.Again:
        return False
