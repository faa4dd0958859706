"""What real-time chunking needs of a policy: its velocity field, so that a chunk can be sampled against another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from tandem.bridge.contract import ActionChunk, Observation, SkillSpec, Subgoal

if TYPE_CHECKING:
    from torch import Tensor


@runtime_checkable
class FlowPolicy(Protocol):
    """A policy that makes a chunk by following a velocity field from noise (t = 0) to actions (t = 1).

    Attributes:
        skills: the skills it offers, by name.
        horizon: H, actions in a chunk.
        flow_steps: Euler steps from noise to actions.
        trained_prefix: longest clean prefix with which it was trained; 0 if with none.
    """

    skills: Mapping[str, SkillSpec]
    horizon: int
    flow_steps: int
    trained_prefix: int

    def reset(self, epoch: int) -> None:
        """As `Policy.reset`."""

    def infer(self, observation: Observation, subgoal: Subgoal) -> ActionChunk:
        """As `Policy.infer`."""

    def condition(self, observation: Observation, subgoal: Subgoal) -> Any:
        """What the velocity depends on beside the noisy actions; made once for each chunk."""

    def noise(self) -> Tensor:
        """(H, d) standard normal, float32; the same sequence after every reset."""

    def velocity(self, noisy: Tensor, condition: Any, time: Tensor) -> Tensor:
        """(H, d) velocity at noisy actions (H, d) and flow times (H,), one for each action; differentiable."""

    def encode(self, actions: np.ndarray, condition: Any) -> Tensor:
        """Actions (k, n + 1) of the body, k <= H, in the space of the flow (k, d)."""

    def decode(self, sample: Tensor, condition: Any) -> ActionChunk:
        """The chunk that a sample (H, d) stands for, as the next answer of `infer`; within the body's bounds."""
