"""Ground truth of a simulated arm behind the bridge: for the record, and for planners that say they are privileged.

A physical arm has none. It never enters an observation; whoever asks makes the episode privileged.
"""

from __future__ import annotations

from dataclasses import fields

from tandem.bridge.client.body import RemoteBody
from tandem.bridge.client.lockstep import LockstepBody
from tandem.bridge.contract.errors import InvalidOption, SkillFailed
from tandem.bridge.contract.failure import FailureCode
from tandem.bridge.contract.geometry import Target
from tandem.bridge.contract.observation import Observation
from tandem.bridge.contract.plan import CameraPoint, Subgoal


class RemoteTruth:
    """Asks the controller of a simulated arm.

    Args:
        body: with the extension "ask". Raises `InvalidOption` for one without.
    """

    privileged = True

    def __init__(self, body: RemoteBody | LockstepBody):
        if "ask" not in body.link.extensions:
            raise InvalidOption("this body has no ground truth: it is not simulated")
        self._body = body

    def infeasible(self) -> str | None:
        """Why the instruction cannot be carried out; None when it can."""
        return self._body.ask("infeasible")

    def remaining(self) -> tuple[Subgoal, ...]:
        """What is still to be done from the present state, in order."""
        return tuple(Subgoal.from_dict(fields) for fields in self._body.ask("remaining"))

    def holds(self, subgoal: Subgoal) -> bool | None:
        """Whether the criterion of a subgoal holds now; None if no predicate can tell."""
        return self._body.ask("holds", {"subgoal": subgoal.to_dict()})

    def success(self) -> bool:
        """Whether the instruction is carried out now."""
        return self._body.ask("success")

    def progress(self) -> float:
        """How much of it is, 0 to 1."""
        return float(self._body.ask("progress"))

    def locate(self, words: str, point: CameraPoint | None, observation: Observation) -> Target:
        """A `TargetSource`: the words name an entity."""
        try:
            told = self._body.ask("locate", {"words": words})
        except InvalidOption as reason:
            raise SkillFailed(FailureCode.OBJECT_NOT_FOUND, str(reason)) from reason
        return Target(**{field.name: told[field.name] for field in fields(Target)})
