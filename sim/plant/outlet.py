"""Where pictures leave: ZeroMQ PUSH, `[topic, header, data]`, never waiting. What finds no room is dropped.

A camera has a socket of its own, so that a large picture of one does not crowd out another's; and a depth image goes
only where its picture went, so that they come in pairs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import cv2
import numpy as np
import zmq

from tandem.bridge.contract import depth_key, image_key
from tandem.bridge.wire import Message, encode

HIGH_WATER = 2
JPEG_QUALITY = 95


class Outlet:
    """Pushes pictures to one endpoint.

    Args:
        endpoint: where somebody pulls.
        session: text of the controller's session, for the headers.
        cameras: their names.
        jpeg: encode colours as JPEG rather than send them raw.
    """

    def __init__(self, endpoint: str, session: str, cameras: Iterable[str], *, jpeg: bool):
        self._session, self._jpeg = session, jpeg
        self._context, self._counts = zmq.Context(), Counter[str]()
        self._sockets = {camera: self._connected(endpoint) for camera in cameras}

    def _connected(self, endpoint: str) -> zmq.Socket:
        socket = self._context.socket(zmq.PUSH)
        socket.sndhwm, socket.linger = HIGH_WATER, 0
        socket.immediate = True  # nothing is kept for somebody who is not there yet
        socket.connect(endpoint)
        return socket

    def push(self, camera: str, t: int, rgb: np.ndarray, depth: np.ndarray | None) -> None:
        """Send a picture uint8 (H, W, 3), RGB, and its depth float32 (H, W) in metres, of time `t` ns."""
        key = image_key(camera)
        if self._jpeg:
            done, data = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
            if not done:
                raise RuntimeError(f"OpenCV could not encode {key} {rgb.shape} as JPEG; send it raw (jpeg=False)")
        else:
            data = np.ascontiguousarray(rgb)
        sent = self._send(camera, key, t, rgb, "jpeg" if self._jpeg else "raw", data)
        if depth is not None and sent:
            metres = np.ascontiguousarray(depth, "<f4")
            self._send(camera, depth_key(camera), t, metres, "raw", metres)

    def _send(self, camera: str, key: str, t: int, array: np.ndarray, encoding: str, data: np.ndarray) -> bool:
        self._counts[key] += 1  # of what is dropped, too: the gap tells
        fields = {
            "camera": camera, "key": key, "encoding": encoding, "dtype": array.dtype.str, "shape": list(array.shape),
        }
        header = encode(Message("frame", fields, session=self._session, seq=self._counts[key], t=t))
        try:
            self._sockets[camera].send_multipart([key.encode(), header, data.data], zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True

    def close(self) -> None:
        """Nothing waits: what has not gone is dropped."""
        self._context.destroy(linger=0)
