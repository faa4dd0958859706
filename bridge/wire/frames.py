"""Messages of several frames, off a socket and onto one, with as few calls as they take.

pyzmq's own `recv_multipart` and `send_multipart` ask and check more for each frame than reading or writing it costs.
"""

from __future__ import annotations

import zmq

MORE, NOW = int(zmq.SNDMORE), int(zmq.NOBLOCK)  # to join two of zmq's own flags takes as long as to send a frame


def receive_frames(socket: zmq.Socket, flags: int = 0) -> list[zmq.Frame]:
    """The frames of the next message, none of them copied; raises `zmq.Again` as `recv` does."""
    frame = socket.recv(flags, copy=False)
    frames = [frame]
    while frame.more:
        frame = socket.recv(copy=False)  # a message comes whole
        frames.append(frame)
    return frames


def send_pair(socket: zmq.Socket, first: bytes, second: bytes, flags: int = 0) -> None:
    """A message of two frames, both copied; raises `zmq.Again` as `send` does."""
    socket.send(first, flags | MORE)
    socket.send(second, flags)
