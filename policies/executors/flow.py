"""What real-time chunking needs of a policy: to draw its chunk itself, along the policy's velocity field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from tandem.bridge.contract import ActionChunk, Observation, SkillSpec, Subgoal

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Drawing:
    """A chunk that is about to be drawn, for one observation and subgoal.

    Attributes:
        velocity: (K, d) at noisy actions (K, d) and flow times (K,), 0 noise to 1 actions, one for each point and all
            the same unless the policy was trained with prefixes; differentiable.
        noise: (K, d) to begin with.
        steps: Euler steps from noise to actions.
        encode: actions (k, n + 1) of the body, one for each of the first k points, in the space of the flow (k, d).
    """

    velocity: Callable[[Tensor, Tensor], Tensor]
    noise: Tensor
    steps: int
    encode: Callable[[np.ndarray], Tensor]


Sampler = Callable[[Drawing], "Tensor"]
"""Draws the (K, d) of a chunk."""


@runtime_checkable
class FlowPolicy(Protocol):
    """A `Policy` that makes a chunk by following a velocity field from noise to actions.

    The flow may have fewer points than the chunk has actions: the j-th stands for action (j + 1) * stride - 1.

    Attributes:
        skills: the skills it offers, by name.
        horizon: H, actions in a chunk.
        stride: actions from one point of the flow to the next; the flow has K = H / stride.
        trained_prefix: longest clean prefix with which it was trained, in points; 0 if with none.
    """

    skills: Mapping[str, SkillSpec]
    horizon: int
    stride: int
    trained_prefix: int

    def reset(self, epoch: int) -> None:
        """As `Policy.reset`."""

    def infer(self, observation: Observation, subgoal: Subgoal) -> ActionChunk:
        """As `Policy.infer`."""

    def infer_by(self, sampler: Sampler, observation: Observation, subgoal: Subgoal) -> ActionChunk:
        """As `infer`, but of what the sampler draws; whole, unless it is the last chunk of the subgoal."""
