"""An openpi policy server over a websocket: it speaks first (metadata), then question and answer in turn.

A text message is the server's traceback, after which it closes. The wire has no word for reset, and a stock server
keeps nothing; a server of Tandem says in its metadata that it knows one.
Source: openpi_client/websocket_client_policy.py.
"""

from __future__ import annotations

from typing import Any

from tandem.policies.remote import paths
from tandem.policies.remote.arrays import Encoding, decode, encode
from tandem.policies.remote.errors import ServerRefused, Undecodable
from tandem.policies.remote.mapping import KeyMap, Told
from tandem.policies.remote.question import Question, Reply
from tandem.policies.remote.websocket import WebSocket


class OpenpiLink:
    """See the module.

    Args:
        address: "ws://host:port".
        keymap: how observations and actions are called there.
        timeout_s: for each message.
        token: sent as `Authorization: Api-Key TOKEN`; None sends none.
    """

    def __init__(self, address: str, keymap: KeyMap, *, timeout_s: float = 10.0, token: str | None = None):
        self.address, self._keymap = address, keymap
        headers = {} if token is None else {"Authorization": f"Api-Key {token}"}
        self._socket = WebSocket(address, timeout_s, headers)
        self._tandem: Any = None

    def connect(self) -> Told | None:
        """See `Link`: the metadata of a stock server name no keys, so the first answer's shapes are what tells."""
        if self._socket.is_open:
            return None
        self._socket.open()
        metadata = self._map(self._socket.receive())
        self._tandem = metadata.get("tandem") if type(metadata.get("tandem")) is dict else None
        notes = tuple(f"metadata {name}: {str(value)[:100]}" for name, value in metadata.items() if name != "tandem")
        return Told(tandem=self._tandem, notes=notes)

    def reset(self, epoch: int) -> None:
        """See `Link`. Nothing crosses the wire to a stock server."""
        if self._tandem is None:
            return
        answer = self._map(self._socket.exchange(encode({"tandem": {"reset": epoch}}, Encoding.OPENPI)))
        if answer.get("tandem") != {"reset": epoch}:
            self.drop()
            raise Undecodable(f"reset {epoch} was answered with {str(answer)[:100]}")

    def ask(self, question: Question, epoch: int, request_id: int) -> Reply:
        """See `Link`."""
        packed = paths.pack(question, self._keymap)
        if self._tandem is not None:
            packed["tandem"] = {"epoch": epoch, "request_id": request_id, "subgoal": question.subgoal}
        answer = self._map(self._socket.exchange(encode(packed, Encoding.OPENPI)))
        about = answer.pop("tandem", None)
        return Reply(answer, about if type(about) is dict else {})

    def drop(self) -> None:
        """See `Link`."""
        self._socket.drop()

    def _map(self, frame: bytes | str) -> dict[Any, Any]:
        if isinstance(frame, str):
            self.drop()
            raise ServerRefused(frame.strip()[-2000:] or "a traceback without words")
        try:
            value = decode(frame)
        except Undecodable:
            self.drop()
            raise
        if type(value) is not dict:
            self.drop()
            raise Undecodable(f"a {type(value).__name__} where a map was due")
        return value
