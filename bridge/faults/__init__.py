"""A network that misbehaves on purpose, from a seed: a proxy between a client and a controller.

Faults strike whole messages after the handshake. On an encrypted connection a message is a CURVE command with a
counter: libzmq closes a connection on which one comes twice or out of order, so `duplicate` and `reorder` end it (and
ZeroMQ connects anew), while `drop`, `delay`, `freeze`, `half_open` and `cut` do to it what they do to a plain one. But
every frame is a command of its own there: `drop` takes single frames out of states and pictures, which have several.
"""

from tandem.bridge.faults.fault import (
    FAULTS,
    Cut,
    Delay,
    Drop,
    Duplicate,
    Fault,
    Freeze,
    HalfOpen,
    Reorder,
    faults_named,
)
from tandem.bridge.faults.proxy import FaultProxy

__all__ = [
    "FAULTS", "Cut", "Delay", "Drop", "Duplicate", "Fault", "FaultProxy", "Freeze", "HalfOpen", "Reorder",
    "faults_named",
]
