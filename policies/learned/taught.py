"""A learner begins each subgoal and a teacher goes on: lessons about the states that the learner gets itself into.

Imitating only what a teacher does from where a teacher is, a policy never learns to come back from its own mistakes
(Ross et al. 2011, arXiv 1011.0686). Here the learner drives for a while that is drawn for each subgoal; from where that
led, the teacher begins anew. Logs tell the two apart by the phase, and only what the teacher did is a lesson.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from tandem.bridge.contract import ActionChunk, Event, Observation, Policy, SkillFailed, SkillSpec, Subgoal
from tandem.bridge.contract import observation as keys

LEARNER = "learner"


class TaughtPolicy:
    """See the module.

    Args:
        learner: begins, with the skills that it has.
        teacher: goes on, and is the one who ends a subgoal.
        most: chunks of the learner, at most; how many depends on where the subgoal begins, and on nothing else.

    Attributes:
        skills: the teacher's.
    """

    def __init__(self, learner: Policy, teacher: Policy, *, most: int = 8):
        self._learner, self._teacher, self._most = learner, teacher, most
        self.skills: Mapping[str, SkillSpec] = teacher.skills
        self.privileged = getattr(teacher, "privileged", False)
        self.reset(0)

    def listen(self, tell: Callable[[Event], None]) -> None:
        """Passed on."""
        for policy in (self._learner, self._teacher):
            if hasattr(policy, "listen"):
                policy.listen(tell)

    def reset(self, epoch: int) -> None:
        """A new subgoal."""
        self._left: int | None = None
        self._request = 0
        self._learner.reset(epoch)
        self._teacher.reset(epoch)

    def infer(self, observation: Observation, subgoal: Subgoal) -> ActionChunk:
        """The next chunk of whoever's turn it is. Raises `SkillFailed` when the teacher gives up."""
        chunk = self._begun(observation, subgoal) or self._teacher.infer(observation, subgoal)
        self._request += 1
        return replace(chunk, request_id=self._request - 1)

    def _begun(self, observation: Observation, subgoal: Subgoal) -> ActionChunk | None:
        """The learner's next chunk; None once its time is over, or it has nothing more to say."""
        if self._left is None:
            self._left = self._drawn(observation)
        if self._left <= 0 or subgoal.skill not in self._learner.skills:
            return None
        self._left -= 1
        try:
            chunk = self._learner.infer(observation, subgoal)
        except SkillFailed:
            self._left = 0
            return None
        if chunk.final:
            self._left = 0
        return replace(chunk, final=False, phase=LEARNER)

    def _drawn(self, observation: Observation) -> int:
        where = np.concatenate([observation[keys.JOINT_POSITION], observation[keys.TIME]])
        return int(np.random.default_rng(zlib.crc32(where.tobytes())).integers(0, self._most + 1))
