"""pi0 behind the `Policy` interface: an observation and a subgoal's words become a chunk of joint targets.

Before anything moves, body, key map and model are compared (`handshake`). A key map says what is called what, in which
order, unit and rate, as for a policy server; the server is in this process. What the model was shown and when a subgoal
counts as carried out, no checkpoint of others tells: it is declared, as it is for a server. An adapter that Tandem has
trained tells both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

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
from tandem.policies.executors import guidance
from tandem.policies.executors.flow import Drawing, Sampler
from tandem.policies.remote.actions import from_body, to_body
from tandem.policies.remote.mapping import KeyMap
from tandem.policies.remote.parts import Part
from tandem.policies.remote.question import ask
from tandem.policies.vla import handshake
from tandem.policies.vla.load import Loaded
from tandem.policies.vla.network import Asked
from tandem.policies.vla.statistics import Scale


class Pi0Policy:
    """See the module.

    Args:
        spec: of the body.
        loaded: the model.
        keymap: what is called what; None takes the adapter's own, or the usual one (`handshake.keymap_for`).
        skills: what the model is good for; None takes what its adapter was shown, or else the whole catalogue.
        done_s: body time after which a subgoal counts as carried out and is left to the verifier; None: such a subgoal
            ends when its own time is up, or when an adapter that was taught to says so.

    Raises:
        InvalidOption: done_s is no time, or a skill is declared that the adapter was not shown.
        SpecMismatch: body, key map, model and statistics do not agree; nothing may move.
    """

    privileged = False

    def __init__(
        self, spec: BodySpec, loaded: Loaded, keymap: KeyMap | None = None, *,
        skills: Mapping[str, SkillSpec] | None = None, done_s: float | None = None,
    ):
        if done_s is not None and not 0 < done_s < 3600:
            raise InvalidOption(f"done_s must be above 0 and below an hour, got {done_s}")
        self.spec, self.done_s, self.loaded = spec, done_s, loaded
        self.keymap = handshake.keymap_for(loaded, spec, None) if keymap is None else keymap
        handshake.require(loaded, spec, self.keymap)
        self.skills = _skills(loaded, skills)
        self.observes = tuple(_observed(self.keymap))
        self._ends = loaded.adapter is not None and loaded.adapter.about.ends
        self._network, self._field, self._alone = loaded.network, loaded.field, loaded.alone
        if loaded.options.speed != "eager":
            loaded.warm(len(self.keymap.cameras))
        self._steps = loaded.options.steps or loaded.model.config.num_inference_steps
        self._state, self._action = self.keymap.state[0], self.keymap.action[0]
        self._size, self._look = self._action.size(spec), self.keymap.use or loaded.model.config.chunk_size
        self._scales = tuple(_first(scale, size) for scale, size in (
            (loaded.statistics.state, self._state.size(spec)), (loaded.statistics.action, self._size)))
        self._arm = _arm(spec) if self.keymap.needs(Part.TOOL_STEPS) else None
        self.reset(0)

    def reset(self, epoch: int) -> None:
        """Forget everything; the noise of an epoch depends on the seed alone."""
        self._epoch, self._request = epoch, 0
        self._subgoal: Subgoal | None = None
        self._start_s = 0.0
        self._noise = torch.Generator().manual_seed(self.loaded.options.seed)

    def infer(self, observation: Observation, subgoal: Subgoal) -> ActionChunk:
        """The next chunk, in the body's control steps.

        Raises:
            SkillFailed: TIMEOUT (the subgoal's time is up), INVALID_ACTION (the chunk is not finite or far out of
                bounds), INVALID_OBSERVATION (the words are too long).
            InvalidObservation: a key is missing or not finite.
            UnknownName: the skill is not offered.
        """
        return self._infer(self._plain, observation, subgoal)

    def introduce(self) -> list[str]:
        """Lines for a person to look over before anything moves: which model, what is called what."""
        told, loaded = self.loaded.describe(), self.loaded
        adapted = [] if loaded.adapter is None else [f"adapter {loaded.adapter.folder}"]
        return [
            f"policy pi0, {told['id']} {told['revision'] or ''} sha256 {told['digest'][:12]}, {told['dtype']} on "
            f"{told['device']}, {told['parameters'] / 1e6:.0f} M parameters, {told['speed']}", *adapted,
            f"key map {self.keymap.name}", *self.keymap.lines(self.spec), *loaded.statistics.lines(),
            f"skills: {', '.join(self.skills)}", f"a subgoal ends {self._ending()}",
        ]

    def describe(self) -> dict[str, Any]:
        """What a log must say of it."""
        return {**self.loaded.describe(), "keymap": self.keymap.lines(self.spec)}

    def _ending(self) -> str:
        words = ["when the model says so"] if self._ends else []
        words += [f"after {self.done_s:g} s, and the verifier looks"] if self.done_s is not None else []
        return " or ".join(words) or "when its own time is up: it never says that it is done, and no done_s is given"

    def _infer(self, sampler: Sampler, observation: Observation, subgoal: Subgoal) -> ActionChunk:
        skill_named(subgoal.skill, self.skills)
        time_s = float(observation[keys.TIME][0])
        if subgoal != self._subgoal:
            self._subgoal, self._start_s = subgoal, time_s
        if time_s - self._start_s > subgoal.timeout_s:
            raise SkillFailed(FailureCode.TIMEOUT, f"{subgoal} took longer than {subgoal.timeout_s:g} s")
        with self._alone:
            drawn = sampler(self._drawing(observation, subgoal)).detach().float().cpu().numpy()
        drawn, over = self._ended(drawn)
        try:
            answer = {self._action.theirs: self._scales[1].restored(drawn[:, :self._size].astype(np.float64))}
            actions = to_body(self.keymap, self.spec, answer, observation, self._arm)
        except InvalidAction as reason:
            raise SkillFailed(FailureCode.INVALID_ACTION, f"pi0: {reason}") from reason
        self._request += 1
        end_s = time_s + len(actions) * self.spec.dt_s - self._start_s
        final = over or (self.done_s is not None and end_s >= self.done_s)
        return ActionChunk(
            actions, self.spec.dt_s, time_s, self._epoch, self._request - 1, final=final, phase=subgoal.skill)

    def _drawing(self, observation: Observation, subgoal: Subgoal) -> Drawing:
        """What is to be drawn; pictures and words are read here, once."""
        question = ask(self.keymap, self.spec, observation, subgoal)
        reader, network = self.loaded.reader, self._network
        pictures = [question.pictures[key.theirs] for key in self.keymap.cameras]
        tokens, told = reader.tokens(question.words, len(pictures))
        state = reader.padded(self._scales[0].scaled(question.vectors[self._state.theirs]), "state")
        prefix = self._field.read(Asked(
            tokens.to(network.device), told.to(network.device),
            reader.pixels(pictures, network.device, network.dtype)[None],
            state[None].to(network.device, network.dtype),
        ))
        noise = torch.randn(network.horizon, network.width, generator=self._noise).to(network.device)
        return Drawing(
            lambda noisy, times: self._field.velocity(prefix, noisy, times[-1:]), noise, self._steps,
            lambda actions: self._encoded(actions, observation),
        )

    @staticmethod
    def _plain(drawing: Drawing) -> Tensor:
        return guidance.sample(drawing.velocity, drawing.noise, drawing.steps)

    def _ended(self, drawn: np.ndarray) -> tuple[np.ndarray, bool]:
        """The chunk up to the subgoal's end, and whether that comes before the policy would look again."""
        if not self._ends:
            return drawn, False
        over = first_over(drawn[:, self._size])
        return (drawn, False) if over >= self._look else (drawn[:over + 1], True)

    def _encoded(self, actions: np.ndarray, observation: Observation) -> Tensor:
        """(k, a) scaled and padded, of joint targets and openings (k, n + 1), seen from where the arm is now."""
        theirs = from_body(self.keymap, self.spec, actions, observation)[self._action.theirs]
        return self.loaded.reader.padded(self._scales[1].scaled(theirs), "action").to(self._network.device)


class Pi0Flow(Pi0Policy):
    """The same for executors: whole chunks, one action a control step, and real-time chunking. See `FlowPolicy`.

    Raises:
        InvalidOption: its actions are not at the body's rate or a whole fraction of it, or move the tool; the executors
            async and timestamped drive by those, too (`Pi0Policy`).
    """

    trained_prefix = 0

    def __init__(self, spec: BodySpec, loaded: Loaded, keymap: KeyMap | None = None, **more: Any):
        chosen = handshake.keymap_for(loaded, spec, None) if keymap is None else keymap
        super().__init__(spec, loaded, chosen, **more)
        self.keymap = replace(chosen, use=None)
        self.stride = _stride(chosen, spec)
        self.horizon = self._network.horizon * self.stride

    def infer_by(self, sampler: Sampler, observation: Observation, subgoal: Subgoal) -> ActionChunk:
        """See `FlowPolicy`."""
        return self._infer(sampler, observation, subgoal)


def first_over(said: np.ndarray) -> int:
    """Where numbers (K,) that should be -1 before an event and 1 after it change, by least squares; K for nowhere."""
    before = np.concatenate(([0.0], np.cumsum(said)))
    fits = before[-1] - 2 * before
    return int(len(said) - np.argmax(fits[::-1]))


def has_stride(keymap: KeyMap, spec: BodySpec) -> bool:
    """Whether `Pi0Flow` is possible: joint targets, at the body's rate or a whole fraction of it."""
    ratio = (keymap.dt_s or spec.dt_s) / spec.dt_s
    return not keymap.needs(Part.TOOL_STEPS) and abs(ratio - round(ratio)) < 1e-6 and round(ratio) >= 1


def _stride(keymap: KeyMap, spec: BodySpec) -> int:
    if not has_stride(keymap, spec):
        raise InvalidOption(
            f"key map {keymap.name!r}: real-time chunking needs joint targets at the body's {spec.control_hz:g} Hz or "
            "a whole fraction of it; choose the executor async or timestamped"
        )
    return round((keymap.dt_s or spec.dt_s) / spec.dt_s)


def _skills(loaded: Loaded, declared: Mapping[str, SkillSpec] | None) -> Mapping[str, SkillSpec]:
    if loaded.adapter is None:
        return SKILLS if declared is None else declared
    shown = loaded.adapter.about.skills
    foreign = [name for name in declared or () if name not in shown]
    if foreign:
        raise InvalidOption(f"{loaded.adapter.folder} was not shown {', '.join(foreign)}; it knows {', '.join(shown)}")
    return declared or {name: skill_named(name) for name in shown}


def _observed(keymap: KeyMap) -> list[str]:
    pictures = [f"image.{key.ours}" for key in keymap.cameras]
    return [keys.JOINT_POSITION, keys.JOINT_VELOCITY, keys.GRIPPER_OPENING, keys.TOOL_POSE, keys.TIME, *pictures]


def _first(scale: Scale, size: int) -> Scale:
    return Scale(scale.mean[:size], scale.deviation[:size])


def _arm(spec: BodySpec) -> Any:
    from tandem.policies.motion.kinematics import Arm

    return Arm(spec)
