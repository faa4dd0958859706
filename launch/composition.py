"""Puts the rooms together: from options to a body, a planner, a policy, a verifier and the agent over them.

Only scripts in this folder compose; the rooms never import one another.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from tandem.agent.clock import clock_named
from tandem.agent.loop import Agent
from tandem.agent.planner.scripted import ScriptedPlanner
from tandem.agent.recover import Limits
from tandem.agent.verify.observation import ObservationVerifier
from tandem.agent.verify.predicate import PredicateVerifier
from tandem.bridge.contract import (
    EpisodeResult,
    Planner,
    Policy,
    Subscriber,
    UnknownName,
    Verifier,
)
from tandem.bridge.log import manifest
from tandem.bridge.robots import load
from tandem.policies.motion import MotionPolicy
from tandem.policies.motion.targets import DepthTargets
from tandem.sim.disturbances import disturbance_named
from tandem.sim.scene import Rates
from tandem.sim.simulation import Simulation
from tandem.sim.tasks import Wish, task_named

PLANNERS = ("scripted",)
POLICIES = ("motion", "demonstrator")
VERIFIERS = ("observation", "predicate")
BODIES = ("sim",)


@dataclass(frozen=True)
class System:
    """What runs: one choice for each room."""

    task: str = "pick_place"
    """Task: pick_place, sort, stack, kit, insert, drawer, machine, conveyor."""
    robot: str = "panda"
    """Arm: panda, ur5e, so101."""
    planner: str = "scripted"
    """Planner: scripted (uses ground truth, and says so)."""
    policy: str = "motion"
    """Policy: motion (camera points lifted through depth), demonstrator (the same from ground truth)."""
    second_look: bool = True
    """Before a peg goes down, look at its hole again through the camera on the arm (policy motion)."""
    verifier: str = "observation"
    """Verifier that the agent trusts: observation, or predicate (ground truth)."""
    body: str = "sim"
    """Body: sim."""
    difficulty: float = 0.5
    """0 easy .. 1 hard: more objects, more distractors, longer plans."""
    disturb: tuple[str, ...] = ()
    """What goes wrong on purpose: moved, knocked, slipped, frozen_camera, black_camera, noise, delayed."""
    clock: str = "lockstep"
    """Who pays for thinking: lockstep (the world waits), live, charged:MS."""
    control_hz: float = 20.0
    """Control steps per second."""
    physics_hz: float = 500.0
    """Physics steps per second; a whole multiple of control_hz."""

    def __post_init__(self):
        for kind, name, known in (
            ("planner", self.planner, PLANNERS), ("policy", self.policy, POLICIES),
            ("verifier", self.verifier, VERIFIERS), ("body", self.body, BODIES),
        ):
            if name not in known:
                raise UnknownName(kind, name, known)


class Rig:
    """A composed system, for as many episodes as wanted.

    Args:
        system: the choices.
        search_m: how far around a believed hole the policy feels for it; 0 takes that away from it.

    Attributes:
        simulation: the body.
        truth: its ground truth.
        policy: of the present episode; None before the first.
    """

    def __init__(self, system: System, *, search_m: float = 0.004):
        self.system, self.policy, self._search_m = system, None, search_m
        self.simulation = Simulation(
            task_named(system.task), load(system.robot), rates=Rates(system.physics_hz, system.control_hz),
            wish=Wish(difficulty=system.difficulty), disturbances=[disturbance_named(name) for name in system.disturb],
        )
        self.truth = self.simulation.truth()
        self._clock = clock_named(system.clock)

    def run(
        self, seed: int, *, instruction: str | None = None, feasible: bool = True,
        subscribers: Iterable[Subscriber] = (),
    ) -> EpisodeResult:
        """One episode."""
        options = {"instruction": instruction, "feasible": feasible}
        agent = self._agent(subscribers)
        self.simulation.on_event = agent.notice
        return agent.run(seed=seed, options=options, manifest=self.manifest(seed, options))

    def _agent(self, subscribers: Iterable[Subscriber]) -> Agent:
        self.policy, verifier = self._policy(), self._verifier()
        policy = self.policy
        horizon = self.simulation.task.horizon_s * self.system.control_hz
        return Agent(
            self.simulation, self._planner(), policy, verifier, measure=self.truth.holds, score=self._score,
            feasible=lambda: self.truth.infeasible() is None, clock=self._clock,
            limits=Limits(steps=round(horizon)), subscribers=subscribers,
            privileged=getattr(policy, "privileged", False) or getattr(verifier, "privileged", False),
        )

    def _score(self) -> tuple[bool, float]:
        return self.truth.success(), self.truth.progress()

    def _planner(self) -> Planner:
        return ScriptedPlanner(self.truth)

    def _policy(self) -> Policy:
        spec = self.simulation.spec
        look = DepthTargets(spec, second_look=self.system.second_look)
        targets = self.truth if self.system.policy == "demonstrator" else look
        return MotionPolicy(spec, targets, search_m=self._search_m)

    def _verifier(self) -> Verifier:
        if self.system.verifier == "predicate":
            return PredicateVerifier(self.truth.holds)
        return ObservationVerifier(self.simulation.spec)

    def manifest(self, seed: int, options: dict[str, Any]) -> dict[str, Any]:
        """What is needed to make the episode again."""
        return manifest(system=asdict(self.system), seed=seed, options=options)

    def close(self) -> None:
        """Release the body."""
        self.simulation.close()
