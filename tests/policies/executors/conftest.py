"""Policies for executors: one whose chunks are smooth random curves with a known velocity field, and simple ones."""

import math

import numpy as np
import pytest
import torch

from tandem.bridge.conformance import DummyBody, dummy_spec
from tandem.bridge.contract import SKILLS, ActionChunk, Subgoal
from tandem.policies.executors import Drawing
from tandem.policies.executors.guidance import sample

SPEC = dummy_spec()
GOAL = np.array([0.7, 0.25, 0.45])
SPEED, SPREAD, STEPS = 0.15, 0.02, 10  # m/s, m of a chunk's deviation from the straight line, Euler steps


def plainly(drawing):
    return sample(drawing.velocity, drawing.noise, drawing.steps)


class GaussianFlow:
    """Goes to a point by chunks drawn from a Gaussian around the straight line: every draw is another smooth curve.

    The velocity of the flow is known exactly (Gaussian conditioning), with clean prefixes, too.
    """

    skills = SKILLS

    def __init__(self, spec=SPEC, horizon=20, stride=1, trained_prefix=8, goal=GOAL):
        self.spec, self.horizon, self.stride, self.goal = spec, horizon, stride, goal
        self.trained_prefix = trained_prefix
        at = torch.arange(stride - 1, horizon, stride, dtype=torch.float64)
        self.covariance = torch.exp(-((at[:, None] - at) ** 2) / (2 * 8.0**2)) + 1e-4 * torch.eye(len(at))
        self.asked = []
        self.reset(0)

    def reset(self, epoch):
        self._epoch, self._request = epoch, 0
        self._generator = torch.Generator().manual_seed(7)

    def infer(self, observation, subgoal):
        return self.infer_by(plainly, observation, subgoal)

    def infer_by(self, sampler, observation, subgoal):
        here, time_s = np.array(observation["joint_position"]), float(observation["time"][0])
        self.asked.append(time_s)
        noise = torch.randn(self.horizon // self.stride, 3, generator=self._generator)
        drawing = Drawing(self.velocity, noise, STEPS, lambda actions: self.encode(actions, here))
        return self.decode(sampler(drawing), here, time_s)

    def line(self, here):
        way = self.goal - here
        left = np.linalg.norm(way)
        along = np.minimum(np.arange(1, self.horizon + 1) * SPEED * self.spec.dt_s, left)
        return here + along[:, None] * way / max(left, 1e-9), left

    def velocity(self, noisy, time):
        x, k = noisy.double(), int((time >= 1).sum())
        t = float(time[-1])
        mean, covariance, rest = torch.zeros_like(x[k:]), self.covariance[k:, k:], x[k:]
        if k:  # the prefix is known: condition on it
            gain = torch.linalg.solve(self.covariance[:k, :k], self.covariance[:k, k:]).T
            mean, covariance = gain @ x[:k], covariance - gain @ self.covariance[:k, k:]
        eye = torch.eye(len(rest), dtype=torch.float64)
        drift = (t * covariance - (1 - t) * eye) @ torch.linalg.solve(
            t**2 * covariance + (1 - t) ** 2 * eye, rest - t * mean)
        return torch.cat([torch.zeros_like(x[:k]), mean + drift]).to(noisy)

    def encode(self, actions, here):
        points = self.line(here)[0][self.stride - 1::self.stride][:len(actions)]
        return torch.tensor((actions[:, :-1] - points) / SPREAD, dtype=torch.float32)

    def decode(self, sample, here, time_s):
        line, left = self.line(here)
        curve = sample.double().numpy()
        at = np.arange(self.stride - 1, self.horizon, self.stride)
        offset = np.stack([np.interp(np.arange(self.horizon), at, column) for column in curve.T], axis=1)
        actions = np.column_stack([line + SPREAD * offset, np.ones(self.horizon)])
        self._request += 1
        return ActionChunk(
            np.clip(actions, self.spec.action.low, self.spec.action.high), self.spec.dt_s, time_s, self._epoch,
            self._request - 1, final=bool(left < 0.05), phase="go",
        )


class Counter:
    """Its k-th chunk says (k + i / 100) for its i-th action, in the first joint's units of a thousandth."""

    skills = SKILLS

    def __init__(self, spec=SPEC, horizon=10, chunks=1000):
        self.spec, self.horizon, self.chunks, self.told, self.asked_s = spec, horizon, chunks, [], []
        self.epochs, self.late = [], 0
        self.reset(0)

    def reset(self, epoch):
        self._epoch, self._calls = epoch, 0
        self.epochs.append(epoch)

    def carried_out(self, count):
        self.told.append(count)

    def infer(self, observation, subgoal):
        self.asked_s.append(float(observation["time"][0]))
        actions = np.tile([0.3, 0.0, 0.3, 1.0], (self.horizon, 1))
        actions[:, 0] += (self._calls + np.arange(self.horizon) / 100) / 1000
        self._calls += 1
        return ActionChunk(
            actions, self.spec.dt_s, self.asked_s[-1], self._epoch - self.late, self._calls - 1,
            final=self._calls >= self.chunks, phase="count",
        )


class Charge:
    """A clock that charges a fixed time, or the wall's."""

    def __init__(self, ms=None):
        self.ms, self.real_time = ms, ms is None

    def charge_s(self, wall_s):
        return wall_s if self.ms is None else self.ms / 1000


def drive(executor, steps, epoch=1, subgoal=None, seed=3):
    """That many control steps on a dummy body: (first joint in counter's units or nan when held, chunks)."""
    body, subgoal = DummyBody(SPEC), subgoal or Subgoal("home")
    observation, _ = body.reset(seed=seed)
    executor.reset(epoch)
    said, chunks = [], []
    for _ in range(steps):
        chunk = executor.infer(observation, subgoal)
        chunks.append(chunk)
        said.append(math.nan if chunk.phase == "policy thinks" else round((chunk.actions[0, 0] - 0.3) * 1000, 6))
        observation, *_ = body.step(chunk.actions[0])
        if chunk.final:
            break
    return said, chunks


@pytest.fixture(autouse=True)
def _one_thread():
    """Small matrices are not worth a second core, which others may be using."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def spec():
    return SPEC


@pytest.fixture
def flow():
    return GaussianFlow


@pytest.fixture
def counter():
    return Counter


@pytest.fixture
def charge():
    return Charge


@pytest.fixture
def driven():
    return drive
