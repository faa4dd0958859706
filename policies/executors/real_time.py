"""Real-time chunking: the next chunk is sampled so that it continues what the arm will have done when it arrives.

Guided (arXiv 2506.07339), or with a model that was trained for it (arXiv 2512.05964). The formulas are in `guidance`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tandem.bridge.contract import ActionChunk, BodySpec, InvalidOption, Observation, Subgoal, UnknownName
from tandem.policies.executors.executor import Executor, Options
from tandem.policies.executors.flow import Drawing, FlowPolicy
from tandem.policies.executors.thinking import Clock

if TYPE_CHECKING:
    from torch import Tensor

MODES = ("guided", "trained")


@dataclass(frozen=True)
class RealTimeOptions(Options):
    """How chunks are joined.

    Attributes:
        horizon: s, steps from one thought to the next; more if thinking takes longer.
        mode: "guided", or "trained" for a model that was trained with clean prefixes.
        jacobian: "identity" or "full", when guided.
        schedule: "linear" or "exp", how the weights of the prefix fall.
        beta: bound on the guidance.
    """

    horizon: int = 5
    mode: str = "guided"
    jacobian: str = "identity"
    schedule: str = "linear"
    beta: float = 5.0

    def __post_init__(self):
        super().__post_init__()
        for kind, known in (
            ("mode", MODES), ("jacobian", ("identity", "full")), ("schedule", ("linear", "exp")),
        ):
            if getattr(self, kind) not in known:
                raise UnknownName(kind, getattr(self, kind), known)


class RealTimeChunking(Executor):
    """Samples against what lies ahead. With nothing ahead, as at the beginning of a subgoal, it samples plainly.

    Args:
        policy: a `FlowPolicy`; any other is refused.
        spec: the body's specification.
        options: a value of `RealTimeOptions`.
        clock: who pays for thinking. Where it charges a fixed time, a delay d of more than half a chunk is refused:
            d <= s <= H - d must hold. In real time a longer delay is met by holding.

    Raises:
        InvalidOption: the policy has no velocity field, was not trained with prefixes, or has too short a chunk.
    """

    name = "rtc"
    Options = RealTimeOptions

    def __init__(
        self, policy: FlowPolicy, spec: BodySpec, options: RealTimeOptions | None = None, clock: Clock | None = None
    ):
        if not isinstance(policy, FlowPolicy):
            raise InvalidOption(
                f"rtc samples along a velocity field, which {type(policy).__name__} does not have; choose a flow "
                "policy, or the executor async"
            )
        super().__init__(policy, spec, options, clock)
        from tandem.policies.executors import guidance  # torch takes seconds to import, and only this executor needs it

        self._guidance = guidance
        self._check(policy.horizon, policy.trained_prefix * policy.stride)

    def _check(self, chunk: int, trained: int) -> None:
        delay, s = self.delay, self.options.horizon
        if max(delay, s) > chunk - delay:
            raise InvalidOption(
                f"rtc needs delay <= horizon <= chunk - delay, got a delay of {delay} steps, a horizon of {s} and "
                f"chunks of {chunk} actions"
            )
        if self.options.mode == "trained" and trained < max(delay, 1):
            raise InvalidOption(
                f"the policy was trained to go on from at most {trained} given actions, and thinking takes {delay} "
                "steps; choose mode=guided"
            )

    def _due(self) -> bool:
        return self._since >= max(self.options.horizon, self.delay) or not len(self._ahead)

    def _asking(self, observation: Observation, subgoal: Subgoal) -> Callable[[], ActionChunk]:
        ahead, delay, behind = self._ahead, min(self.delay, len(self._ahead)), self._behind()
        since = max(self._since, delay)

        def ask() -> ActionChunk:
            if hasattr(self.policy, "carried_out"):
                self.policy.carried_out(behind)
            return self.policy.infer_by(lambda drawing: self._draw(drawing, ahead, delay, since), observation, subgoal)

        return ask

    def _draw(self, drawing: Drawing, ahead: np.ndarray, delay: int, since: int) -> Tensor:
        """A new chunk against what lies ahead (k, n + 1), of which `delay` actions will be carried out meanwhile."""
        policy, guidance, noise, steps = self.policy, self._guidance, drawing.noise, drawing.steps
        points = slice(policy.stride - 1, None, policy.stride)
        if not len(ahead[points]):
            return guidance.sample(drawing.velocity, noise, steps)
        left = drawing.encode(ahead[points]).to(noise)
        if self.options.mode == "trained":
            prefix = left[:min(delay // policy.stride, policy.trained_prefix)]
            return guidance.sample_with_prefix(drawing.velocity, noise, steps, prefix)
        end = max(delay, min(len(ahead), policy.horizon - since))
        weights = guidance.prefix_weights(delay, end, policy.horizon, self.options.schedule)[points]
        previous = noise.new_zeros(noise.shape)
        previous[:len(left)] = left
        return guidance.sample_guided(
            drawing.velocity, noise, steps, previous, noise.new_tensor(weights), beta=self.options.beta,
            jacobian=self.options.jacobian,
        )
