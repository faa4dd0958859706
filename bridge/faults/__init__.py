"""Network faults on purpose: a seeded proxy between ZeroMQ peers on TCP. Light: numpy.

`delay`, `drop`, `duplicate` and `reorder` strike whole messages (all frames of one), never a handshake or a command;
`freeze`, `half_open` and `cut` strike connections, whatever passes. Delays are kept to about a millisecond.

Plain connections (mechanism NULL) take all of them. With CURVE `delay`, `freeze`, `half_open` and `cut` act as on a
plain one. The others do not, as a MESSAGE carries a number that must grow, and hides whether it has further frames
(seen with libzmq 4.3.5):

- `drop` loses single frames. Messages of one frame (control, command, stop) are lost as they should be. Of those with
  more (state, media) parts are lost, so that receivers get topics without messages. A lost first message of a SUB is
  its subscription.
- `duplicate` and `reorder` end the connection: the receiver refuses a number that it has seen, closes, and the client
  connects anew. Nothing is ever received twice or out of order; what was under way is lost. A receiving socket that has
  a monitor reports HANDSHAKE_FAILED_PROTOCOL, and then neither reads on nor closes: the connection stays, deaf.
"""

from tandem.bridge.faults.counts import Counts
from tandem.bridge.faults.decisions import Decisions
from tandem.bridge.faults.fault import Direction, Fault
from tandem.bridge.faults.framing import NotZmtp
from tandem.bridge.faults.messages import Decision, Delay, Drop, Duplicate, Reorder
from tandem.bridge.faults.named import FAULTS, faults_named, faults_text
from tandem.bridge.faults.outages import Cut, Freeze, HalfOpen
from tandem.bridge.faults.proxy import FaultProxy, ProxyFailed

__all__ = [
    "FAULTS", "Counts", "Cut", "Decision", "Decisions", "Delay", "Direction", "Drop", "Duplicate", "Fault",
    "FaultProxy", "Freeze", "HalfOpen", "NotZmtp", "ProxyFailed", "Reorder", "faults_named", "faults_text",
]
