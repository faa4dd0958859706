"""Dummies that an episode is made of, each with one kind of trouble, and a run of them."""

from tandem.agent.loop import Agent
from tandem.bridge.conformance import DummyBody, DummyPlanner, DummyPolicy, DummyVerifier, dummy_spec
from tandem.bridge.contract import (
    Outcome,
    Plan,
    SkillFailed,
    Subgoal,
    Verdict,
)

SPEC = dummy_spec()
PICK, PLACE = Subgoal("pick", {"object": "red cube"}), Subgoal("place", {"target": "blue bin"})
TASK = (PICK, PLACE)


class Recorder:
    """Writes down what a subscriber hears."""

    def __init__(self):
        self.heard, self.steps, self.events = [], [], []

    def on_episode_start(self, start):
        self.heard.append("start")

    def on_step(self, step):
        self.heard.append("step")
        self.steps.append(step)

    def on_event(self, event):
        self.heard.append(str(event.kind))
        self.events.append(event)

    def on_episode_end(self, result):
        self.heard.append("end")
        self.result = result

    def of(self, kind):
        return [event for event in self.events if event.kind is kind]


class CountingBody(DummyBody):
    """Runs `trouble` before the n-th step, and counts the steps asked for."""

    def __init__(self, at=10**9, trouble=None):
        super().__init__(SPEC)
        self.asked, self.at, self.trouble = 0, at, trouble

    def step(self, action):
        self.asked += 1
        if self.asked >= self.at:
            raise self.trouble
        return super().step(action)


class TroubledPolicy(DummyPolicy):
    """Fails with the next of the given codes at each attempt of a skill; None is an attempt without trouble."""

    def __init__(self, **codes):
        super().__init__(SPEC)
        self.codes, self.tried = {skill: iter(code) for skill, code in codes.items()}, []

    def infer(self, observation, subgoal):
        if self._calls == 0:
            self.tried.append(subgoal)
            code = next(self.codes.get(subgoal.skill, iter(())), None)
            if code is not None:
                raise SkillFailed(code, "as the test asks")
        return super().infer(observation, subgoal)


class PlannedVerifier(DummyVerifier):
    """Gives the next outcome for a skill at each look, the last one for ever."""

    def __init__(self, **outcomes):
        super().__init__()
        self.outcomes = {skill: list(given) for skill, given in outcomes.items()}

    def verify(self, subgoal, before, after):
        left = self.outcomes.get(subgoal.skill, [Outcome.SUCCESS])
        return Verdict(left.pop(0) if len(left) > 1 else left[0], "as the test asks")


class Plans:
    """Gives the next plan, the last one for ever."""

    def __init__(self, *plans):
        self.plans, self.requests = list(plans), []

    def plan(self, request):
        self.requests.append(request)
        answer = self.plans.pop(0) if len(self.plans) > 1 else self.plans[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Plan) else Plan(answer)


def run(body=None, planner=None, policy=None, verifier=None, subscribers=(), **more):
    recorder = Recorder()
    agent = Agent(
        body or DummyBody(SPEC), planner or DummyPlanner(TASK), policy or DummyPolicy(SPEC),
        verifier or DummyVerifier(), subscribers=(recorder, *subscribers), **more,
    )
    return agent.run("put the red cube in the blue bin", seed=3), recorder


def codes(result):
    return [attempt.failure for attempt in result.attempts]
