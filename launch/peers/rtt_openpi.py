"""How fast openpi's own client carries what the bridge carries: three 224x224 images and a state up, a 50x8 chunk down.

Its `WebsocketClientPolicy` against a websocket that answers every observation, in two processes over tcp loopback;
started by `launch/benchmark.py bridge` under the openpi peer's own Python, so it imports nothing of Tandem:

    ~/.cache/tandem-peers/openpi/bin/python launch/peers/rtt_openpi.py [ROUNDS]

Prints one JSON line.
"""

import json
import subprocess
import sys
from importlib.metadata import version
from time import perf_counter_ns

import numpy as np
from openpi_client import msgpack_numpy
from openpi_client.websocket_client_policy import WebsocketClientPolicy
from websockets.sync.server import serve

WARM_UP = 50


def answer() -> None:
    """The other process: reads every observation, answers with a chunk. Prints its port."""
    packer, chunk = msgpack_numpy.Packer(), {"actions": np.zeros((50, 8), np.float32)}

    def handle(connection) -> None:
        connection.send(packer.pack({}))
        for message in connection:
            msgpack_numpy.unpackb(message)
            connection.send(packer.pack(chunk))

    with serve(handle, "127.0.0.1", 0, compression=None, max_size=None) as server:
        print(server.socket.getsockname()[1], flush=True)
        server.serve_forever()


def main(rounds: int) -> None:
    other = subprocess.Popen([sys.executable, __file__, "answer"], stdout=subprocess.PIPE, text=True)
    try:
        policy = WebsocketClientPolicy("127.0.0.1", int(other.stdout.readline()))
        rng = np.random.default_rng(0)
        observation = {f"image_{i}": rng.integers(0, 255, (224, 224, 3), np.uint8) for i in range(3)}
        observation |= {"state": np.zeros(8, np.float32), "prompt": "put the cube in the bin"}
        took_us = []
        for _ in range(rounds + WARM_UP):
            begin = perf_counter_ns()
            policy.infer(observation)
            took_us.append((perf_counter_ns() - begin) / 1000)
    finally:
        other.kill()
    p50, p99 = np.percentile(took_us[WARM_UP:], [50, 99])
    figures = {"rtt_us_p50": p50, "rtt_us_p99": p99}
    print(json.dumps({"peer": "openpi-client", "version": version("openpi-client"), **figures}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["answer"]:
        answer()
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
