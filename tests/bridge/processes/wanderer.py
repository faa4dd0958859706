"""An agent that moves the arm to and fro until it may not any more, and then says why. Run as a process of its own."""

import sys

import numpy as np

from tandem.bridge.client import Contact, RemoteBody
from tandem.bridge.contract import TandemError


def main(endpoint: str) -> None:
    body = RemoteBody.at(Contact.at(endpoint), name="wanderer")
    start = body.reset()[0]["joint_position"]
    inwards = np.sign((body.spec.position_low + body.spec.position_high) / 2 - start + 1e-9)
    try:
        for k in range(100_000):
            body.step(np.append(start + 0.1 * np.abs(np.sin(k / 16)) * inwards, 1.0))
            if k == 10:
                sys.stdout.write("moving\n")
                sys.stdout.flush()
    except TandemError as reason:
        sys.stdout.write(f"{type(reason).__name__}: {reason}\n")


if __name__ == "__main__":
    main(sys.argv[1])
