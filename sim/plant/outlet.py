"""Where pictures leave: ZeroMQ PUSH, `[topic, header, data]`, never waiting. What finds no room is dropped.

A camera has a socket of its own, so that a large picture of one does not crowd out another's; and a depth image goes
only where its picture went, so that they come in pairs.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
import zmq

from tandem.bridge.contract import depth_key, image_key
from tandem.bridge.drivers.camera import PictureSender

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
        self._jpeg, self._context = jpeg, zmq.Context()
        self._senders = {camera: PictureSender(endpoint, session, self._context) for camera in cameras}

    def push(self, camera: str, t: int, rgb: np.ndarray, depth: np.ndarray | None) -> None:
        """Send a picture uint8 (H, W, 3), RGB, and its depth float32 (H, W) in metres, of time `t` ns."""
        sender, key = self._senders[camera], image_key(camera)
        sent = sender.send(key, rgb, t, jpeg=_encoded(key, rgb) if self._jpeg else None)
        if depth is not None and sent:
            sender.send(depth_key(camera), depth, t)

    def close(self) -> None:
        """Nothing waits: what has not gone is dropped."""
        self._context.destroy(linger=0)


def _encoded(key: str, rgb: np.ndarray) -> bytes:
    done, data = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise RuntimeError(f"OpenCV could not encode {key} {rgb.shape} as JPEG; send it raw (jpeg=False)")
    return data.tobytes()
