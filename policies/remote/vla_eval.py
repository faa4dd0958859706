"""A model server of vla-evaluation-harness over a websocket: envelopes with a type, a payload and a sequence number.

Both sides say hello first; an answer carries the number of its question. The start of an episode is told and not
acknowledged: the wire has no word for that. Source: vla_eval/protocol/messages.py and vla_eval/connection.py.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from tandem.bridge.contract import SpecMismatch
from tandem.policies.remote import paths
from tandem.policies.remote.arrays import Encoding, decode, encode
from tandem.policies.remote.errors import ServerRefused, ServerUnresponsive, Undecodable
from tandem.policies.remote.mapping import KeyMap, Told
from tandem.policies.remote.question import Question, Reply
from tandem.policies.remote.websocket import WebSocket

VERSION = 1
TYPES = ("hello", "observation", "action", "episode_start", "episode_end", "error")


def envelope(kind: str, payload: dict[str, Any], seq: int) -> bytes:
    """The bytes of one message."""
    return encode({"type": kind, "payload": payload, "seq": seq, "timestamp": time.time()}, Encoding.VLA_EVAL)


class VlaEvalLink:
    """See the module.

    Args:
        address: "ws://host:port".
        keymap: how observations and actions are called there.
        timeout_s: for each message.
    """

    def __init__(self, address: str, keymap: KeyMap, *, timeout_s: float = 10.0):
        self.address, self._keymap = address, keymap
        self._socket, self._seq = WebSocket(address, timeout_s), 0

    def connect(self) -> Told | None:
        """See `Link`: hello. Raises `SpecMismatch` for another version of the protocol."""
        if self._socket.is_open:
            return None
        self._socket.open()
        self._send("hello", {"protocol_version": VERSION, "harness_version": "tandem", "benchmark": "tandem"})
        told = self._receive("hello")
        if told.get("protocol_version") != VERSION:
            self.drop()
            raise SpecMismatch([f"vla-eval protocol {VERSION} here, {str(told.get('protocol_version'))[:20]} there"])
        return Told(notes=tuple(f"hello {name}: {str(value)[:100]}" for name, value in told.items()))

    def reset(self, epoch: int) -> None:
        """See `Link`: a new episode."""
        self._send("episode_start", {"epoch": epoch})

    def ask(self, question: Question, epoch: int, request_id: int) -> Reply:
        """See `Link`. A single action counts as a chunk of one."""
        self._send("observation", paths.pack(question, self._keymap))
        actions = self._receive("action", self._seq)
        return Reply({name: array[None] if isinstance(array, np.ndarray) and array.ndim == 1 else array
                      for name, array in actions.items()})

    def drop(self) -> None:
        """See `Link`."""
        self._socket.drop()

    def _send(self, kind: str, payload: dict[str, Any]) -> None:
        self._seq += 1
        self._socket.send(envelope(kind, payload, self._seq))

    def _receive(self, kind: str, seq: int | None = None) -> dict[str, Any]:
        try:
            return self._payload(self._socket.receive(), kind, seq)
        except (Undecodable, ServerUnresponsive):
            self.drop()
            raise

    def _payload(self, frame: bytes | str, kind: str, seq: int | None) -> dict[str, Any]:
        message = decode(frame) if isinstance(frame, bytes) else None
        if type(message) is not dict or message.get("type") not in TYPES or type(message.get("payload")) is not dict:
            raise Undecodable(f"no message of vla-eval: {str(message)[:100]}")
        if message["type"] == "error":
            raise ServerRefused(str(message["payload"])[:2000])
        if message["type"] != kind:
            raise Undecodable(f"{message['type']} where {kind} was due")
        if seq is not None and message.get("seq") != seq:
            raise ServerUnresponsive(f"{self.address}: an answer to {message.get('seq')}, not to {seq}; it is not used")
        return message["payload"]
