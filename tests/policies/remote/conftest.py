"""Bodies, false servers of either wire, and our own ones, each on a free port of this computer."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import zmq
from websockets.sync.server import serve

from tandem.bridge.conformance import DummyBody, DummyPolicy, dummy_spec
from tandem.bridge.contract import BodySpec
from tandem.policies.remote import Service, key_map, remote_policy
from tandem.policies.remote.arrays import Encoding, decode, encode
from tandem.policies.remote.gr00t_server import Gr00tServer
from tandem.policies.remote.openpi_server import OpenpiServer

UPRIGHT = np.array([0.4, 0.0, 0.3, 1.0, 0.0, 0.0, 0.0])
SCHEMES = {"gr00t": "gr00t:tcp", "openpi": "openpi:ws"}


@pytest.fixture(scope="session")
def spec() -> BodySpec:
    """Three sliding joints, a gripper, two cameras."""
    dummy = dummy_spec()
    return replace(dummy, cameras=(*dummy.cameras, replace(dummy.cameras[0], name="wrist", width=24, depth=False)))


@pytest.fixture
def observation(spec) -> dict[str, np.ndarray]:
    first, _ = DummyBody(spec).reset(seed=0)
    rng = np.random.default_rng(0)
    pictures = {key: rng.integers(0, 255, first[key].shape, np.uint8) for key in ("image.front", "image.wrist")}
    return {**{key: np.array(first[key]) for key in first}, **pictures}


@contextlib.contextmanager
def running(server: Any) -> Iterator[Any]:
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join(5.0)
        assert not thread.is_alive(), "the server does not end"


@pytest.fixture
def ours(spec) -> Iterator[Callable[..., Any]]:
    """Starts one of our servers: ours("gr00t", policy=..., map="tandem", token=...)."""
    with contextlib.ExitStack() as stack:
        def start(wire: str, *, policy: Any = None, map: str = "tandem", **options: Any) -> Any:
            served = {name: options.pop(name) for name in ("horizon", "skill") if name in options}
            service = Service(policy or DummyPolicy(spec), spec, key_map(map, spec), lambda q: UPRIGHT, **served)
            kind = Gr00tServer if wire == "gr00t" else OpenpiServer
            return stack.enter_context(running(kind(service, **{"port": 0} | options)))

        yield start


@pytest.fixture
def client(spec) -> Iterator[Callable[..., Any]]:
    """Connects one of our policies: client("gr00t", port, map="tandem")."""
    with contextlib.ExitStack() as stack:
        def connect(wire: str, port: int, *, map: str = "tandem", timeout_s: float = 2.0, **options: Any) -> Any:
            words = f"{SCHEMES.get(wire, wire + ':ws')}://127.0.0.1:{port}#{map}"
            policy = remote_policy(words, spec, timeout_s=timeout_s, **options)
            stack.callback(policy.close)
            return policy

        yield connect


class FalseGr00t:
    """A REP socket that answers as it is told.

    Args:
        answer: request to the answer; bytes are sent as they are, None is sent as nil.
        port: that another one has left; 0 takes one that is free.

    Attributes:
        requests: what came.
    """

    def __init__(self, answer: Callable[[dict], Any], port: int = 0):
        self._answer, self.requests, self._running = answer, [], True
        self._socket = zmq.Context.instance().socket(zmq.REP)
        self._socket.linger = 0
        self._bind(port)
        self.port = int(self._socket.last_endpoint.rsplit(b":", 1)[1])

    def _bind(self, port: int) -> None:
        for _ in range(100):  # whoever had it may still be leaving
            with contextlib.suppress(zmq.ZMQError):
                self._socket.bind(f"tcp://127.0.0.1:{port}")
                return
            time.sleep(0.02)

    def run(self) -> None:
        while self._running:
            if self._socket.poll(20):
                request = decode(self._socket.recv())
                self.requests.append(request)
                answer = self._answer(request)
                with contextlib.suppress(zmq.ZMQError):
                    self._socket.send(answer if isinstance(answer, bytes) else encode(answer, Encoding.GR00T))
        self._socket.close(linger=0)

    def stop(self) -> None:
        self._running = False


@pytest.fixture
def false_gr00t() -> Iterator[Callable[[Callable], FalseGr00t]]:
    with contextlib.ExitStack() as stack:
        yield lambda answer, **how: stack.enter_context(running(FalseGr00t(answer, **how)))


class FalseWebsocket:
    """A websocket server whose conversations are one function."""

    def __init__(self, handle: Callable):
        self._server = serve(handle, "127.0.0.1", 0, compression=None, max_size=None, close_timeout=0.2)
        self.port = self._server.socket.getsockname()[1]

    def run(self) -> None:
        self._server.serve_forever()

    def stop(self) -> None:
        self._server.shutdown()


@pytest.fixture
def false_websocket() -> Iterator[Callable[[Callable], FalseWebsocket]]:
    with contextlib.ExitStack() as stack:
        yield lambda handle: stack.enter_context(running(FalseWebsocket(handle)))
