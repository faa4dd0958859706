"""The agent: perceive, plan, preflight, act for a bounded number of steps, verify, recover.

It knows the order of things and nothing else. What it claims rests on the verifier and the planner; ground truth, where
there is any, is written beside the claim (`measured`) and decides nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from tandem.agent.broadcast import Broadcast
from tandem.agent.clock import Clock, Lockstep
from tandem.agent.drive import Drive
from tandem.agent.failures import NAMED, UNTRUSTED, code_of, words_of
from tandem.agent.hand import may_hold
from tandem.agent.ledger import Ending, Ledger, finish, for_the_record
from tandem.agent.preflight import check_chunk, preflight
from tandem.agent.recover import PASSING, REMEDIES, UNCERTAIN, Budget, Limits, Recovery, without_points
from tandem.bridge.contract import (
    ActionKind,
    Attempt,
    Body,
    EpisodeResult,
    Event,
    EventKind,
    FailureCode,
    InvalidPlan,
    Observation,
    Outcome,
    Plan,
    Planner,
    PlannerFailed,
    PlanRequest,
    Policy,
    SkillFailed,
    Subgoal,
    Subscriber,
    UnknownName,
    Verdict,
    Verifier,
    snapshot,
)


class Agent:
    """Carries out instructions on a body.

    Args:
        body: what moves; the caller closes it.
        planner: instruction to subgoals.
        policy: subgoal to actions. An attribute `action_kind` says for which action layout it is made, if not Tandem's;
            `pays_for_thinking` that it spends body time on its thinking itself, as an executor does.
        verifier: judges each subgoal.
        measure: the true criterion of a subgoal, for the record only.
        score: the true success and progress (0..1), for the record only.
        feasible: whether the instruction can be carried out at all, for the record only; asked after the reset.
        clock: who pays for thinking; lockstep if left out.
        limits: how much an episode may cost.
        subscribers: told of everything, in order.
        privileged: the policy uses ground truth; pictures are then not looked at in preflight.
    """

    def __init__(
        self, body: Body, planner: Planner, policy: Policy, verifier: Verifier, *,
        measure: Callable[[Subgoal], bool | None] | None = None, score: Callable[[], tuple[bool, float]] | None = None,
        feasible: Callable[[], bool] | None = None, clock: Clock | None = None, limits: Limits | None = None,
        subscribers: Iterable[Subscriber] = (), privileged: bool = False,
    ):
        self.body, self.planner, self.policy, self.verifier = body, planner, policy, verifier
        self.measure, self.score, self.feasible, self.privileged = measure, score, feasible, privileged
        self.clock, self.limits, self.subscribers = clock or Lockstep(), limits or Limits(), tuple(subscribers)
        self._drive: Drive | None = None

    def run(
        self, instruction: str | None = None, *, seed: int | None, options: Mapping[str, Any] | None = None,
        manifest: Mapping[str, Any] | None = None,
    ) -> EpisodeResult:
        """One episode. Failures of the task, of the body and Ctrl-C are results; mistakes in programs are raised.

        Args:
            instruction: the task in plain words; None takes the one that the body's reset tells, if it has a task.
            seed: for the body's reset.
            options: for the body's reset.
            manifest: what the log keeps to make the episode again, plain types.
        """
        episode, mistake, expected = _Episode(self), None, None
        self._drive = episode.drive
        self.verifier.reset()
        try:
            episode.instruction = episode.drive.start(instruction, seed, options, manifest or {})
            expected = self.feasible() if self.feasible else None
            ending = episode.pursue()
        except NAMED as error:
            ending = Ending(False, code_of(error), words_of(error))
        except Exception as error:  # noqa: BLE001 raised again once everybody has heard the end
            mistake, words = error, f"a mistake in a program: {type(error).__name__}: {error}"
            ending = Ending(False, FailureCode.INTERNAL_ERROR, words)
        try:
            result = finish(episode.ledger, ending, episode.drive, episode.broadcast, self.score, expected)
        finally:
            if mistake is not None:  # the first one; what broke at the end because of it is its context
                raise mistake
        return result

    def notice(self, event: Event) -> None:
        """What body or policy reports beside its answers (a disturbance, a fault, a fallback); told after the step."""
        if self._drive is not None:
            self._drive.notice(event)


class _Episode:
    """One run of an agent: the loop itself."""

    def __init__(self, agent: Agent):
        self.agent, self.instruction = agent, ""
        self.broadcast = Broadcast(agent.subscribers)
        self.drive = Drive(agent.body, self.broadcast, agent.limits.steps)
        self.budget, self.epoch = Budget(agent.limits), 0
        privileged = agent.privileged or getattr(agent.verifier, "privileged", False)
        self.ledger = Ledger(privileged=privileged, looks=getattr(agent.verifier, "looks", True))

    def pursue(self) -> Ending:
        """Plan and carry out until the planner finds nothing left to do and the verifier has seen all of it done."""
        plan = self.plan()
        while plan.subgoals:
            unremedied = self.carry_out(plan.subgoals)
            if self.in_the_way(unremedied):
                self.step_back()
            plan = self.plan()  # a replan after a failure; otherwise a last look at whether anything is left
            if plan.subgoals and not self.budget.replan():
                last = f"; the last failure: {unremedied.failure}: {unremedied.detail}" if unremedied else ""
                return Ending(False, FailureCode.BUDGET_EXHAUSTED, f"no replans are left{last}")
        if not plan.feasible:
            return Ending(False, FailureCode.INFEASIBLE, plan.reason)
        return self.conclude()

    def plan(self) -> Plan:
        """Ask the planner what is left to do, given all that was tried."""
        history = tuple(replace(attempt, measured=None) for attempt in self.ledger.attempts)  # no ground truth
        cameras = tuple(camera.name for camera in self.drive.spec.cameras)
        request = PlanRequest(self.instruction, self.drive.observation, self.agent.policy.skills, history, cameras)
        plan = self.think("planner", lambda: self.agent.planner.plan(request))
        self.ledger.plans += 1
        self.ledger.privileged |= plan.privileged
        words = ", then ".join(map(str, plan.subgoals)) or plan.reason or "nothing is left to do"
        self.drive.event(EventKind.PLAN, words, **plan.to_dict(), latency_s=self.thought_s)
        return plan

    def carry_out(self, subgoals: tuple[Subgoal, ...]) -> Attempt | None:
        """Try the subgoals in order. None when each was seen done; else the attempt that needs a new plan."""
        self.ledger.begin(subgoals)
        self.budget.new_plan()
        todo, i = list(subgoals), 0
        while i < len(todo):
            attempt = self.attempt(i, todo)
            if attempt.failure is None:
                i += 1
                continue
            match self.recover(attempt, i):
                case Recovery.REPLAN:
                    return attempt
                case Recovery.BACK_UP:
                    first = self.resume_from(i, todo)
                    if first is None or (first == i and attempt.failure == FailureCode.PRECONDITION_FAILED):
                        return attempt  # there is nothing to go back to
                    todo[first:i] = map(without_points, todo[first:i])
                    i = first
        return None

    def in_the_way(self, unremedied: Attempt | None) -> bool:
        """Whether to clear the view before the next plan: after a failure, and always for a planner that looks."""
        if unremedied is None:
            return getattr(self.agent.planner, "looks", False)
        return unremedied.failure != FailureCode.PLANNER_FAILED

    def step_back(self) -> None:
        """Take the arm out of the view before planning again: what it hides, no planner can point at."""
        if "home" not in self.agent.policy.skills:
            return
        try:
            self.act(Subgoal("home", instruction="step back to see"))
        except SkillFailed as error:
            self.drive.event(EventKind.NOTE, f"the arm is in the way and cannot step back: {error}")

    def attempt(self, i: int, todo: list[Subgoal]) -> Attempt:
        """One subgoal: preflight, act, verify. Whatever goes wrong is written down as a code."""
        subgoal, start_s = todo[i], self.drive.time_s
        self.drive.subgoal = number = len(self.ledger.attempts)
        claimed, verdict, failure, place = False, None, None, {"index": i, "of": len(todo), "attempt": number}
        self.ledger.seen.pop(i, None)
        try:
            self.drive.event(EventKind.SUBGOAL_START, str(subgoal), **place, **subgoal.to_dict())
            self.check(subgoal)
            self.ledger.before[i] = before = snapshot(self.drive.observation, self.agent.verifier.observes)
            self.act(subgoal)
            claimed = True
            self.ledger.seen[i] = verdict = self.verify(subgoal, before)
            if verdict.outcome is not Outcome.SUCCESS:
                failure = str(FailureCode.CRITERION_NOT_MET)
            detail = verdict.evidence
        except NAMED as error:
            failure, detail = str(code_of(error)), words_of(error)
        end_s, self.drive.subgoal = self.drive.time_s, -1
        if failure in UNCERTAIN and subgoal.skill == "place" and may_hold(self.drive.observation) is False:
            try:
                second = self.look_again(subgoal, self.ledger.before[i])
                if second.outcome is Outcome.SUCCESS:
                    self.ledger.seen[i] = verdict = second
                    failure, detail = None, f"{detail}; but from afar: {second.evidence}"
            except NAMED as error:
                failure, detail = str(code_of(error)), f"{detail}; then {words_of(error)}"
        measured = self.measured(subgoal) if failure not in UNTRUSTED else None
        seen = verdict if self.ledger.looks else None
        attempt = Attempt(subgoal, claimed, seen, measured, failure, detail, start_s, end_s)
        self.ledger.attempts.append(attempt)
        self.drive.event(EventKind.SUBGOAL_END, failure or "done", **place, **attempt.to_dict())
        return attempt

    def measured(self, subgoal: Subgoal) -> bool | None:
        """The true criterion for the record; None when nobody can tell it."""
        return for_the_record(self.agent.measure, subgoal, drive=self.drive) if self.agent.measure else None

    def look_again(self, subgoal: Subgoal, before: Observation) -> Verdict:
        """What an empty hand has dropped may lie where it should, behind the arm: step back and look."""
        self.step_back()
        return self.look(subgoal, before)

    def check(self, subgoal: Subgoal) -> None:
        """Preflight. A subgoal that names what is not there is the planner's failure."""
        agent, drive, policy = self.agent, self.drive, self.agent.policy
        kind, age_s = getattr(policy, "action_kind", ActionKind.JOINT_POSITION_GRIPPER), agent.limits.max_age_s
        look = not agent.privileged
        try:
            preflight(subgoal, drive.observation, drive.spec, policy.skills, kind, max_age_s=age_s, look=look)
        except (UnknownName, InvalidPlan) as reason:
            raise PlannerFailed(f"{subgoal} cannot be begun: {reason}") from reason

    def act(self, subgoal: Subgoal) -> None:
        """Carry out chunk after chunk until the policy claims to be done, gives up, or the subgoal's time is over."""
        self.epoch += 1
        policy, end_s = self.agent.policy, self.drive.time_s + subgoal.timeout_s
        policy.reset(self.epoch)
        chunk, paid = None, getattr(policy, "pays_for_thinking", False)
        while chunk is None or not chunk.final:
            chunk = self.think("policy", lambda: policy.infer(self.drive.observation, subgoal), paid=paid)
            check_chunk(chunk, self.drive.spec, self.epoch)
            for action in chunk.actions:
                if self.drive.time_s >= end_s:
                    raise SkillFailed(FailureCode.TIMEOUT, f"{subgoal} was not done within {subgoal.timeout_s:g} s")
                self.drive.advance(action, phase=chunk.phase)
                self.agent.verifier.watch(self.drive.observation)

    def verify(self, subgoal: Subgoal, before: Observation) -> Verdict:
        """The verifier's word; if it cannot tell, it may look once more after things have settled."""
        verdict = self.look(subgoal, before)
        if verdict.outcome is Outcome.INCONCLUSIVE:
            self.drive.hold(self.agent.limits.settle_s, phase="look again")
            verdict = self.look(subgoal, before)
        return verdict

    def look(self, subgoal: Subgoal, before: Observation) -> Verdict:
        """Ask the verifier about the newest observation."""
        verdict = self.think("verifier", lambda: self.agent.verifier.verify(subgoal, before, self.drive.observation))
        self.keep("verifier", verdict.calls, f"{subgoal}: {verdict.outcome}: {verdict.evidence}")
        return verdict

    def recover(self, attempt: Attempt, i: int) -> Recovery:
        """Choose the cheapest remedy that is left; when there is none, end the episode with the reason."""
        code = FailureCode(attempt.failure)
        remedy = self.budget.remedy(code, i, again=not self.ledger.stuck())
        reason = f"{attempt.subgoal}: {code}: {attempt.detail}"
        self.drive.event(EventKind.RECOVERY, f"{remedy}: {reason}", action=str(remedy), reason=reason)
        if remedy is Recovery.GIVE_UP:
            raise SkillFailed(FailureCode.BUDGET_EXHAUSTED if code in REMEDIES else code, reason)
        if code is FailureCode.STALE_OBSERVATION:
            self.drive.hold(self.agent.limits.settle_s, phase="wait for a picture")
        return remedy

    def resume_from(self, i: int, todo: list[Subgoal]) -> int | None:
        """Index after the last subgoal that still holds, looking back from the i-th; None when lasting work is undone.

        Each of them was seen done once, so an inconclusive look changes nothing.
        """
        for j in reversed(range(i)):
            verdict = self.look(todo[j], self.ledger.before[j])
            if verdict.outcome is not Outcome.FAILURE:
                return j + 1
            self.ledger.seen[j] = verdict
            if todo[j].skill not in PASSING:
                return None
        return 0

    def conclude(self) -> Ending:
        """The planner finds nothing left to do: claim it only if the verifier has seen every subgoal done.

        That goes for those of earlier plans, too, unless a later plan was about the same thing.
        """
        ledger = self.ledger
        if not ledger.subgoals:  # an empty reply is no evidence that anything was done
            return Ending(False, FailureCode.PLANNER_FAILED, "the planner finds nothing to do, and nothing was done")
        while (i := ledger.unseen()) is not None:
            if i in ledger.before:
                ledger.seen[i] = verdict = self.look(ledger.subgoals[i], ledger.before[i])
                self.drive.event(EventKind.NOTE, f"last look at {ledger.subgoals[i]}: {verdict.evidence}")
            if not ledger.done(i):
                reason = f"the planner finds nothing left to do, but {ledger.subgoals[i]} was not seen done"
                return Ending(False, FailureCode.CRITERION_NOT_MET, reason)
        for debt in ledger.forgotten():
            subgoal, before = debt
            verdict = self.look(subgoal, before) if before is not None else None
            if verdict is None or verdict.outcome is not Outcome.SUCCESS:
                reason = f"the planner finds nothing left to do, but {subgoal} of an earlier plan was not seen done"
                return Ending(False, FailureCode.CRITERION_NOT_MET, reason)
            self.drive.event(EventKind.NOTE, f"last look at {subgoal}: {verdict.evidence}")
            ledger.owed = [other for other in ledger.owed if other is not debt]
        how = "seen done" if ledger.looks else "claimed by the policy, which nobody verified,"
        return Ending(True, None, f"every subgoal was {how} and nothing is left to do")

    def think(self, what: str, call: Callable[[], Any], *, paid: bool = False) -> Any:
        """Call a planner, policy or verifier; unless it pays itself, the body goes on for as long as the clock says."""
        asked_s = time.perf_counter()
        try:
            answer = call()
        except PlannerFailed as error:
            self.keep(what, error.calls, str(error))
            raise
        self.thought_s = wall_s = time.perf_counter() - asked_s
        if steps := self.drive.hold(0.0 if paid else self.agent.clock.charge_s(wall_s), phase=f"{what} thinks"):
            self.drive.event(EventKind.THINKING, f"{what} thought", what=what, wall_s=wall_s, charged_steps=steps)
        return answer

    def keep(self, what: str, calls: tuple[Mapping[str, Any], ...], words: str) -> None:
        """Exchanges with a model that no plan holds go into the log, too."""
        if calls:
            self.drive.event(EventKind.CALLS, f"{what}: {words}", what=what, calls=[dict(call) for call in calls])
