"""Questions about the truth of a world, by name, and their answers in plain data. Whoever asks is privileged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tandem.bridge.contract import InvalidOption, Subgoal, UnknownName
from tandem.sim.truth import Truth


class Oracle:
    """Answers from the present world.

    Args:
        truth: of a simulation.
    """

    def __init__(self, truth: Truth):
        self._truth = truth
        self._answers: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
            "success": lambda arguments: bool(truth.success()),
            "progress": lambda arguments: float(truth.progress()),
            "infeasible": lambda arguments: truth.infeasible(),
            "holds": self._holds,
            "remaining": lambda arguments: [subgoal.to_dict() for subgoal in truth.remaining()],
            "locate": self._locate,
        }

    @property
    def questions(self) -> tuple[str, ...]:
        """Names of those that are answered."""
        return tuple(self._answers)

    def answer(self, question: str, arguments: Mapping[str, Any]) -> Any:
        """The answer. Raises a `TandemError` that says why there is none."""
        if question not in self._answers:
            raise UnknownName("question", question, self.questions)
        try:
            return self._answers[question](arguments)
        except (LookupError, TypeError, ValueError, AttributeError) as reason:  # arguments come from anywhere
            raise InvalidOption(f"{question} cannot be answered for {str(arguments)[:200]}: {reason!r}") from reason

    def _holds(self, arguments: Mapping[str, Any]) -> bool | None:
        if not isinstance(arguments.get("subgoal"), Mapping):
            raise InvalidOption("holds needs the argument 'subgoal', a map as Subgoal.to_dict makes it")
        held = self._truth.holds(Subgoal.from_dict(arguments["subgoal"]))
        return None if held is None else bool(held)

    def _locate(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        if not isinstance(arguments.get("words"), str):
            raise InvalidOption("locate needs the argument 'words', a text such as 'red cube'")
        target = self._truth.locate(arguments["words"], None, {})
        return {
            "surface": target.surface.tolist(), "size": target.size.tolist(), "yaw_rad": float(target.yaw_rad),
            "rim_z_m": float(target.rim_z_m), "outward": target.outward.tolist(), "privileged": target.privileged,
        }
