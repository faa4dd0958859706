"""A policy that runs elsewhere, behind the `Policy` interface: the agent cannot tell.

Before anything moves the server, the key map and the body are compared (`SpecMismatch`). A chunk is used only if it
answers the one outstanding request: after a timeout the connection is closed, so what comes late has nowhere to go, and
a server of Tandem echoes epoch and request besides. The first request of an epoch waits until the server has
acknowledged its reset. One thread at a time: an episode may end while a thought of its is still waiting for the server.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from typing import Any

from tandem.bridge.contract import (
    SKILLS,
    ActionChunk,
    BodySpec,
    FailureCode,
    InvalidAction,
    InvalidOption,
    Observation,
    SkillFailed,
    SkillSpec,
    Subgoal,
    skill_named,
)
from tandem.bridge.contract import observation as keys
from tandem.policies.remote.actions import to_body
from tandem.policies.remote.errors import ServerRefused, ServerUnresponsive, Undecodable
from tandem.policies.remote.link import Link
from tandem.policies.remote.mapping import KeyMap, Told
from tandem.policies.remote.parts import Part
from tandem.policies.remote.question import Reply, ask

_CODED = re.compile(r"(?:SkillFailed: )?([A-Z_]{4,30}): (.*)", re.DOTALL)


class RemotePolicy:
    """See the module.

    Args:
        spec: of the body.
        keymap: what is called what.
        link: the connection.
        skills: what the server is good for, which no wire tells: you declare it.
        done_s: body time after which a subgoal counts as carried out and is left to the verifier, for servers that
            never say that they are done (all but Tandem's); None: such a subgoal ends when its own time is up.

    Attributes:
        told: what the server said of itself.

    Raises:
        InvalidOption: done_s is no time.
        SpecMismatch: body, key map and server do not agree; nothing may move.
        ServerUnresponsive, ServerRefused, Undecodable: there is no such server, or it wants another token.
    """

    def __init__(
        self, spec: BodySpec, keymap: KeyMap, link: Link, *, skills: Mapping[str, SkillSpec] = SKILLS,
        done_s: float | None = None,
    ):
        if done_s is not None and not 0 < done_s < 3600:
            raise InvalidOption(f"done_s must be above 0 and below an hour, got {done_s}")
        self.done_s = done_s
        self.spec, self.keymap, self.link, self.skills = spec, keymap, link, skills
        keymap.require(spec, Told())
        self._arm = _arm(spec) if keymap.needs(Part.TOOL_STEPS) else None
        self.told = Told()
        self._alone = threading.Lock()
        self._asked = 0  # numbers what crosses the wire, and never starts over
        self.reset(0)
        self._begin()

    def reset(self, epoch: int) -> None:
        """Forget everything. The server is told with the next request, which waits for its word."""
        with self._alone:
            self._epoch, self._request, self._fresh = epoch, 0, True
            self._subgoal: Subgoal | None = None
            self._start_s = 0.0

    def infer(self, observation: Observation, subgoal: Subgoal) -> ActionChunk:
        """The next chunk, in the body's control steps.

        Raises:
            SkillFailed: TIMEOUT (no answer, or the connection ended: the next call connects anew; or the subgoal's time
                is up), INVALID_ACTION (no chunk, or one not finite or far out of bounds), the server's own code, or
                INTERNAL_ERROR with its words.
            SpecMismatch: the answer has other keys or shapes than the map, or the server is another one now.
            InvalidObservation: a key is missing or not finite; nothing was sent.
            UnknownName: the skill is not declared.
        """
        skill_named(subgoal.skill, self.skills)
        with self._alone:
            return self._infer(observation, subgoal)

    def _infer(self, observation: Observation, subgoal: Subgoal) -> ActionChunk:
        time_s = float(observation[keys.TIME][0])
        if subgoal != self._subgoal:
            self._subgoal, self._start_s = subgoal, time_s
        if time_s - self._start_s > subgoal.timeout_s:
            raise SkillFailed(FailureCode.TIMEOUT, f"{subgoal} took longer than {subgoal.timeout_s:g} s")
        question = ask(self.keymap, self.spec, observation, subgoal)
        try:
            self._begin()
            self._asked += 1
            reply = self.link.ask(question, self._epoch, self._asked)
            self._check_echo(reply.about)
            actions = to_body(self.keymap, self.spec, reply.actions, observation, self._arm)
        except ServerUnresponsive as reason:
            raise SkillFailed(FailureCode.TIMEOUT, str(reason)) from reason
        except ServerRefused as reason:
            raise _failure(reason) from reason
        except (Undecodable, InvalidAction) as reason:
            raise SkillFailed(FailureCode.INVALID_ACTION, f"{self.link.address}: {reason}") from reason
        return self._chunk(actions, time_s, reply)

    def close(self) -> None:
        """Disconnect. Allowed twice; a later call of `infer` connects anew."""
        with self._alone:
            self.link.drop()

    def introduce(self) -> list[str]:
        """Lines for a person to look over before anything moves: where the server is, what is called what."""
        return [f"policy at {self.link.address}, key map {self.keymap.name}", *self.told.notes,
                *self.keymap.lines(self.spec), f"a subgoal ends {self._ending()}"]

    def _ending(self) -> str:
        if self.told.tandem is not None:
            return "when the server says so"
        if self.done_s is None:
            return "when its own time is up: this server never says that it is done, and no done_s is given"
        return f"after {self.done_s:g} s, and the verifier looks"

    def _begin(self) -> None:
        """Connect, compare and reset, as far as that is not done."""
        told = self.link.connect()
        if told is not None:
            self._compare(told)
            self._fresh = True
        if self._fresh:
            self.link.reset(self._epoch)
            self._fresh = False

    def _compare(self, told: Told) -> None:
        try:
            self.keymap.require(self.spec, told)
        except BaseException:
            self.link.drop()
            raise
        self.told = told

    def _check_echo(self, about: Mapping[str, Any]) -> None:
        """A server of Tandem says what it answers; anything else than the outstanding request is not used."""
        if self.told.tandem is None:
            return
        wanted = {"session": self.told.tandem.get("session"), "epoch": self._epoch, "request_id": self._asked}
        wrong = [f"{name} {value}, got {about.get(name)}" for name, value in wanted.items() if about.get(name) != value]
        if wrong:
            self.link.drop()
            raise ServerUnresponsive(f"{self.link.address}: a chunk for something else is not used: {'; '.join(wrong)}")

    def _chunk(self, actions: Any, time_s: float, reply: Reply) -> ActionChunk:
        self._request += 1
        end_s = time_s + len(actions) * self.spec.dt_s - self._start_s
        over = self.told.tandem is None and self.done_s is not None and end_s >= self.done_s
        final = reply.about.get("final") is True and self._is_whole(reply)
        return ActionChunk(
            actions, self.spec.dt_s, time_s, self._epoch, self._request - 1, final=over or final,
            phase=str(reply.about.get("phase", "remote"))[:40],
        )

    def _is_whole(self, reply: Reply) -> bool:
        """Whether all of a chunk is carried out: the subgoal ends with its last action, not with one before."""
        return self.keymap.use is None or len(reply.actions[self.keymap.action[0].theirs]) <= self.keymap.use


def _failure(refused: ServerRefused) -> SkillFailed:
    """The server's words as a failure; a code of ours at the head of their last line is taken as that."""
    found = _CODED.fullmatch(refused.words.strip().splitlines()[-1]) if refused.words.strip() else None
    if found and found[1] in FailureCode.__members__:
        return SkillFailed(FailureCode(found[1]), found[2])
    return SkillFailed(FailureCode.INTERNAL_ERROR, str(refused))


def _arm(spec: BodySpec) -> Any:
    from tandem.policies.motion.kinematics import Arm

    return Arm(spec)
