"""A verifier that asks a model: here are the pictures from before and after, does the criterion hold?

The model is told the criterion and nothing else: neither what was done nor what anybody claims. What it cannot answer
is inconclusive.
"""

from __future__ import annotations

from tandem.agent.planner import prompting
from tandem.agent.planner.model import Model
from tandem.agent.planner.sight import picture_of
from tandem.bridge.contract import (
    BodySpec,
    InvalidOption,
    ModelUnusable,
    Observation,
    Outcome,
    PlannerFailed,
    Subgoal,
    Verdict,
    image_key,
    skill_named,
)


class JudgeVerifier:
    """Judges subgoals by what a model sees.

    Args:
        model: must take pictures, else `ModelUnusable`.
        spec: the body's specification.
        camera: whose pictures are shown; the first that stands still if left out. `InvalidOption` if there is none.
    """

    privileged = False

    def __init__(self, model: Model, spec: BodySpec, camera: str | None = None):
        if not model.family.sees:
            raise ModelUnusable(f"{model.family.name} takes no pictures and cannot judge; choose one that sees")
        standing = [each.name for each in spec.cameras if each.mount == "base"]
        known = [name for name in standing if camera in (None, name)]
        if not known:
            raise InvalidOption(f"the judge looks through a camera that stands still; there is {standing or 'none'}")
        self._model, self._camera = model, known[0]
        self.observes: tuple[str, ...] = (image_key(self._camera),)

    def reset(self) -> None:
        """It remembers nothing."""

    def watch(self, observation: Observation) -> None:
        """It needs nothing of what happens in between."""

    def verify(self, subgoal: Subgoal, before: Observation, after: Observation) -> Verdict:
        """What the model sees. A question that gets no answer is inconclusive, with the reason as evidence."""
        criterion = subgoal.criterion or skill_named(subgoal.skill).words(subgoal.arguments)[1]
        try:
            pictures = (picture_of(observation, self._camera) for observation in (before, after))
            [answer] = self._model.answer([prompting.judge(criterion, *pictures)])
        except PlannerFailed as reason:
            return Verdict(Outcome.INCONCLUSIVE, f"no judgement: {reason}", reason.calls)
        try:
            return Verdict(Outcome(answer.value["verdict"]), f"seen: {answer.value['evidence']}", (answer.call,))
        except (KeyError, ValueError, TypeError) as reason:
            words = f"no judgement: {reason!r} in {str(answer.value)[:80]}"
            return Verdict(Outcome.INCONCLUSIVE, words, (answer.call,))
