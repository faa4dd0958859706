"""Puts the rooms together: from options to a body, a planner, a policy, a verifier and the agent over them.

Only scripts in this folder compose; the rooms never import one another.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from bodies import body_for
from learned import FORMS as LEARNED_FORMS
from learned import Learned, is_learned
from minds import Choice, check_spec, load_model, settings_of
from vla import Vla

from tandem.agent.clock import Live, clock_named
from tandem.agent.loop import Agent
from tandem.agent.planner.model import Model
from tandem.agent.planner.planner import ModelPlanner
from tandem.agent.planner.scripted import ScriptedPlanner
from tandem.agent.recover import Limits
from tandem.agent.verify.both import BothVerifiers
from tandem.agent.verify.judge import JudgeVerifier
from tandem.agent.verify.observation import ObservationVerifier
from tandem.agent.verify.predicate import PredicateVerifier
from tandem.agent.verify.trusting import TrustingVerifier
from tandem.bridge.client import RemoteTruth
from tandem.bridge.client.contact import is_endpoint
from tandem.bridge.contract import (
    SKILLS,
    EpisodeResult,
    InvalidOption,
    Planner,
    Policy,
    Subscriber,
    UnknownName,
    Verifier,
    skill_named,
)
from tandem.bridge.log import manifest
from tandem.policies.executors import executor_named
from tandem.policies.motion import MotionPolicy
from tandem.policies.motion.targets import DepthTargets
from tandem.policies.remote import FORMS, RemotePolicy, is_remote, remote_policy
from tandem.policies.vla import FORMS as VLA_FORMS
from tandem.policies.vla import is_vla
from tandem.sim.tasks.paraphrases import WORDINGS
from tandem.sim.truth import Truth

POLICIES = ("motion", "demonstrator")
VERIFIERS = ("observation", "predicate", "judge", "both", "none")


@dataclass(frozen=True)
class System:
    """What runs: one choice for each room."""

    task: str = "pick_place"
    """Task: pick_place, sort, stack, kit, insert, drawer, machine, conveyor."""
    robot: str = "panda"
    """Arm: panda, ur5e, so101."""
    planner: str = "tiny"
    """Planner: tiny (the model in this repository), scripted (uses ground truth, and says so), a folder or hub id of
    an open model, openai:<base url>#<model> (its key is read from OPENAI_API_KEY), cassette:<log of an episode> (with
    #<model> where several answered), babble (any valid plan: the floor)."""
    perceiver: str | None = None
    """A second model that looks and judges, for a planner that reads text only; named as --planner names one."""
    device: str = "auto"
    """Where a model runs: auto, cuda, cpu, mps."""
    dtype: str = "auto"
    """Number format of a model's weights: auto, bfloat16, float16, float32."""
    bits: int = 16
    """16, or 8 or 4 to quantise a model's weights while loading (CUDA)."""
    revision: str | None = None
    """Branch, tag or commit of the planner's hub id."""
    family: str | None = None
    """What a served model is, which no server tells: its model type, such as qwen2_5_vl."""
    temperature: float = 0.0
    """How freely a model chooses its words; 0 takes the likeliest."""
    think_tokens: int = 0
    """How long a model that can may think before it answers."""
    planner_timeout_s: float = 60.0
    """How long a planner's server may take for an answer; three tries have that long."""
    grammar: bool = True
    """Let a model in this process write only what is a valid answer; --no-grammar shows what that is worth."""
    policy: str = "motion"
    """Policy: motion (camera points lifted through depth), demonstrator (the same from ground truth), flow (learned,
    from pixels) or the folder of another learned one (python launch/train.py), hybrid:flow or hybrid:FOLDER (a learned
    one, and motion where it is not sure), pi0:BASE (a folder or hub id, @REVISION; +ADAPTER for what train.py made of
    it; #MAP for its keys), or a server's: gr00t:tcp://HOST:PORT, openpi:ws://HOST:PORT, vla-eval:ws://HOST:PORT, each
    with #MAP for its keys (a name or FILE.toml). A server's token is read from TANDEM_POLICY_TOKEN."""
    policy_skills: tuple[str, ...] = ()
    """What a server's policy or a pi0 can do, which neither tells; without it the whole catalogue."""
    policy_done_s: float | None = None
    """Body time after which a subgoal is left to the verifier, for a policy that never says that it is done."""
    policy_timeout_s: float = 10.0
    """How long a policy server may take for an answer."""
    policy_statistics: str | None = None
    """File with the statistics of a pi0's training data, where its checkpoint brings none: openpi's norm_stats.json, a
    processor_config.json, or the state of LeRobot's normaliser."""
    policy_tokenizer: str | None = None
    """Folder or hub id with tokenizer and picture processor, for a pi0 that brings none (LeRobot's)."""
    policy_speed: str = "eager"
    """How a pi0 runs: eager, graphs (captured on CUDA), compiled (captured, and fused by torch.compile)."""
    second_look: bool = True
    """Before a peg goes down, look at its hole again through the camera on the arm (policy motion)."""
    executor: str | None = None
    """How chunks become motion while the policy thinks: open_loop:horizon=8 (think, act, think), ensemble:m=0.01,
    async:threshold=0.5, rtc:jacobian=identity|full (flow policies), timestamped:horizon=8. Without one, a chunk is
    carried out to its end and the clock charges the pause before it."""
    verifier: str = "observation"
    """Verifier that the agent trusts: observation, judge (the planner's model, shown before and after), both, predicate
    (ground truth), none (believes the policy: for comparison only)."""
    body: str = "sim"
    """Body: sim (MuJoCo in this process), or tcp://HOST:PORT of a controller (python launch/controller.py)."""
    keys: str | None = None
    """Folder with this side's key and controller.key, for a guarded controller."""
    key: str = "commander"
    """Name of this side's key in it."""
    standby_s: float = 0.0
    """How long to wait in line when somebody else commands the body."""
    faults: str | None = None
    """What goes wrong on the network to the body, such as "delay:ms=20,jitter_ms=5;drop:p=0.01"."""
    faults_seed: int = 0
    """Determines which messages are struck."""
    horizon_s: float | None = None
    """Body time after which an episode is given up; without it the task's own."""
    wording: str = "own"
    """Words of the instruction: own (the task's), paraphrased (the same in other words, in the same world)."""
    difficulty: float = 0.5
    """0 easy .. 1 hard: more objects, more distractors, longer plans."""
    disturb: tuple[str, ...] = ()
    """What goes wrong on purpose: moved, knocked, slipped, frozen_camera, black_camera, noise, delayed,
    camera_shift, dropped_frames, lighting, nudged."""
    clock: str = "lockstep"
    """Who pays for thinking: lockstep (the world waits), live, charged:MS."""
    control_hz: float = 20.0
    """Control steps per second."""
    physics_hz: float = 500.0
    """Physics steps per second; a whole multiple of control_hz."""

    def __post_init__(self):
        for kind, name, known in (("verifier", self.verifier, VERIFIERS), ("wording", self.wording, WORDINGS)):
            if name not in known:
                raise UnknownName(kind, name, known)
        if self.policy not in POLICIES and not any(test(self.policy) for test in (is_remote, is_learned, is_vla)):
            raise UnknownName("policy", self.policy, (*POLICIES, *LEARNED_FORMS, *VLA_FORMS, *FORMS))
        if self.body != "sim" and not is_endpoint(self.body):
            raise UnknownName("body", self.body, ("sim", "tcp://HOST:PORT"))
        if self.body != "sim" and self.clock != "lockstep":
            raise InvalidOption("a body behind the bridge pays for thinking by its own clock: leave --clock out")
        if self.horizon_s is not None and not 0 < self.horizon_s < math.inf:
            raise InvalidOption(f"--horizon-s is a positive number of seconds, got {self.horizon_s}; leave it out for "
                                "the task's own")
        if self.executor is not None:
            executor_named(self.executor)
        for spec in filter(None, (self.planner, self.perceiver)):
            check_spec(spec)
        judged = self.verifier in ("judge", "both")
        if self.perceiver == "scripted" or (judged and self.planner == "scripted"):
            raise InvalidOption("the scripted planner has no eyes: name a model to look or judge, such as tiny")


class Rig:
    """A composed system, for as many episodes as wanted.

    Args:
        system: the choices.
        search_m: how far around a believed hole the policy feels for it; 0 takes that away from it.

    Attributes:
        stage: the body, and what a composition asks of it.
        body: what moves.
        truth: its ground truth, None where there is none.
        policy: of the present episode; None before the first.
    """

    def __init__(self, system: System, *, search_m: float = 0.004):
        self.system, self.policy, self._search_m = system, None, search_m
        self._clock = clock_named(system.clock)
        self.stage = body_for(system)  # before any weights: a wrong name is told at once
        self.body, self.truth = self.stage.body, self.stage.truth
        try:  # compared with the body before anything moves
            self._model, self._eyes = load_models(system)
            self._planner = self.make_planner()
            self._remote = self._connect() if is_remote(system.policy) else None
            self._learned = self._load() if is_learned(system.policy) else None
            self._vla = self._load_vla() if is_vla(system.policy) else None
        except BaseException:
            self.stage.close()
            raise

    def run(
        self, seed: int, *, instruction: str | None = None, feasible: bool = True,
        subscribers: Iterable[Subscriber] = (),
    ) -> EpisodeResult:
        """One episode."""
        options = {"instruction": instruction, "feasible": feasible}
        if self.system.temperature > 0:  # what a model says depends on the seed alone, not on earlier episodes
            self._model, self._eyes = load_models(self.system, seed)
            self._planner = self.make_planner()
        agent = self._agent(subscribers)
        self.stage.listen(agent.notice)
        if hasattr(self.policy, "listen"):
            self.policy.listen(agent.notice)
        return agent.run(seed=seed, options=options, manifest=self.manifest(seed, options))

    def _agent(self, subscribers: Iterable[Subscriber]) -> Agent:
        self.policy, verifier = self.make_policy(), self._verifier()
        policy = self.policy
        if (metrics := getattr(policy, "metrics", None)) is not None:
            subscribers = (metrics, *subscribers)
        horizon = self.stage.horizon_s * self.body.spec.control_hz
        known = {} if self.truth is None else {
            "measure": self.truth.holds, "score": self._score, "feasible": lambda: self.truth.infeasible() is None,
        }
        return Agent(
            self.body, self._planner, policy, verifier, **known, clock=self._clock,
            limits=Limits(steps=round(horizon)), subscribers=subscribers,
            privileged=getattr(policy, "privileged", False) or getattr(verifier, "privileged", False),
        )

    def _score(self) -> tuple[bool, float]:
        return self.truth.success(), self.truth.progress()

    def make_planner(self) -> Planner:
        """The planner that was chosen."""
        if self._model is None:
            return ScriptedPlanner(self._known("the scripted planner"))
        perceiver = None if self._eyes is self._model else self._eyes
        return ModelPlanner(self._model, perceiver=perceiver, **settings_of(self.system.planner))

    def make_policy(self) -> Policy:
        """A new policy as it was chosen, in its executor."""
        policy, spec = self._bare_policy(), self.body.spec
        if self.system.executor is None:
            return policy
        clock = self._clock if self.stage.waits else Live()
        return executor_named(self.system.executor).around(policy, spec, clock)

    def _bare_policy(self) -> Policy:
        """The policy itself; a server's is one for all episodes."""
        if self._remote is not None:
            return self._remote
        spec = self.body.spec
        if self._learned is not None:
            policy = self._learned.policy(spec, executed=self.system.executor is not None)
            return self._taught(policy) if self._learned.taught else policy
        if self._vla is not None:
            return self._vla.policy(executed=self.system.executor is not None)
        look = DepthTargets(spec, second_look=self.system.second_look)
        targets = self._known("the demonstrator") if self.system.policy == "demonstrator" else look
        return MotionPolicy(spec, targets, search_m=self._search_m)

    def _taught(self, learner: Policy) -> Policy:
        """The demonstrator goes on where the learner has led."""
        from tandem.policies.learned.taught import TaughtPolicy

        return TaughtPolicy(learner, MotionPolicy(self.body.spec, self._known("the demonstrator")))

    def _connect(self) -> RemotePolicy:
        """The policy server that was chosen."""
        system = self.system
        return remote_policy(
            system.policy, self.body.spec, timeout_s=system.policy_timeout_s,
            token=os.environ.get("TANDEM_POLICY_TOKEN"),
            skills={name: skill_named(name) for name in system.policy_skills} or SKILLS, done_s=system.policy_done_s,
        )

    def _load(self) -> Learned:
        """The learned policy that was chosen."""
        found = Learned(self.system.policy, self.system.device)
        found.check(self.body.spec)
        return found

    def _load_vla(self) -> Vla:
        """The vision-language-action model that was chosen."""
        system = self.system
        return Vla(
            system.policy, self.body.spec, done_s=system.policy_done_s, device=system.device, dtype=system.dtype,
            skills={name: skill_named(name) for name in system.policy_skills} or None, speed=system.policy_speed,
            statistics=system.policy_statistics, tokenizer=system.policy_tokenizer,
        )

    def introduce(self) -> list[str]:
        """Lines for a person to look over before anything moves: whose body, whose policy, what is called what."""
        told = next((one for one in (self._remote, self._vla) if one is not None), None)
        return [*self.stage.introduce(), *(told.introduce() if told is not None else ())]

    def _verifier(self) -> Verifier:
        spec = self.body.spec
        match self.system.verifier:
            case "predicate":
                return PredicateVerifier(self._known("the verifier of predicates").holds)
            case "judge":
                return JudgeVerifier(self._eyes, spec)
            case "both":
                return BothVerifiers(ObservationVerifier(spec), JudgeVerifier(self._eyes, spec))
            case "none":
                return TrustingVerifier()
        return ObservationVerifier(spec)

    def describe(self) -> dict[str, Any]:
        """Which models plan, look and act, and whose body it is; plain types."""
        planner = {} if self._model is None else {"planner": self._planner.describe()}
        told = next((one for one in (self._learned, self._vla) if one is not None), None)
        policy = {} if told is None else {"policy": told.describe()}
        return {**planner, **policy, **self.stage.describe()}

    def manifest(self, seed: int, options: dict[str, Any]) -> dict[str, Any]:
        """What is needed to make the episode again."""
        return manifest(system=asdict(self.system), seed=seed, options=options, **self.describe())

    def _known(self, who: str) -> Truth | RemoteTruth:
        """The ground truth, for somebody who cannot do without."""
        if self.truth is None:
            raise InvalidOption(f"{who} needs ground truth, which this body does not have; choose another")
        return self.truth

    def close(self) -> None:
        """Release the body, and leave the policy's server."""
        self.stage.close()
        if self._remote is not None:
            self._remote.close()


def load_models(system: System, seed: int = 0) -> tuple[Model | None, Model | None]:
    """The model that plans and the one that looks; none for the scripted planner, one and the same if none is named.

    Weights are loaded once for each process; the seed is of the words that are drawn with a temperature.
    """
    if system.planner == "scripted":
        return None, None
    shared = ("device", "dtype", "bits", "family", "temperature", "think_tokens", "grammar")
    how = {"seed": seed, "timeout_s": system.planner_timeout_s, **{name: getattr(system, name) for name in shared}}
    model = load_model(Choice(system.planner, revision=system.revision, **how))
    return model, model if system.perceiver is None else load_model(Choice(system.perceiver, **how))
