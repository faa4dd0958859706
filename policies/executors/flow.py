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

    The flow may have fewer points than the chunk has actions: the j-th stands for action (j + 1) * stride - 1, and
    `decode` fills in what lies between.

    Attributes:
        skills: the skills it offers, by name.
        horizon: H, actions in a chunk.
        stride: actions from one point of the flow to the next; the flow has K = H / stride.
        flow_steps: Euler steps from noise to actions.
        trained_prefix: longest clean prefix with which it was trained, in points; 0 if with none.
    """

    skills: Mapping[str, SkillSpec]
    horizon: int
    stride: int
    flow_steps: int
    trained_prefix: int

    def reset(self, epoch: int) -> None:
        """As `Policy.reset`."""

    def infer(self, observation: Observation, subgoal: Subgoal) -> ActionChunk:
        """As `Policy.infer`."""

    def condition(self, observation: Observation, subgoal: Subgoal) -> Any:
        """What the velocity depends on beside the noisy actions; made once for each chunk."""

    def noise(self) -> Tensor:
        """(K, d) normal, float32; the same sequence after every reset."""

    def velocity(self, noisy: Tensor, condition: Any, time: Tensor) -> Tensor:
        """(K, d) velocity at noisy actions (K, d) and flow times (K,), one for each point; differentiable.

        All times are the same unless the policy was trained with prefixes.
        """

    def encode(self, actions: np.ndarray, condition: Any) -> Tensor:
        """Actions (k, n + 1) of the body, one for each of k <= K points, in the space of the flow (k, d)."""

    def decode(self, sample: Tensor, condition: Any) -> ActionChunk:
        """The chunk of H actions that a sample (K, d) stands for, as the next answer of `infer`; within bounds."""
