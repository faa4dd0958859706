"""The first stages of the chain, the same for every controller: decode, right socket, right role, this session."""

from __future__ import annotations

from tandem.bridge.controller.traffic import Incoming
from tandem.bridge.roles import authorise
from tandem.bridge.wire.codec import MAX_FRAME, decode, peek
from tandem.bridge.wire.kinds import REQUESTS, Port
from tandem.bridge.wire.message import Message
from tandem.bridge.wire.refusal import Refusal, Refused

TOWARDS: dict[Port, frozenset[str]] = {
    Port.CONTROL: frozenset(REQUESTS), Port.COMMAND: frozenset({"chunk", "step"}), Port.STOP: frozenset({"stop"}),
}
_WITHOUT_SESSION = frozenset({"hello", "ping", "stop"})


def admit(incoming: Incoming, session: str) -> Message:
    """The message in a frame, if its sender may send it here and now. Raises `Refused`."""
    message = decode(incoming.frame)
    if message.kind not in TOWARDS.get(incoming.port, ()):
        raise Refused(Refusal.UNKNOWN_KIND, f"{message.kind} is not for the {incoming.port} socket")
    authorise(incoming.peer, message.kind)
    if message.kind not in _WITHOUT_SESSION and message.session != session:
        raise Refused(Refusal.WRONG_SESSION, f"session {message.session[:40]!r}")
    return message


def number_of(frame: bytes) -> int:
    """The id or seq of a frame that is refused, as far as it tells; 0 when it does not."""
    if len(frame) > MAX_FRAME:
        return 0
    _, number, seq = peek(frame)
    return number or seq
