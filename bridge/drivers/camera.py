"""How a camera's process hands its pictures to the controller: one PUSH, the wire's own header, nothing waits."""

from __future__ import annotations

import contextlib

import numpy as np
import zmq

from tandem.bridge.wire.codec import encode
from tandem.bridge.wire.message import Message


def send_picture(socket: zmq.Socket, key: str, header: bytes, data: np.ndarray | bytes) -> None:
    """Topic and header are copied, which is cheaper than lending them; the picture is not. Raises `zmq.Again`."""
    socket.send(key.encode(), zmq.NOBLOCK | zmq.SNDMORE)
    socket.send(header, zmq.NOBLOCK | zmq.SNDMORE)
    socket.send(data, zmq.NOBLOCK, copy=False)


class PictureSender:
    """Sends pictures to a controller's media socket. One thread's.

    Args:
        endpoint: ipc, as the controller gives it to its driver (`media`).
        session: of the controller (`session`).
    """

    def __init__(self, endpoint: str, session: str):
        self._session, self._seq = session, dict[str, int]()
        self._socket = zmq.Context.instance().socket(zmq.PUSH)
        self._socket.sndhwm, self._socket.linger = 2, 0
        self._socket.connect(endpoint)

    def send(self, key: str, picture: np.ndarray, taken: int, *, jpeg: bytes | None = None) -> None:
        """One picture; dropped when nobody has fetched the ones before.

        Args:
            key: "image.<camera>" uint8 (H, W, 3) RGB, or "depth.<camera>" float32 (H, W) m.
            picture: the picture.
            taken: ns of this computer's monotonic clock.
            jpeg: its bytes, when it is sent so; the picture then tells shape and type only.
        """
        self._seq[key] = self._seq.get(key, 0) + 1
        fields = {
            "camera": key.split(".", 1)[1], "key": key, "encoding": "raw" if jpeg is None else "jpeg",
            "dtype": picture.dtype.newbyteorder("<").str, "shape": picture.shape,
        }
        header = encode(Message("frame", fields, self._session, seq=self._seq[key], t=taken))
        data = np.ascontiguousarray(picture) if jpeg is None else jpeg
        with contextlib.suppress(zmq.Again):
            send_picture(self._socket, key, header, data)

    def close(self) -> None:
        """Let go of what was not fetched."""
        self._socket.close()
