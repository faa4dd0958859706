"""Serves a policy on GR00T's wire, to clients of N1.5 to N1.7.

One thread reads and answers; another computes. A ping, a wrong token or a broken request is answered while a chunk is
being made. Every request gets one answer: the value, or {"error": words}. Source: see `gr00t`.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Any

import zmq

from tandem.bridge.contract import InvalidObservation, InvalidOption
from tandem.policies.remote import gr00t_form
from tandem.policies.remote.arrays import MAX_FRAME, Encoding, decode, encode
from tandem.policies.remote.errors import Undecodable
from tandem.policies.remote.gr00t import UNAUTHORIZED
from tandem.policies.remote.mapping import VectorKey
from tandem.policies.remote.question import Reply
from tandem.policies.remote.service import Service, check_exposure, same_token, words_of_error

_WAITING = 8  # requests that may wait for the policy
_ENDPOINTS = ("ping", "kill", "get_action", "reset", "get_modality_config")


class Gr00tServer:
    """See the module.

    Args:
        service: the policy.
        host: address to be reached at; any but this computer's own needs a token.
        port: TCP port; 0 takes one that is free.
        token: that every request must carry as `api_token`; None for none. Without one nobody can kill the server.

    Attributes:
        port: that it is reached at.

    Raises:
        InvalidOption: the address is taken, or would be open to others.
    """

    def __init__(self, service: Service, *, host: str = "127.0.0.1", port: int = 5555, token: str | None = None):
        check_exposure(host, token)
        self._service, self._token = service, token
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.linger, self._socket.maxmsgsize, self._socket.rcvhwm = 0, MAX_FRAME, 4
        self._socket.ipv6 = ":" in host
        self._results = self._context.socket(zmq.PULL)
        self._results.bind("inproc://results")
        try:
            self._socket.bind(f"tcp://{host}:{port}")
        except zmq.ZMQError as reason:
            self._context.destroy(linger=0)
            raise InvalidOption(f"cannot bind {host}:{port}: {reason.strerror}; choose another --port") from reason
        self.port = int(self._socket.last_endpoint.rsplit(b":", 1)[1])
        self._work: queue.Queue[tuple[list[bytes], dict[str, Any]] | None] = queue.Queue(_WAITING)
        self._running = True

    def run(self) -> None:
        """Serve until `stop`, or until a client with the token kills it."""
        worker = threading.Thread(target=self._compute, name="policy", daemon=True)
        worker.start()
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._results, zmq.POLLIN)
        while self._running:
            ready = dict(poller.poll(100))
            if self._results in ready:
                self._socket.send_multipart(self._results.recv_multipart())
            if self._socket in ready:
                self._take(self._socket.recv_multipart())
        self._end_work()
        worker.join(5.0)
        self._socket.close(linger=500)
        self._results.close(linger=0)
        if not worker.is_alive():  # one that still computes keeps its socket
            self._context.term()

    def stop(self) -> None:
        """End `run`; from any thread, or a signal's handler."""
        self._running = False

    def _end_work(self) -> None:
        """What waits for the policy is not begun any more."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._work.get_nowait()
        self._work.put(None)

    def _take(self, frames: list[bytes]) -> None:
        *route, body = frames
        try:
            request = decode(body)
            if type(request) is not dict:
                raise Undecodable("a request is a map with an endpoint")
            value = self._at_once(route, request)
        except Exception as error:  # noqa: BLE001 whatever a client sends, it gets an answer and the others go on
            value = {"error": words_of_error(error)}
        if value is not _LATER:
            self._socket.send_multipart([*route, encode(value, Encoding.GR00T)])

    def _at_once(self, route: list[bytes], request: dict[str, Any]) -> Any:
        """The answer to what needs no policy; the rest is handed on."""
        if not same_token(request.get("api_token"), self._token):
            return {"error": UNAUTHORIZED}
        match request.get("endpoint", "get_action"):
            case "ping":
                return {"status": "ok", "message": "Server is running", "tandem": self._service.about()}
            case "get_modality_config":
                return self._modalities()
            case "kill":
                return self._kill()
            case "get_action" | "reset":
                return self._hand_on(route, request)
            case other:
                return {"error": f"Unknown endpoint: {str(other)[:40]}. Known: {', '.join(_ENDPOINTS)}"}

    def _hand_on(self, route: list[bytes], request: dict[str, Any]) -> Any:
        try:
            self._work.put_nowait((route, request))
        except queue.Full:
            return {"error": f"busy: {_WAITING} requests are waiting; ask again later"}
        return _LATER

    def _kill(self) -> Any:
        if self._token is None:
            return {"error": "kill is for servers that were started with a token"}
        self.stop()
        return None

    def _modalities(self) -> dict[str, Any]:
        keymap = self._service.keymap
        pictures = [key.theirs for key in keymap.cameras if not key.depth]
        steps = list(range(self._service.horizon or 1))
        return {
            "video": _modality(pictures), "state": _modality(_keys(keymap.state)),
            "action": _modality(_keys(keymap.action), steps), "language": _modality([keymap.prompt]),
        }

    def _compute(self) -> None:
        """The policy's thread: one request after the other."""
        results = self._context.socket(zmq.PUSH)
        results.connect("inproc://results")
        while (work := self._work.get()) is not None:
            route, request = work
            results.send_multipart([*route, self._frame(route, request)])
        results.close(linger=0)

    def _frame(self, route: list[bytes], request: dict[str, Any]) -> bytes:
        handler = self._reset if request.get("endpoint") == "reset" else self._act
        try:
            return encode(_called(handler, route[0], request), Encoding.GR00T)
        except Exception as error:  # noqa: BLE001 a failing policy answers this request and serves the next
            return encode({"error": words_of_error(error)}, Encoding.GR00T)

    def _reset(self, client: bytes, request: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        self._service.reset(client, request.get("epoch"))
        return {"status": "ok", "epoch": request.get("epoch")}

    def _act(self, client: bytes, request: dict[str, Any], data: dict[str, Any]) -> Any:
        nested = "observation" in data
        if nested and set(data) - {"observation", "options"}:
            raise InvalidObservation(f"get_action takes observation and options, not {', '.join(map(str, data))[:200]}")
        question = gr00t_form.unpack(data["observation"] if nested else data, self._service.keymap)
        options = data.get("options") if nested and type(data.get("options")) is dict else {}
        reply = self._service.answer(
            client, question, epoch=request.get("epoch"), request_id=request.get("request_id"),
            subgoal=options.get("subgoal"),
        )
        return _written(reply, nested=nested)


_LATER = object()  # the answer comes from the policy's thread


def _called(handler: Callable[..., Any], client: bytes, request: dict[str, Any]) -> Any:
    data = request.get("data", {})
    if type(data) is not dict:
        raise InvalidObservation(f"data must be a map, got {type(data).__name__}")
    return handler(client, request, data)


def _written(reply: Reply, *, nested: bool) -> Any:
    if not nested:
        return {f"action.{name}": array for name, array in reply.actions.items()}
    return [{name: array[None] for name, array in reply.actions.items()}, {"tandem": dict(reply.about)}]


def _keys(vectors: tuple[VectorKey, ...]) -> list[str]:
    return [vector.theirs for vector in vectors]


def _modality(names: list[str], steps: list[int] | None = None) -> dict[str, Any]:
    config = {"delta_indices": steps or [0], "modality_keys": names, "sin_cos_embedding_keys": None,
              "mean_std_embedding_keys": None, "action_configs": None}
    return {"__ModalityConfig_class__": True, "as_json": config}
