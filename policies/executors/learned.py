"""The learned flow policy as a `FlowPolicy`: whole chunks, and its velocity field for real-time chunking.

A learned policy gives the actions up to its own next look. An executor decides when that is, so here a chunk is given
whole, until the network says that the subgoal ends before the policy's next look: that one ends with the subgoal. All
else stays the policy's: the network alone is stood in for, and asks the sampler where it would have drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from tandem.bridge.contract import ActionChunk, BodySpec, Event, InvalidOption, Observation, SkillSpec, Subgoal
from tandem.policies.executors.flow import Drawing, Sampler
from tandem.policies.learned import LearnedPolicy, senses
from tandem.policies.learned.flow import Flow
from tandem.policies.learned.layouts import Decoder, encode, pose_of
from tandem.policies.learned.manifest import Manifest
from tandem.policies.learned.network import Answer, Senses
from tandem.policies.learned.policy import every_step
from tandem.policies.motion.kinematics import Arm


class _Between(nn.Module):
    """Stands between a policy and its network.

    Attributes:
        draw: given velocity field, noise (K, a) and steps, draws a chunk; None lets the network do it.
        answer_given: the last one.
    """

    def __init__(self, network: Flow):
        super().__init__()
        self.network = network
        self.draw: Callable[[Callable, torch.Tensor, int], torch.Tensor] | None = None
        self.answer_given: Answer | None = None

    def answer(self, told: Senses, generator: torch.Generator) -> Answer:
        """See `Network`; a chunk that was drawn by a sampler has confidence 1, there being no second one."""
        draw = self._drawn if self.draw else self.network.answer
        self.answer_given = draw(told, generator)
        return self.answer_given

    def _drawn(self, told: Senses, generator: torch.Generator) -> Answer:
        network = self.network
        with torch.no_grad():
            sensed = network.read(told)
            left = torch.sigmoid(network.left(sensed))
        noise = torch.randn(network.shapes.horizon, network.shapes.action, generator=generator).to(sensed)

        def velocity(noisy: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
            return network.velocity(noisy[None], times[None], sensed)[0]

        chunk = self.draw(velocity, noise * network.config.noise, network.config.steps)
        return Answer(chunk[None], left, torch.ones_like(left))


class LearnedFlow:
    """See the module, `LearnedPolicy` and `FlowPolicy`.

    Args:
        spec: the body's specification.
        manifest: what the network is made for.
        network: of the architecture "flow".
        execute: steps to the policy's own next look: a subgoal that ends within them ends with the chunk.
        device: where the network runs.
        seed: of the noise that chunks are drawn from.

    Raises:
        InvalidOption: the network has no velocity field; and what `LearnedPolicy` raises.
    """

    privileged = False

    def __init__(
        self, spec: BodySpec, manifest: Manifest, network: nn.Module, *, execute: int = 8, device: str = "cpu",
        seed: int = 0,
    ):
        if not isinstance(network, Flow):
            raise InvalidOption(f"{manifest.architecture!r} has no velocity field; choose a flow policy")
        self._between = _Between(network)
        self._policy = LearnedPolicy(spec, manifest, self._between, execute=execute, device=device, seed=seed)
        self._manifest, self._arm, self._device, self._execute = manifest, Arm(spec), device, execute
        self._decoder = Decoder(manifest.layout, spec, self._arm)
        self.skills: Mapping[str, SkillSpec] = self._policy.skills
        self.observes = self._policy.observes
        self.horizon, self.stride = manifest.horizon * manifest.stride, manifest.stride
        self.trained_prefix = min(network.config.prefix, manifest.horizon - 1)

    @property
    def confidence(self) -> float:
        """As the policy says of its last chunk."""
        return self._policy.confidence

    def listen(self, tell: Callable[[Event], None]) -> None:
        """Passed on, if the policy has anything to say."""
        if hasattr(self._policy, "listen"):
            self._policy.listen(tell)

    def reset(self, epoch: int) -> None:
        """See `Policy`."""
        self._policy.reset(epoch)

    def preflight(self, observation: Observation, subgoal: Subgoal) -> None:
        """As the policy."""
        self._policy.preflight(observation, subgoal)

    def carried_out(self, count: int) -> None:
        """See `Policy`."""
        self._policy.carried_out(count)

    def infer(self, observation: Observation, subgoal: Subgoal) -> ActionChunk:
        """As the policy, and whole."""
        return self._whole(self._policy.infer(observation, subgoal), observation)

    def infer_by(self, sampler: Sampler, observation: Observation, subgoal: Subgoal) -> ActionChunk:
        """See `FlowPolicy`."""
        q, _, tool = senses.proprioception(observation)

        def draw(velocity: Callable, noise: torch.Tensor, steps: int) -> torch.Tensor:
            return sampler(Drawing(velocity, noise, steps, lambda actions: self._encoded(actions, q, tool)))

        self._between.draw = draw
        try:
            return self.infer(observation, subgoal)
        finally:
            self._between.draw = None

    def _whole(self, chunk: ActionChunk, observation: Observation) -> ActionChunk:
        if self._policy.reflex:
            return chunk
        answer, scale = self._between.answer_given, self._manifest.action
        if round(float(answer.remaining[0]) * self.horizon) <= self._execute:
            return chunk
        actions = scale.restored(answer.actions[self._policy.draw].float().cpu().numpy())
        q, _, tool = senses.proprioception(observation)
        return replace(chunk, actions=self._decoder.decode(every_step(actions, self.stride), q, tool))

    def _encoded(self, actions: np.ndarray, q: np.ndarray, tool: np.ndarray) -> torch.Tensor:
        """(k, a) scaled, of joint targets and opening (k, n + 1), seen from where the arm is now."""
        made, scale, k = self._manifest, self._manifest.action, len(actions)
        tools = np.array([pose_of(self._arm, action[:-1]) for action in actions])
        written = encode(made.layout, q[None], tool[None], actions[None], tools[None])[0]
        return torch.from_numpy(((written - scale.mean[:k]) / scale.deviation[:k]).astype(np.float32)).to(self._device)
