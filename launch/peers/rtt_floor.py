"""How fast libzmq itself carries what the bridge carries: three 224x224 images and a state up, a 50x8 chunk down.

No encoding and no check, a DEALER and a ROUTER in two processes over tcp loopback; started by
`launch/benchmark.py bridge` under Tandem's own Python, and runs anywhere with pyzmq:

    python launch/peers/rtt_floor.py [ROUNDS]

Prints one JSON line.
"""

import json
import subprocess
import sys
from time import perf_counter_ns

import zmq

IMAGE_BYTES, STATE_BYTES, CHUNK_BYTES = 224 * 224 * 3, 300, 50 * 8 * 4
WARM_UP = 50


def answer(endpoint: str) -> None:
    """The other process: a chunk for whatever comes."""
    socket = zmq.Context().socket(zmq.DEALER)
    socket.linger = 0
    socket.connect(endpoint)
    socket.send(b"here")
    chunk = bytes(CHUNK_BYTES)
    while True:
        socket.recv_multipart(copy=False)
        socket.send(chunk)


def main(rounds: int) -> None:
    router = zmq.Context().socket(zmq.ROUTER)
    port = router.bind_to_random_port("tcp://127.0.0.1")
    other = subprocess.Popen([sys.executable, __file__, "answer", f"tcp://127.0.0.1:{port}"])
    try:
        peer = router.recv_multipart()[0]
        frames = [bytes(STATE_BYTES), *(bytes(IMAGE_BYTES) for _ in range(3))]
        took_us = []
        for _ in range(rounds + WARM_UP):
            begin = perf_counter_ns()
            router.send_multipart([peer, *frames], copy=False)
            router.recv_multipart(copy=False)
            took_us.append((perf_counter_ns() - begin) / 1000)
    finally:
        other.kill()
    ordered = sorted(took_us[WARM_UP:])
    figures = {"rtt_us_p50": ordered[len(ordered) // 2], "rtt_us_p99": ordered[len(ordered) * 99 // 100]}
    print(json.dumps({"peer": "libzmq", "version": zmq.zmq_version(), **figures}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["answer"]:
        answer(sys.argv[2])
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
