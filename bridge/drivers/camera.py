"""How a camera's process hands its pictures to the controller: one PUSH, the wire's own header, nothing waits."""

from __future__ import annotations

from collections import Counter

import numpy as np
import zmq

from tandem.bridge.wire.frames import NOW, NOW_MORE, send
from tandem.bridge.wire.headers import HeaderForm
from tandem.bridge.wire.message import Message

_FREED = 2**24  # bytes
HIGH_WATER = 2


def reuse_memory() -> None:
    """Let the C library keep the memory of a picture that has gone for the next one; once in a process is enough.

    glibc gives large blocks back to the system, which makes the next one's pages anew, one by one. How large that is
    follows what was freed before (mallopt(3), M_MMAP_THRESHOLD). Other libraries lose nothing by it.
    """
    bytes(_FREED)


def header_of(key: str, picture: np.ndarray, session: str, *, jpeg: bool = False) -> HeaderForm:
    """What is told of a picture; its number and time are given when it is written.

    Args:
        key: "image.<camera>" uint8 (H, W, 3) RGB, or "depth.<camera>" float32 (H, W) m.
        picture: of that shape and type.
        session: of the controller.
        jpeg: whether its bytes are those of a JPEG.
    """
    return HeaderForm.of(Message("frame", {
        "camera": key.split(".", 1)[1], "key": key, "encoding": "jpeg" if jpeg else "raw",
        "dtype": picture.dtype.newbyteorder("<").str, "shape": picture.shape,
    }, session))


def send_picture(socket: zmq.Socket, key: str, header: bytes, data: np.ndarray | bytes) -> None:
    """Topic, header and data, all copied: sooner done than pyzmq's account of what is lent. Raises `zmq.Again`."""
    send(socket, key.encode(), NOW_MORE)
    send(socket, header, NOW_MORE)
    send(socket, data, NOW)


class PictureSender:
    """Sends pictures to a controller's media socket. One thread's.

    Args:
        endpoint: ipc, as the controller gives it to its driver (`media`).
        session: of the controller (`session`).
        context: of its socket.
    """

    def __init__(self, endpoint: str, session: str, context: zmq.Context | None = None):
        self._session, self._sent = session, Counter[str]()
        self._headers: dict[tuple, HeaderForm] = {}
        self._socket = (context or zmq.Context.instance()).socket(zmq.PUSH)
        self._socket.sndhwm, self._socket.linger = HIGH_WATER, 0
        self._socket.immediate = True  # nothing is kept for somebody who is not there yet
        self._socket.connect(endpoint)
        reuse_memory()

    def send(self, key: str, picture: np.ndarray, taken: int, *, jpeg: bytes | None = None) -> bool:
        """One picture; dropped when nobody has fetched the ones before. Whether it went.

        Args:
            key: "image.<camera>" uint8 (H, W, 3) RGB, or "depth.<camera>" float32 (H, W) m.
            picture: the picture; it may be changed afterwards.
            taken: ns of this computer's monotonic clock.
            jpeg: its bytes, when it is sent so; the picture then tells shape and type only.
        """
        self._sent[key] += 1  # of what is dropped, too: the gap tells
        form = key, picture.shape, picture.dtype, jpeg is not None
        if form not in self._headers:
            self._headers[form] = header_of(key, picture, self._session, jpeg=jpeg is not None)
        header = self._headers[form].write(self._sent[key], taken)
        data = np.ascontiguousarray(picture, picture.dtype.newbyteorder("<")) if jpeg is None else jpeg
        try:
            send_picture(self._socket, key, header, data)
        except zmq.Again:
            return False
        return True

    def close(self) -> None:
        """Let go of what was not fetched."""
        self._socket.close()
