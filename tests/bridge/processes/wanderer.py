"""An agent that moves the arm to and fro until it may not any more, and then says why. Run as a process of its own.

With a second argument it records its episode there.
"""

import sys

import numpy as np

from tandem.bridge.client import Contact, RemoteBody
from tandem.bridge.contract import EpisodeStart, Step, TandemError
from tandem.bridge.log import Recorder


def main(endpoint: str, log: str = "") -> None:
    body = RemoteBody.at(Contact.at(endpoint), name="wanderer")
    first, _ = body.reset()
    start, recorder = first["joint_position"], None
    if log:
        recorder = Recorder(log, lossless=False)
        recorder.on_episode_start(EpisodeStart("wander", body.spec, first))
    inwards = np.sign((body.spec.position_low + body.spec.position_high) / 2 - start + 1e-9)
    try:
        for k in range(100_000):
            action = np.append(start + 0.1 * np.abs(np.sin(k / 16)) * inwards, 1.0)
            after = body.step(action)[0]
            if recorder is not None:
                recorder.on_step(Step(k, first, action, action, after))
            first = after
            if k == 10:
                sys.stdout.write("moving\n")
                sys.stdout.flush()
    except TandemError as reason:
        sys.stdout.write(f"{type(reason).__name__}: {reason}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
