"""One message of every kind, the same for every language: their bytes are in `golden/`."""

import numpy as np

from tandem.bridge.conformance import dummy_spec
from tandem.bridge.wire import KINDS, Message
from tandem.bridge.wire import fields as types

SPECIAL = {
    "versions": (1,), "spec": dummy_spec().to_dict(), "digest": dummy_spec().digest(), "mode": "ACTIVE",
    "limits": {"tick_hz": 500.0, "max_frame": 65536}, "security": "curve", "extensions": ("reset", "ask"),
    "ports": {"control": 7000, "command": 7001, "state": 7002, "media": 7003, "stop": 7004}, "role": "commander",
    "names": ("slide_x", "slide_y", "slide_z", "gripper"), "q": np.linspace(-1, 1, 8), "t0": 123_456_789_012,
    "dt": 50_000_000, "ttl": 300_000_000, "key": "image.front", "encoding": "raw", "dtype": "|u1",
    "shape": (24, 32, 3), "events": [{"kind": "disturbance", "time": 1.5, "message": "moved", "data": {}}],
    "value": [None, True, -3, 0.25, "text", {"a": [1]}], "question": "holds", "options": {"seed": 7},
    "info": {"instruction": "put the red cube in the blue bin", "seed": 7}, "fault": 3,
    "position": np.array([0.4, -0.1, 0.3]), "velocity": np.array([0.0, 0.25, -0.5]), "opening": np.array([0.75]),
    "tool": np.array([0.4, -0.1, 0.3, 0.0, 1.0, 0.0, 0.0]), "setpoint": np.array([0.41, -0.1, 0.3, 0.5]),
}
FILL = {
    types.WHOLE.name: 42, types.NUMBER.name: 0.125, types.FLAG.name: True, types.WORDS.name: "naïve – 机器人",
    types.NAMES.name: ("a", "b"), types.WHOLES.name: (1, 300), types.REALS.name: np.array([0.5, -2.0]),
    types.MAP.name: {"k": "v"}, types.ANY.name: None,
}


def sample(kind: str) -> Message:
    """The message of that kind."""
    values = {
        name: {} if kind == "report_status" and name == "fault" else SPECIAL.get(name, FILL[field.name])
        for name, field in KINDS[kind].items()
    }
    return Message(kind, values, "0123456789abcdef", epoch=5, lease=17, seq=1001, t=9_876_543_210_123)
