"""The laws of a body hold for the dummy, and each is seen to fail on a body that breaks it."""

import numpy as np
import pytest

from tandem.bridge.conformance import DummyBody, check_body, dummy_spec
from tandem.bridge.contract import InvalidAction, StaleObservation


class Changed(DummyBody):
    """A dummy of which the tests below break one thing each."""

    def change(self, observation):
        return observation

    def reset(self, **options):
        observation, info = super().reset(**options)
        return self.change(observation), info

    def step(self, action):
        observation, *rest = super().step(action)
        return self.change(observation), *rest


class NoSpec(Changed):
    def __init__(self):
        super().__init__()
        self.actual = self.spec
        self.spec = self.spec.to_dict()


class StepsBeforeReset(Changed):
    def __init__(self):
        super().__init__()
        DummyBody.reset(self, seed=0)


class WrongRefusal(Changed):
    def step(self, action):
        if self._step is None:
            raise RuntimeError("not ready")
        return super().step(action)


class BareReset(Changed):
    def reset(self, **options):
        return super().reset(**options)[0]


class OldGym(Changed):
    def step(self, action):
        observation, reward, terminated, truncated, info = super().step(action)
        return observation, reward, terminated or truncated, info


class NoReward(Changed):
    def step(self, action):
        observation, _, *rest = super().step(action)
        return observation, None, *rest


class DoneAsNumber(Changed):
    def step(self, action):
        observation, reward, *_ = super().step(action)
        return observation, reward, 0, 0, {}


class Float32(Changed):
    def change(self, observation):
        return {**observation, "joint_position": observation["joint_position"].astype(np.float32)}


class Incomplete(Changed):
    def change(self, observation):
        return {key: observation[key] for key in observation if key != "tool_pose"}


class NotFinite(Changed):
    def change(self, observation):
        return {**observation, "joint_velocity": np.full(3, np.nan)}


class SmallPicture(Changed):
    def change(self, observation):
        return {**observation, "image.front": np.zeros((2, 2, 3), np.uint8)}


class Leaky(Changed):
    def step(self, action):
        *rest, info = super().step(action)
        return *rest, {**info, "is_success": False}


class StandingClock(Changed):
    def change(self, observation):
        return {**observation, "time": np.zeros(1)}


class TooFast(Changed):
    def __init__(self):
        super().__init__()
        self.moves = 0

    def change(self, observation):
        self.moves += 1
        return {**observation, "joint_position": observation["joint_position"] + 0.1 * self.moves}


class Unseeded(Changed):
    def reset(self, *, seed=None, options=None):
        return super().reset(seed=np.random.default_rng().integers(2**31), options=options)


class SeededOnce(Changed):
    """The same seed gives another episode in another process: it counts its bodies."""

    made = 0

    def __init__(self):
        super().__init__()
        SeededOnce.made += 1
        self.number = SeededOnce.made

    def reset(self, *, seed=None, options=None):
        return super().reset(seed=seed + self.number, options=options)


class Lenient(Changed):
    def step(self, action):
        try:
            fits = np.asarray(action, dtype=float).reshape(4)
        except ValueError as reason:
            raise InvalidAction("no action") from reason
        low, high = self.spec.action.low, self.spec.action.high
        return super().step(self.fit(fits, low, high))


class TakesNaN(Lenient):
    def fit(self, action, low, high):
        return np.nan_to_num(action, nan=0.3)


class Clips(Lenient):
    def fit(self, action, low, high):
        if not np.isfinite(action).all():
            raise InvalidAction("not finite")
        return np.clip(action, low, high)


class MovesThenRefuses(Changed):
    def step(self, action):
        try:
            return super().step(action)
        except InvalidAction:
            if self._step is not None:
                self._position = self._position + 0.01
            raise


class TicksThenRefuses(Changed):
    def step(self, action):
        try:
            return super().step(action)
        except InvalidAction:
            if self._step is not None:
                self._step += 1
            raise


class ShowsTheNewPicture(Changed):
    def _source(self, shape, dtype, value):
        return lambda: np.full(shape, self._step if value is None else value, dtype)


class PaintsOver(Changed):
    canvas = np.zeros((24, 32, 3), np.uint8)

    def change(self, observation):
        self.canvas[:] = self._step
        return {**observation, "image.front": self.canvas}


class ClosesOnce(Changed):
    closed = False

    def close(self):
        if self.closed:
            raise RuntimeError("already closed")
        self.closed = True
        super().close()


class StepsAfterClose(Changed):
    def close(self):
        pass


BROKEN = {
    NoSpec: "must be a BodySpec", StepsBeforeReset: "step before reset", WrongRefusal: "RuntimeError instead",
    BareReset: "reset must return", OldGym: "step must return", NoReward: "reward", DoneAsNumber: "booleans",
    Float32: "joint_position", Incomplete: "tool_pose", NotFinite: "joint_velocity", SmallPicture: "image.front",
    Leaky: "is_success", StandingClock: "time must increase", TooFast: "velocity limit",
    Unseeded: "the same seed must give the same episode again", SeededOnce: "in a new body", TakesNaN: "NaN",
    Clips: "out of bounds", MovesThenRefuses: "nothing may move", TicksThenRefuses: "nothing may move",
    ShowsTheNewPicture: "StaleObservation", PaintsOver: "must not change", ClosesOnce: "close must be allowed twice",
    StepsAfterClose: "step after close",
}


def test_the_dummy_is_a_body():
    check_body(DummyBody)
    check_body(lambda: DummyBody(dummy_spec(control_hz=50.0)), deterministic=False)


@pytest.mark.parametrize("body", BROKEN, ids=lambda body: body.__name__)
def test_every_law_is_seen_to_fail(body):
    with pytest.raises(AssertionError) as caught:
        check_body(body)
    assert BROKEN[body] in str(caught.value)


@pytest.mark.parametrize("body", [Unseeded, SeededOnce])
def test_hardware_need_not_repeat_itself(body):
    check_body(body, deterministic=False)


def test_time_passed_by_a_refusal_is_seen_on_hardware_too():
    class Slow(TicksThenRefuses):
        pass

    with pytest.raises(AssertionError, match="time went on"):
        check_body(Slow, deterministic=False)


def test_the_dummy_moves_no_faster_than_it_says_and_arrives():
    body = DummyBody()
    body.reset(seed=1)
    target = np.array([0.7, 0.3, 0.5, 0.0])
    reached = [body.step(target)[0]["joint_position"] for _ in range(30)]
    speeds = np.abs(np.diff(reached, axis=0)) * body.spec.control_hz
    assert np.all(speeds <= body.spec.velocity_limit + 1e-9)
    assert np.allclose(reached[-1], target[:-1])


def test_a_picture_not_looked_at_in_time_is_gone():
    body = DummyBody()
    first, _ = body.reset(seed=1)
    body.step(np.array([0.4, 0.0, 0.3, 1.0]))
    with pytest.raises(StaleObservation, match="step 0"):
        first["image.front"]
