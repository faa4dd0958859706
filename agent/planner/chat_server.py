"""One request to an OpenAI-compatible server, through the official client: bounded in tries, time and size.

What comes back is not trusted. Whatever text of the server leaves this file is free of the API key, should the server
echo it, and of half surrogate pairs, which no log can hold. The errors of the client are not chained to ours: they
hold the server's words as they came.
"""

from __future__ import annotations

import json
import math
import os
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import openai

from tandem.bridge.contract import InvalidOption, PlannerFailed

try:
    import httpx2 as httpx
except ImportError:  # what older releases of the client stand on
    import httpx

MAX_BODY = 4 * 2**20  # bytes of a reply
MAX_REFUSAL = 2**16  # bytes of what comes with any other status than success; what is beyond is left unread
_REFUSAL_S = 1.0  # for all of these bytes
MAX_PAUSE_S = 4.0
_FIRST_PAUSE_S = 0.5
_MIN_SECRET = 8  # characters: a shorter key is a placeholder such as "EMPTY", and hiding it would garble replies
_WORDS = 300  # characters of a server's words in a message
_REMEDIES = {
    401: "set the environment variable OPENAI_API_KEY to a key that it accepts",
    403: "set the environment variable OPENAI_API_KEY to a key that it accepts",
    404: "check the address, which usually ends in /v1, and the model's id",
    413: "the question is too long for it",
    429: "it is busy: ask for fewer episodes at once, or later",
}


@dataclass(frozen=True)
class Reply:
    """What a server said: text, thinking, why it stopped, tokens by name (None where it does not tell), and who said it
    (empty where it does not tell)."""

    text: str
    thinking: str
    finish: str
    tokens: Mapping[str, int | None]
    model: str = ""


class ServerRefused(PlannerFailed):
    """The server understood the request and would not do it: a status of 4xx or 501, in `status`."""

    def __init__(self, message: str, status: int):
        self.status = status
        super().__init__(message)


@dataclass(frozen=True)
class _Trouble:
    """Why a try failed, its status (0 for none), whether another try may help, and after how long."""

    words: str
    status: int = 0
    again: bool = True
    pause_s: float | None = None


class _TooMuch(Exception):
    """A reply that does not end."""


class _Beginning(httpx.SyncByteStream):
    """The first bytes of a body that the client reads by itself, whole: it may have no end, or drip for ever.

    Args:
        body: as it comes.
        most: bytes that are read of it.
        end_s: when reading ends, on the clock of `time.monotonic`.
    """

    def __init__(self, body: httpx.SyncByteStream, most: int, end_s: float):
        self._body, self._most, self._end_s = body, most, end_s

    def __iter__(self) -> Iterator[bytes]:
        left = self._most
        for part in self._body:
            yield part[:left]
            left -= len(part)
            if left <= 0 or time.monotonic() > self._end_s:
                return

    def close(self) -> None:
        """Of the body: the connection is not used again."""
        self._body.close()


def _shorten(response: httpx.Response) -> None:
    """Before the client reads a refusal or a redirection, or a list of models; a success `_body` reads in pieces."""
    most, limit_s = (MAX_BODY + 1, math.inf) if response.is_success else (MAX_REFUSAL, _REFUSAL_S)
    response.stream = _Beginning(response.stream, most, time.monotonic() + limit_s)


class ChatServer:
    """An OpenAI-compatible server. The key comes from OPENAI_API_KEY; without it none is sent.

    Args:
        base_url: "http://localhost:8000/v1".
        timeout_s: for one try.
        retries: further tries after a broken connection, a timeout, 429 or 5xx.

    Raises:
        InvalidOption: no http(s) address, or one that holds a password; a key that cannot be sent.
    """

    def __init__(self, base_url: str, *, timeout_s: float, retries: int):
        _check_address(base_url)
        if not timeout_s > 0 or retries < 0:
            raise InvalidOption(f"timeout_s is positive and retries not negative, got {timeout_s} and {retries}")
        self.url, self._timeout_s, self._retries = base_url.rstrip("/"), timeout_s, retries
        self._key = os.environ.get("OPENAI_API_KEY", "")
        if not re.fullmatch("[!-~]*", self._key):
            raise InvalidOption("OPENAI_API_KEY holds what no header can carry, such as a line break: set it without")
        self._client = openai.OpenAI(
            base_url=self.url, api_key=self._key or "none", max_retries=0, timeout=timeout_s,
            http_client=openai.DefaultHttpxClient(event_hooks={"response": [_shorten]}),
        )

    @property
    def limit_s(self) -> float:
        """How long all tries for one question may take together."""
        return (self._retries + 1) * self._timeout_s + self._retries * MAX_PAUSE_S

    def complete(self, request: Mapping[str, Any], *, end_s: float, notes: list[str]) -> Reply:
        """The server's reply to a chat request.

        Args:
            request: arguments of the client's `chat.completions.create`.
            end_s: when to give up, on the clock of `time.monotonic`.
            notes: one line is appended for each try that failed.

        Raises:
            ServerRefused: the request is not to its liking.
            PlannerFailed: it is down, slow, broken, or speaks another protocol.
        """
        for tries in range(1, self._retries + 2):
            outcome = self._post(request, min(end_s, time.monotonic() + self._timeout_s))
            if isinstance(outcome, Reply):
                return outcome
            notes.append(outcome.words)
            pause_s = min(outcome.pause_s or _FIRST_PAUSE_S * 2 ** (tries - 1), MAX_PAUSE_S, end_s - time.monotonic())
            if not outcome.again or tries > self._retries or pause_s <= 0:
                break
            time.sleep(pause_s)
        raise self._failure(outcome, tries)

    def clean(self, text: str) -> str:
        """The server's text without the API key and without half surrogate pairs."""
        text = text.encode("utf-8", "replace").decode()
        return text.replace(self._key, "[key]") if len(self._key) >= _MIN_SECRET else text

    def _post(self, request: Mapping[str, Any], end_s: float) -> Reply | _Trouble:
        limit_s = end_s - time.monotonic()
        if limit_s <= 0:
            return _Trouble("no time is left", again=False)
        try:
            chat = self._client.chat.completions.with_streaming_response
            with chat.create(**request, timeout=limit_s) as response:
                body = _body(response, end_s)
        except (openai.APITimeoutError, httpx.TimeoutException):
            return _Trouble(f"no answer within {limit_s:.3g} s")
        except (openai.APIConnectionError, httpx.HTTPError) as reason:
            return _Trouble(f"no connection ({type(reason.__cause__ or reason).__name__})")
        except openai.APIStatusError as reason:
            return self._status(reason)
        except _TooMuch:
            return _Trouble(f"what comes back has more than {MAX_BODY} bytes", again=False)
        except (openai.OpenAIError, ValueError) as reason:
            return _Trouble(f"the exchange broke off ({type(reason).__name__})", again=False)
        return self._reply(body)

    def _status(self, reason: openai.APIStatusError) -> _Trouble:
        status = reason.status_code
        again = status == 429 or (status >= 500 and status != 501)
        try:
            pause_s = float(reason.response.headers.get("retry-after", ""))
        except ValueError:
            pause_s = None
        said = reason.body.get("message") if isinstance(reason.body, dict) else None
        words = " ".join(self.clean(str(said or reason.message)).split())
        words = words.removeprefix(f"Error code: {status} - ")[:_WORDS]
        return _Trouble(f"{status}: {words}", status, again, pause_s if pause_s and pause_s > 0 else None)

    def _reply(self, body: bytes) -> Reply | _Trouble:
        try:
            completion = json.loads(body)
            choice = completion["choices"][0]
            message, finish = dict(choice["message"]), self.clean(str(choice.get("finish_reason")))[:_WORDS]
        except (ValueError, RecursionError, TypeError, LookupError, AttributeError) as reason:
            return _Trouble(f"what came back is no chat completion ({type(reason).__name__})", again=False)
        said = {name: self.clean(text) for name, text in message.items() if isinstance(text, str)}
        thinking, tokens = said.get("reasoning_content") or said.get("reasoning", ""), _tokens(completion.get("usage"))
        model = self.clean(str(completion.get("model") or ""))[:_WORDS]
        if said.get("refusal"):
            return Reply(said["refusal"], thinking, "refusal", tokens, model)
        return Reply(said.get("content", ""), thinking, finish, tokens, model)

    def _failure(self, trouble: _Trouble, tries: int) -> PlannerFailed:
        if 400 <= trouble.status < 500 or trouble.status == 501:
            remedy = _REMEDIES.get(trouble.status, "it does not take this request")
            there = f"; it serves: {self._models()}" if trouble.status == 404 else ""
            return ServerRefused(f"{self.url} refuses ({trouble.words}): {remedy}{there}", trouble.status)
        tried = f" after {tries} tries" if tries > 1 else ""
        if trouble.status:
            remedy = "look into the server's log"
        elif trouble.again:
            remedy = "is the server running there, and fast enough? Start it, name another, or give --planner-timeout-s"
        else:
            remedy = "name an OpenAI-compatible server; its address usually ends in /v1"
        return PlannerFailed(f"{self.url} failed{tried} ({trouble.words}): {remedy}")

    def _models(self) -> str:
        """The ids that the server says it serves, in words."""
        try:
            ids = [model.id for model in self._client.models.list(timeout=min(5.0, self._timeout_s)).data]
        except (openai.OpenAIError, TypeError, AttributeError, ValueError):
            return "nothing that it would tell"
        return self.clean(", ".join(map(str, ids[:10])))[:_WORDS] or "nothing"


def _check_address(base_url: str) -> None:
    try:
        address = urlsplit(base_url)
        known = address.scheme in ("http", "https") and bool(address.hostname) and address.port != 0
    except ValueError:
        address, known = urlsplit(""), False
    if "@" in base_url or address.query or address.fragment:
        raise InvalidOption("a server's address holds host and path only; its key goes into OPENAI_API_KEY")
    if not known:
        raise InvalidOption(f"a server's address looks like http://localhost:8000/v1, got {base_url!r}")


def _body(response: Any, end_s: float) -> bytes:
    """The whole body, read in pieces so that neither its size nor its slowness is the server's choice."""
    parts, size = [], 0
    for part in response.iter_bytes():
        parts.append(part)
        size += len(part)
        if size > MAX_BODY:
            raise _TooMuch
        if time.monotonic() > end_s:
            raise httpx.ReadTimeout("the reply drips")
    return b"".join(parts)


def _tokens(usage: Any) -> dict[str, int | None]:
    """Counts by our names; None for what a server does not tell. What is forced no server tells."""
    usage = usage if isinstance(usage, dict) else {}
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    counts = {"prompt": usage.get("prompt_tokens"), "cached": cached, "sampled": usage.get("completion_tokens")}
    return {**{name: n if type(n) is int and 0 <= n < 2**53 else None for name, n in counts.items()}, "forced": None}


SILENCE = Reply("", "", "", _tokens(None))
"""What is known before a server has said anything."""
