"""The agent's side of the bridge's round trip: reads a state and three pictures, answers with a chunk.

Started by bridge.py. Everything that a real client does with them is done: its sockets, decoding, checks, arrays. Each
picture is looked at while the next is on its way.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import zmq

from tandem.bridge.client.contact import Contact
from tandem.bridge.client.pictures import Pictures
from tandem.bridge.client.sockets import STATE_HIGH_WATER, dealer, subscriber
from tandem.bridge.contract import BodySpec
from tandem.bridge.wire import Message, Port, decode, encode
from tandem.bridge.wire.codec import MAX_REPLY
from tandem.bridge.wire.frames import receive_named, send

ACTIONS = 50


def main(order: dict) -> None:
    spec, ports, session = BodySpec.from_dict(order["spec"]), order["ports"], order["session"]
    keys = order["keys"] and Path(order["keys"])
    contact = Contact.at(f"tcp://127.0.0.1:{ports[Port.CONTROL]}", keys=keys)
    context = zmq.Context()
    pictures = Pictures(context, contact, ports[Port.MEDIA], spec, session)
    states = subscriber(context, contact, ports[Port.STATE], STATE_HIGH_WATER, (b"state",))
    commands = dealer(context, contact, ports[Port.COMMAND], "benchmark")
    wanted = [f"image.{camera.name}" for camera in spec.cameras]
    actions, count, last = np.zeros((ACTIONS, spec.action.size)), 0, 0
    for key in wanted:
        pictures.subscribe(key)
    commands.poll(10_000, zmq.POLLOUT)
    time.sleep(0.5)  # subscriptions are on their way
    commands.send(b"here")
    while True:
        state = decode(receive_named(states)[1][0].bytes, limit=MAX_REPLY)
        for key in wanted:
            _, taken = pictures.first_after(key, last, 60.0)
        last = taken + 1
        count += 1
        fields = {"t0": state.t, "dt": 50_000_000, "ttl": 3_000_000_000, "names": spec.action.names, "q": actions}
        chunk = Message("chunk", fields, session, state.epoch, state.lease, count, time.monotonic_ns())
        send(commands, encode(chunk), 0)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
