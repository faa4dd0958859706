"""Messages of several frames, off a socket and onto one, with as few calls as they take.

pyzmq's own `recv_multipart` and `send_multipart` ask and check more for each frame than reading or writing it costs.
"""

from __future__ import annotations

import zmq

NOW = int(zmq.NOBLOCK)
NOW_MORE = int(zmq.NOBLOCK | zmq.SNDMORE)  # to join two of zmq's own flags takes as long as to send a frame
send = zmq.backend.Socket.send
"""(socket, frame, flags): sends one frame, copied. `zmq.Socket.send` first looks for what no socket here has."""


def receive_frames(socket: zmq.Socket, flags: int = 0) -> list[zmq.Frame]:
    """The frames of the next message, none of them copied; raises `zmq.Again` as `recv` does."""
    frame = socket.recv(flags, False)
    frames = [frame]
    while frame.more:
        frame = socket.recv(NOW, False)  # a message comes whole
        frames.append(frame)
    return frames


def receive_named(socket: zmq.Socket, flags: int = 0) -> tuple[bytes, list[zmq.Frame]]:
    """The name (topic, route) with which the next message begins, copied, and its other frames, which are not.

    To be told whether a frame is the last takes longer than to read a short one, so of the first that is not asked. A
    name that comes alone, which no ROUTER gets, has no other frames, or those of the message after it.

    Raises:
        zmq.Again: as `recv` does.
    """
    name = socket.recv(flags)
    try:
        return name, receive_frames(socket, NOW)
    except zmq.Again:
        return name, []


def receive_triple(socket: zmq.Socket) -> tuple[bytes, bytes, zmq.Frame]:
    """The three frames of the next message, only the last of them not copied.

    Raises:
        zmq.Again: as `recv` does.
        ValueError: it has another number of frames; the message after it may be lost, no later one is.
    """
    receive = socket.recv
    first = receive()
    try:
        second, third = receive(NOW), receive(NOW, False)
        more = third.more
        while more:
            more = receive(NOW, False).more
    except zmq.Again:
        raise ValueError("fewer than three frames") from None
    if third.more:
        raise ValueError("more than three frames")
    return first, second, third
