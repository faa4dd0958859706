"""A GR00T policy server over ZeroMQ (N1.5, N1.6, N1.7), REQ towards its REP.

What the stock client lacks: timeouts that are set on the socket, and a socket made anew after one, because a REQ that
waits for an answer can send nothing else. An answer that comes later meets a closed socket. And ZeroMQ connects again
by itself, to whoever answers at that address now: here a connection that has ended is at an end.
Source: gr00t/policy/server_client.py and gr00t/eval/service.py of NVIDIA's Isaac-GR00T.
"""

from __future__ import annotations

from typing import Any

import zmq

from tandem.policies.remote import gr00t_form
from tandem.policies.remote.arrays import MAX_FRAME, Encoding, decode, encode
from tandem.policies.remote.errors import ServerRefused, ServerUnresponsive, Undecodable
from tandem.policies.remote.mapping import KeyMap, Told
from tandem.policies.remote.question import Question, Reply

UNAUTHORIZED = "Unauthorized: Invalid API token"


class Gr00tLink:
    """See the module.

    Args:
        address: "tcp://host:port".
        keymap: how observations and actions are called there.
        timeout_s: for each request.
        token: of the server, None if it wants none.
    """

    def __init__(self, address: str, keymap: KeyMap, *, timeout_s: float = 10.0, token: str | None = None):
        self.address, self._keymap, self._timeout_s, self._token = address, keymap, timeout_s, token
        self._socket: zmq.Socket | None = None
        self._endings: zmq.Socket | None = None  # tells when its connection has ended
        self._flat = False
        self._tandem: Any = None

    def connect(self) -> Told | None:
        """See `Link`: ping, then the keys that the server tells."""
        if self._socket is not None:
            return None
        try:
            pong = self._call("ping")
            self._tandem = pong.get("tandem") if type(pong) is dict else None
            told, self._flat = self._keys()
        except BaseException:
            self.drop()
            raise
        return told

    def reset(self, epoch: int) -> None:
        """See `Link`. N1.5 and some forks have no such endpoint, and remember nothing."""
        try:
            if not self._flat:
                self._call("reset", {"options": None}, epoch=epoch)
        except ServerRefused as reason:
            if not _is_missing(reason):
                raise

    def ask(self, question: Question, epoch: int, request_id: int) -> Reply:
        """See `Link`."""
        observation = gr00t_form.pack(question, self._keymap, flat=self._flat)
        options = None if self._tandem is None else {"subgoal": question.subgoal}
        data = observation if self._flat else {"observation": observation, "options": options}
        return gr00t_form.reply(self._call("get_action", data, epoch=epoch, request_id=request_id))

    def kill(self) -> None:
        """Ask the server to end; it wants its token."""
        self._call("kill")

    def drop(self) -> None:
        """See `Link`."""
        socket, self._socket = self._socket, None
        endings, self._endings = self._endings, None
        if socket is not None:
            socket.disable_monitor()
            socket.close(linger=0)
        if endings is not None:
            endings.close(linger=0)

    def _keys(self) -> tuple[Told, bool]:
        """The keys that the server tells, and whether it wants the flat form. Some forks tell none."""
        try:
            return gr00t_form.told(self._call("get_modality_config"), self._tandem)
        except ServerRefused as reason:
            if not _is_missing(reason):
                raise
            return Told(notes=("the server tells no keys: its first answer will show whether they fit",)), False

    def _call(self, endpoint: str, data: Any = None, **envelope: int) -> Any:
        request = {"endpoint": endpoint, **({} if data is None else {"data": data})}
        request |= {} if self._token is None else {"api_token": self._token}
        request |= {} if self._tandem is None else envelope
        frame = encode(request, Encoding.GR00T)
        try:
            socket = self._open()
            self._require_same(endpoint)
            socket.send(frame)
            answer = socket.recv()
            self._require_same(endpoint)
        except zmq.ZMQError as reason:
            self.drop()
            why = f"no answer within {self._timeout_s:g} s" if isinstance(reason, zmq.Again) else str(reason)
            raise ServerUnresponsive(f"{self.address}, {endpoint}: {why}") from reason
        except BaseException:
            self.drop()
            raise
        return self._read(answer)

    def _require_same(self, endpoint: str) -> None:
        """Whoever answers must be the one that was greeted: a server that was started again remembers no episode."""
        ended = False
        while self._endings.poll(0):
            self._endings.recv_multipart()
            ended = True
        if ended and endpoint != "ping":  # until then nobody was greeted: a server may still be starting
            raise ServerUnresponsive(f"{self.address}, {endpoint}: the connection ended; connecting anew")

    def _read(self, answer: bytes) -> Any:
        if answer == b"ERROR":
            raise ServerRefused("ERROR (an older server, which does not say why)")
        try:
            value = decode(answer)
        except Undecodable:
            self.drop()
            raise
        if type(value) is dict and "error" in value:
            raise ServerRefused(str(value["error"])[:2000])
        return value

    def _open(self) -> zmq.Socket:
        if self._socket is None:
            socket = zmq.Context.instance().socket(zmq.REQ)
            socket.linger, socket.maxmsgsize, socket.ipv6 = 0, MAX_FRAME, "[" in self.address
            socket.rcvtimeo = socket.sndtimeo = round(self._timeout_s * 1000)
            self._socket, self._endings = socket, socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
            socket.connect(self.address)
        return self._socket


def _is_missing(refused: ServerRefused) -> bool:
    return "unknown endpoint" in refused.words.lower()
