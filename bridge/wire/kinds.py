"""Every kind of message: which socket carries it and which fields it has, in the order in which they are written.

The one table from which encoding, checking, the golden bytes and the tables of PROTOCOL.md are made.
"""

from __future__ import annotations

from enum import StrEnum

from tandem.bridge.wire.fields import (
    ANY,
    FLAG,
    MAP,
    NAMES,
    REALS,
    WHOLE,
    WHOLES,
    WORDS,
    FieldType,
)

VERSION = 1
ENVELOPE: dict[str, FieldType] = {
    "v": WHOLE, "kind": WORDS, "session": WORDS, "epoch": WHOLE, "lease": WHOLE, "seq": WHOLE, "t": WHOLE,
}


class Port(StrEnum):
    """The five sockets of a controller."""

    CONTROL = "control"
    COMMAND = "command"
    STATE = "state"
    MEDIA = "media"
    STOP = "stop"


Fields = dict[str, FieldType]
_REQUEST: Fields = {"id": WHOLE}

REQUESTS: dict[str, Fields] = {
    "hello": _REQUEST | {"versions": WHOLES, "name": WORDS, "role": WORDS},
    "ping": _REQUEST,
    "acquire": _REQUEST | {"name": WORDS, "standby": FLAG, "force": FLAG},
    "renew": _REQUEST | {"calls": WHOLE, "idle": WHOLE},
    "release": _REQUEST,
    "clear": _REQUEST | {"fault": WHOLE},
    "status": _REQUEST,
    "reset": _REQUEST | {"options": MAP},
    "step": _REQUEST | {"names": NAMES, "q": REALS},
    "look": _REQUEST | {"key": WORDS},
    "ask": _REQUEST | {"question": WORDS, "arguments": MAP},
}
REPLIES: dict[str, Fields] = {
    "welcome": _REQUEST | {
        "version": WHOLE, "role": WORDS, "name": WORDS, "mode": WORDS, "spec": MAP, "digest": WORDS, "limits": MAP,
        "ports": MAP, "security": WORDS, "extensions": NAMES, "about": MAP,
    },
    "pong": _REQUEST | {"received": WHOLE},
    "granted": _REQUEST | {"expires": WHOLE},
    "queued": _REQUEST | {"place": WHOLE, "holder": WORDS},
    "renewed": _REQUEST | {"mode": WORDS, "expires": WHOLE},
    "released": _REQUEST,
    "cleared": _REQUEST,
    "report_status": _REQUEST | {"mode": WORDS, "fault": MAP, "holder": WORDS, "servo": MAP},
    "ready": _REQUEST | {"info": MAP},
    "stepped": _REQUEST | {"time": REALS, "position": REALS, "velocity": REALS, "opening": REALS, "tool": REALS,
                           "command": REALS, "events": ANY},
    "picture": _REQUEST | {"key": WORDS, "dtype": WORDS, "shape": WHOLES},
    "answer": _REQUEST | {"value": ANY},
    "refused": _REQUEST | {"code": WORDS, "detail": WORDS, "remedy": WORDS},
}
COMMANDS: dict[str, Fields] = {
    "chunk": {"t0": WHOLE, "dt": WHOLE, "ttl": WHOLE, "names": NAMES, "q": REALS},
    "accepted": {"chunk": WHOLE, "first": WHOLE, "count": WHOLE},
    "refused": REPLIES["refused"],
}
STOPS: dict[str, Fields] = {
    "stop": _REQUEST | {"reason": WORDS}, "stopping": _REQUEST | {"fault": WHOLE}, "refused": REPLIES["refused"],
}
STATES: dict[str, Fields] = {
    "state": {
        "mode": WORDS, "fault": WHOLE, "measured": WHOLE, "position": REALS, "velocity": REALS, "opening": REALS,
        "tool": REALS, "setpoint": REALS, "chunk": WHOLE, "index": WHOLE, "inputs": WHOLE, "generation": WHOLE,
        "late": WHOLE, "worst": WHOLE,
    },
    "report": {"stage": WORDS, "code": WORDS, "chunk": WHOLE, "detail": WORDS},
    "event": {"what": WORDS, "detail": WORDS, "data": MAP},
}
MEDIA: dict[str, Fields] = {
    "frame": {"camera": WORDS, "key": WORDS, "encoding": WORDS, "dtype": WORDS, "shape": WHOLES},
}

PORTS: dict[Port, dict[str, Fields]] = {
    Port.CONTROL: REQUESTS | REPLIES, Port.COMMAND: COMMANDS, Port.STATE: STATES, Port.MEDIA: MEDIA, Port.STOP: STOPS,
}
KINDS: dict[str, Fields] = {kind: fields for kinds in PORTS.values() for kind, fields in kinds.items()}
