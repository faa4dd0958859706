"""Serves a policy on openpi's wire: metadata first, then question and answer in turn, `GET /healthz`.

Each connection has a thread that computes and another of the library's that answers pings meanwhile. An error is one
text message, after which the connection closes with 1011, as openpi's own server does. Source: openpi's
serving/websocket_policy_server.py.
"""

from __future__ import annotations

import itertools
import threading
import time
from http import HTTPStatus
from typing import Any

from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from tandem.bridge.contract import InvalidObservation, InvalidOption
from tandem.policies.remote import paths
from tandem.policies.remote.arrays import MAX_FRAME, Encoding, decode, encode
from tandem.policies.remote.service import Service, check_exposure, same_token, words_of_error
from tandem.policies.remote.websocket import WebSocketException

MAX_CLIENTS = 16
_FAILED, _TRY_LATER, _LEAVING = 1011, 1013, 1001


class OpenpiServer:
    """See the module.

    Args:
        service: the policy.
        host: address to be reached at; any but this computer's own needs a token.
        port: TCP port; 0 takes one that is free.
        token: that clients send as `Authorization: Api-Key TOKEN`; None for none.

    Attributes:
        port: that it is reached at.

    Raises:
        InvalidOption: the address is taken, or would be open to others.
    """

    def __init__(self, service: Service, *, host: str = "127.0.0.1", port: int = 8000, token: str | None = None):
        check_exposure(host, token)
        self._service, self._token = service, token
        self._numbers = itertools.count(1)
        self._open: set[ServerConnection] = set()
        self._lock = threading.Lock()
        try:
            self._server = serve(
                self._handle, host, port, compression=None, max_size=MAX_FRAME, close_timeout=1.0,
                process_request=self._admit,
            )
        except OSError as reason:
            raise InvalidOption(f"cannot bind {host}:{port}: {reason.strerror}; choose another --port") from reason
        self.port = self._server.socket.getsockname()[1]

    def run(self) -> None:
        """Serve until `stop`."""
        self._server.serve_forever()

    def stop(self) -> None:
        """End `run` and every connection; from any other thread."""
        self._server.shutdown()
        with self._lock:
            leaving = list(self._open)
        for connection in leaving:
            connection.close(_LEAVING, "the server is ending")

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        if request.path == "/healthz":
            return connection.respond(HTTPStatus.OK, "OK\n")
        given = request.headers.get("Authorization", "").removeprefix("Api-Key ")
        if not same_token(given, self._token):
            return connection.respond(HTTPStatus.UNAUTHORIZED, "send Authorization: Api-Key TOKEN\n")
        return None

    def _handle(self, connection: ServerConnection) -> None:
        with self._lock:
            full = len(self._open) >= MAX_CLIENTS
            self._open.add(connection)
        try:
            if full:
                connection.close(_TRY_LATER, f"{MAX_CLIENTS} clients are served already")
            else:
                self._converse(connection, next(self._numbers))
        except WebSocketException:
            pass  # the client has gone
        finally:
            with self._lock:
                self._open.discard(connection)

    def _converse(self, connection: ServerConnection, client: int) -> None:
        connection.send(encode({"tandem": self._service.about()}, Encoding.OPENPI))
        before_ms = None
        for message in connection:
            start = time.perf_counter()
            try:
                answer = self._answer(client, message)
                answer["server_timing"] = {"infer_ms": _ms_since(start)}
                if before_ms is not None:
                    answer["server_timing"]["prev_total_ms"] = before_ms
                frame = encode(answer, Encoding.OPENPI)
            except Exception as error:  # noqa: BLE001 as the wire has it: words, and the connection ends
                connection.send(words_of_error(error))
                connection.close(_FAILED, "the request failed")
                return
            connection.send(frame)
            before_ms = _ms_since(start)

    def _answer(self, client: int, message: bytes | str) -> dict[str, Any]:
        if isinstance(message, str):
            raise InvalidObservation("a text; an observation is a binary message")
        observation = decode(message)
        extra = observation.get("tandem") if type(observation) is dict else None
        extra = extra if type(extra) is dict else {}
        if "reset" in extra:
            self._service.reset(client, extra["reset"])
            return {"tandem": {"reset": extra["reset"]}}
        wanted = {name: extra.get(name) for name in ("epoch", "request_id", "subgoal")}
        reply = self._service.answer(client, paths.unpack(observation, self._service.keymap), **wanted)
        return {**reply.actions, "tandem": dict(reply.about)}


def _ms_since(start: float) -> float:
    return (time.perf_counter() - start) * 1000.0
