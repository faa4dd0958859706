"""What crosses the wire: kinds of messages, their fields, and the bytes. Specified in `bridge/PROTOCOL.md`."""

from tandem.bridge.wire.codec import decode, encode
from tandem.bridge.wire.kinds import KINDS, VERSION, Port
from tandem.bridge.wire.message import Message
from tandem.bridge.wire.refusal import REMEDIES, Refusal, Refused

__all__ = ["KINDS", "REMEDIES", "VERSION", "Message", "Port", "Refusal", "Refused", "decode", "encode"]
