"""Pictures of a body that is elsewhere: the newest of each camera, never older than asked for."""

from __future__ import annotations

import math
import time

import numpy as np
import zmq

from tandem.bridge.client.contact import Contact
from tandem.bridge.client.sockets import MEDIA_HIGH_WATER, subscriber
from tandem.bridge.contract.errors import InvalidObservation, MissingDependency, StaleObservation
from tandem.bridge.contract.observation import layout
from tandem.bridge.contract.spec import BodySpec
from tandem.bridge.wire.frames import receive_triple
from tandem.bridge.wire.headers import Headers
from tandem.bridge.wire.message import Message
from tandem.bridge.wire.refusal import Refused

LARGEST = 64 * 2**20  # bytes of one picture
WAIT_MS = 20  # between looks at the deadline; the socket is told once, as telling it each time is slow


class Pictures:
    """Reads the media socket, from the first picture on that somebody asks for.

    Args:
        context: of the link.
        contact: whom to reach.
        port: TCP port of the media socket.
        spec: the body.
        session: of the controller.
    """

    def __init__(self, context: zmq.Context, contact: Contact, port: int, spec: BodySpec, session: str):
        self._session = session
        self._layout = {key: (shape, dtype, (key, shape, dtype.str), math.prod(shape) * dtype.itemsize)
                        for key, (shape, dtype) in layout(spec).items() if "." in key}
        self._headers, self._newest = Headers(), dict[str, tuple[Message, int, zmq.Frame]]()
        self._usual = dict[str, Message]()  # by picture: the header that was found to be as the specification says
        self._wanted: set[str] = set()
        self._socket = subscriber(context, contact, port, MEDIA_HIGH_WATER, ())
        self._socket.maxmsgsize, self._socket.rcvtimeo = LARGEST, WAIT_MS

    def subscribe(self, key: str) -> None:
        """Ask for a picture from now on; otherwise done when it is first wanted."""
        if key not in self._wanted:
            self._wanted.add(key)
            self._socket.subscribe(key.encode())

    def first_after(self, key: str, when: int, deadline_s: float) -> tuple[np.ndarray, int]:
        """A picture taken at `when` or later (ns of the controller's clock), and when it was.

        Raises:
            StaleObservation: none came within the deadline.
            InvalidObservation: one came that is not as the specification says.
        """
        self.subscribe(key)
        newest = self._newest.get(key)
        if newest is None or newest[1] < when:
            newest = self._next(key, when, deadline_s)
        message, taken, data = newest
        return self._array(key, message, data), taken

    def _next(self, key: str, when: int, deadline_s: float) -> tuple[Message, int, zmq.Frame]:
        end = time.monotonic() + deadline_s
        while True:
            try:
                topic, header, data = receive_triple(self._socket)
            except zmq.Again:
                if time.monotonic() < end:
                    continue
                raise StaleObservation(
                    f"camera gave no {key!r} within {deadline_s:g} s: look at the camera's process"
                ) from None
            except ValueError as reason:
                raise InvalidObservation(f"a picture came in {reason}: topic, header, data") from None
            try:
                message, taken = self._headers.read(topic, header)
            except Refused as reason:
                raise InvalidObservation(f"a picture's header: {reason}") from None
            if message.session == self._session:
                name = topic.decode("utf-8", "replace")
                self._newest[name] = newest = message, taken, data
                if name == key and taken >= when:
                    return newest

    def _array(self, key: str, message: Message, data: zmq.Frame) -> np.ndarray:
        shape, dtype, wanted, size = self._layout[key]
        fields = message.fields
        if self._usual.get(key) is not message:
            told = tuple(fields.get(name) for name in ("key", "shape", "dtype"))
            if message.kind != "frame" or told != wanted:
                raise InvalidObservation(f"a picture of {told} came, the specification says {wanted}")
            self._usual[key] = message
        encoding = fields["encoding"]
        if encoding == "jpeg":
            return _decoded(data.buffer, shape)
        if encoding != "raw" or len(data) != size:
            raise InvalidObservation(f"{key!r} came as {len(data)} bytes of {encoding[:20]!r}")
        return np.frombuffer(data.buffer, dtype).reshape(shape)

    def close(self) -> None:
        """Let go of every picture."""
        self._newest.clear()
        self._socket.close()


def _decoded(data: memoryview, shape: tuple[int, ...]) -> np.ndarray:
    try:
        import cv2
    except ModuleNotFoundError as reason:
        raise MissingDependency("opencv, for pictures as JPEG", "pip install opencv-python-headless") from reason
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    if picture is None or picture.shape != shape:
        raise InvalidObservation("a JPEG came that is none, or of another size than the specification says")
    return picture
