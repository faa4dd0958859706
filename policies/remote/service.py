"""A policy of Tandem as a server sees it: a question in, actions by the client's keys out. It knows no wire.

One policy serves one client at a time; when another one asks, or an epoch begins, the policy is reset first, so that no
memory of one client's episode moves another's arm. Clients of others have no word for a subgoal that ends (openpi's
wire has none at all): where what they ask for is another one, a subgoal begins.
"""

from __future__ import annotations

import hmac
import logging
import secrets
import threading
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from tandem.bridge.contract import (
    ActionChunk,
    BodySpec,
    FailureCode,
    InvalidObservation,
    InvalidOption,
    Observation,
    Policy,
    SkillFailed,
    SpecMismatch,
    Subgoal,
    TandemError,
    UnknownName,
)
from tandem.bridge.contract import observation as keys
from tandem.bridge.security import is_loopback
from tandem.policies.remote.actions import from_body, resampled
from tandem.policies.remote.errors import Undecodable
from tandem.policies.remote.mapping import KeyMap, Told, fingerprint
from tandem.policies.remote.parts import Part
from tandem.policies.remote.question import Question, Reply, observe
from tandem.policies.remote.words import subgoal_of

log = logging.getLogger(__name__)
_CODES: Mapping[type[TandemError], FailureCode] = {
    InvalidObservation: FailureCode.INVALID_OBSERVATION, SpecMismatch: FailureCode.SPEC_MISMATCH,
    UnknownName: FailureCode.PRECONDITION_FAILED, Undecodable: FailureCode.INVALID_OBSERVATION,
}


class Service:
    """See the module.

    Args:
        policy: what is served.
        spec: of the body that the policy was made for.
        keymap: how clients call observations and actions.
        tool_pose: (7,) for joint positions (n,), for clients that do not tell it.
        horizon: every chunk gets this many actions, cut or held at its last; None leaves them as they are.
        skill: for an instruction that fits no skill's words; None refuses it.

    Raises:
        SpecMismatch, InvalidOption: map and body do not fit, or the map's actions cannot be served.
    """

    def __init__(
        self, policy: Policy, spec: BodySpec, keymap: KeyMap, tool_pose: Callable[[np.ndarray], np.ndarray], *,
        horizon: int | None = None, skill: str | None = None,
    ):
        keymap.require(spec, Told())
        if keymap.needs(Part.TOOL_STEPS):
            raise InvalidOption(f"key map {keymap.name!r} cannot be served: its actions move the tool, not joints")
        if horizon is not None and horizon < 1:
            raise InvalidOption(f"horizon must be at least 1 action, got {horizon}")
        if skill is not None and skill not in policy.skills:
            raise UnknownName("skill", skill, policy.skills)
        self.spec, self.keymap, self.horizon = spec, keymap, horizon
        self.session = secrets.token_hex(8)
        self._policy, self._tool_pose, self._skill = policy, tool_pose, skill
        self._lock, self._begun = threading.Lock(), time.monotonic()
        self._whose: tuple[Hashable, int | None] = None, None
        self._wanted: Subgoal | None = None
        self._resets = 0

    def about(self) -> dict[str, Any]:
        """What a client of Tandem compares before anything moves."""
        return {**fingerprint(self.keymap, self.spec), "session": self.session}

    def reset(self, client: Hashable, epoch: Any) -> None:
        """Forget the episode before. Raises `InvalidObservation` for an epoch that is no number."""
        _check_whole("epoch", epoch)
        with self._lock:
            self._begin(client, epoch)

    def answer(
        self, client: Hashable, question: Question, *, epoch: Any = None, request_id: Any = None, subgoal: Any = None
    ) -> Reply:
        """One chunk.

        Args:
            client: whose; anything that tells connections apart.
            question: what came.
            epoch: of the client; another than before resets the policy, as does another subgoal. Echoed.
            request_id: echoed.
            subgoal: `Subgoal.to_dict` if the client sends one; else the words are read.

        Returns:
            actions at the map's rate, in as many rows as `horizon` says.

        Raises:
            TandemError: why there is none; `words_of_error` puts it in the wire's words.
        """
        for name, number in (("epoch", epoch), ("request_id", request_id)):
            _check_whole(name, number)
        arrived_s = time.monotonic() - self._begun
        observation = observe(self.keymap, self.spec, question, arrived_s, self._tool_pose)
        wanted = subgoal_of(question.words, subgoal, self._policy.skills, self._skill)
        with self._lock:
            if self._whose != (client, epoch):
                self._begin(client, epoch)
            if wanted != self._wanted:
                self._change(wanted)
            chunk = self._fitted(self._policy.infer(observation, wanted), observation)
        vectors = from_body(self.keymap, self.spec, chunk.actions, observation)
        about = {"session": self.session, "epoch": epoch, "request_id": request_id, "final": chunk.final,
                 "phase": chunk.phase}
        return Reply({name: array.astype(self.keymap.dtype) for name, array in vectors.items()}, about)

    def _begin(self, client: Hashable, epoch: Any) -> None:
        """A subgoal; of another episode when the client is another one or its epoch does not grow."""
        before, last = self._whose
        if client != before or epoch is None or last is None or epoch <= last:
            self._resets = 0
            self._policy.reset(0)
        self._resets += 1
        self._policy.reset(self._resets)
        self._whose, self._wanted = (client, epoch), None

    def _change(self, wanted: Subgoal) -> None:
        """Another subgoal of the same episode, perhaps without a word about it; the first one has been begun."""
        if self._wanted is not None:
            self._resets += 1
            self._policy.reset(self._resets)
        self._wanted = wanted

    def _fitted(self, chunk: ActionChunk, observation: Observation) -> ActionChunk:
        """The chunk at the rate and in the length that were promised. One that is cut does not end its subgoal."""
        start = np.append(observation[keys.JOINT_POSITION], observation[keys.GRIPPER_OPENING])
        dt_s = self.keymap.dt_s or chunk.dt_s
        actions = resampled(chunk.actions, start, chunk.dt_s, dt_s)
        count = self.horizon or len(actions)
        rows = np.minimum(np.arange(count), len(actions) - 1)
        return replace(chunk, actions=actions[rows], dt_s=dt_s, final=chunk.final and len(actions) <= count)


def _check_whole(name: str, value: Any) -> None:
    if value is not None and type(value) is not int:
        raise InvalidObservation(f"{name} must be a whole number, got {type(value).__name__}")


def words_of_error(error: Exception) -> str:
    """An error as a client is told it: the code first, no traceback and no path of this computer."""
    if isinstance(error, SkillFailed):
        return f"{error.code}: {error.detail}"
    code = next((code for kind, code in _CODES.items() if isinstance(error, kind)), FailureCode.INTERNAL_ERROR)
    if not isinstance(error, TandemError):
        log.error("a request ended in a mistake of a program", exc_info=error)
        return f"{code}: {type(error).__name__}; the server's own output says more"
    return f"{code}: {error}"


def check_exposure(host: str, token: str | None) -> None:
    """Raise `InvalidOption` for an address that others reach without a token."""
    if token is not None and not token:
        raise InvalidOption("an empty token guards nothing; give one, or none and stay on 127.0.0.1")
    if token is None and not is_loopback(host):
        raise InvalidOption(f"--host {host} can be reached from elsewhere: give a --token, or stay on 127.0.0.1")


def same_token(given: Any, token: str | None) -> bool:
    """Whether a client may ask, in a time that does not tell how much of its token is right."""
    if token is None:
        return True
    words = given if isinstance(given, str) else ""
    return hmac.compare_digest(words.encode(errors="replace"), token.encode())
