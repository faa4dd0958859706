"""The laws of a `Body`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tandem.bridge.conformance.law import refuses, require, same
from tandem.bridge.contract import (
    Body,
    BodySpec,
    InvalidAction,
    InvalidObservation,
    LazyObservation,
    Observation,
    StaleObservation,
)
from tandem.bridge.contract.observation import layout, snapshot, validate

GROUND_TRUTH = ("success", "truth", "reward", "progress", "is_success", "object", "goal")
SPEED_TOLERANCE = 1.25  # measured joints overshoot their commanded speed a little


def check_body(
    make_body: Callable[[], Body], *, seed: int = 7, steps: int = 5, deterministic: bool = True
) -> None:
    """Raise AssertionError naming the first law of `Body` that is broken.

    Args:
        make_body: makes a fresh body; called twice.
        seed: for reset.
        steps: control steps per trial.
        deterministic: whether the same seed must give the same episode bit for bit (False for hardware).
    """
    body = make_body()
    spec = _check_spec(body)
    refuses(InvalidAction, lambda: body.step(_middle(spec)), "step before reset must raise InvalidAction.")
    trace = _check_episode(body, seed, steps)
    again = _check_episode(body, seed, steps)
    if deterministic:
        _check_same(trace, again, "the same seed must give the same episode again")
    _check_refusals(body, trace, seed, deterministic)
    _check_old_images(body, seed)
    _check_close(body, spec)
    other = make_body()
    if deterministic:
        _check_same(trace, _check_episode(other, seed, steps), "the same seed must give the same episode in a new body")
    other.close()


def _check_spec(body: Body) -> BodySpec:
    spec = body.spec
    require(isinstance(spec, BodySpec), "spec must be a BodySpec before anything else is called.", type(spec))
    differences = spec.differences(BodySpec.from_dict(spec.to_dict()))
    require(not differences, "spec must survive to_dict and from_dict.", differences)
    return spec


def _middle(spec: BodySpec) -> np.ndarray:
    return (spec.action.low + spec.action.high) / 2


def _hold(observation: Observation, spec: BodySpec) -> np.ndarray:
    """The measured pose as an action; the middle of the bounds for layouts of a third party."""
    measured = np.append(observation["joint_position"], observation["gripper_opening"])
    return np.clip(measured, spec.action.low, spec.action.high) if measured.size == spec.action.size else _middle(spec)


def _nudged(observation: Observation, spec: BodySpec) -> np.ndarray:
    """An action a little away from the measured pose, inside the bounds."""
    action = _hold(observation, spec)
    return action + 0.02 * (_middle(spec) - action)


def _check_episode(body: Body, seed: int, steps: int) -> list[dict[str, np.ndarray]]:
    """Reset and some steps, each checked; returns all that was observed, images of the first and last included."""
    answer = body.reset(seed=seed)
    require(isinstance(answer, tuple) and len(answer) == 2, "reset must return (observation, info).", answer)
    observation, info = answer
    action = _nudged(observation, body.spec)
    trace = [_checked(observation, info, body.spec, images=True)]
    for i in range(steps):
        answer = body.step(action)
        law = "step must return (observation, reward, terminated, truncated, info)."
        require(isinstance(answer, tuple) and len(answer) == 5, law, answer)
        observation, reward, terminated, truncated, info = answer
        require(np.isscalar(reward) and np.isfinite(reward), "the reward must be a finite number.", reward)
        booleans = isinstance(terminated, (bool, np.bool_)) and isinstance(truncated, (bool, np.bool_))
        require(booleans, "terminated and truncated must be booleans.", (terminated, truncated))
        trace.append(_checked(observation, info, body.spec, images=i == steps - 1))
        _check_motion(trace[-2], trace[-1], body.spec)
    return trace


def _checked(observation: Observation, info: Any, spec: BodySpec, *, images: bool) -> dict[str, np.ndarray]:
    require(isinstance(observation, Mapping), "an observation must be a mapping.", type(observation))
    try:
        validate(observation, spec, images=images)
    except InvalidObservation as reason:
        raise AssertionError(f"every observation must satisfy observation.validate: {reason}") from reason
    require(isinstance(info, dict), "info must be a dict.", type(info))
    leaked = [key for key in info if any(word in str(key).lower() for word in GROUND_TRUTH)]
    require(not leaked, "info must never hold ground truth.", leaked)
    return snapshot(observation, layout(spec, images=images))


def _check_motion(before: Mapping[str, np.ndarray], after: Mapping[str, np.ndarray], spec: BodySpec) -> None:
    elapsed = float(after["time"][0] - before["time"][0])
    require(elapsed > 0, "time must increase strictly from step to step.", elapsed)
    speed = np.abs(after["joint_position"] - before["joint_position"]) / elapsed
    law = "no joint may move faster than the velocity limit that spec declares."
    require(bool(np.all(speed <= SPEED_TOLERANCE * spec.velocity_limit + 1e-3)), law, speed)


def _check_same(one: list[dict[str, np.ndarray]], other: list[dict[str, np.ndarray]], law: str) -> None:
    for i, (left, right) in enumerate(zip(one, other, strict=True)):
        key = same(left, right)
        require(not key, f"{law}, bit for bit; {key!r} differs at step {i}.")


def _bad_actions(spec: BodySpec) -> dict[str, Any]:
    good = _middle(spec)
    worst = int(np.argmax(spec.action.high - spec.action.low))
    bad = {
        "one element too many": np.append(good, good[0]), "one element too few": good[:-1], "a scalar": 0.0,
        "two actions at once": np.stack([good, good]), "words": "up",
    }
    for name, value in (("NaN", np.nan), ("infinity", np.inf), ("out of bounds", spec.action.high[worst] + 0.1)):
        bad[name] = good.copy()
        bad[name][worst] = value
    return bad


def _check_refusals(body: Body, trace: list[dict[str, np.ndarray]], seed: int, deterministic: bool) -> None:
    first, _ = body.reset(seed=seed)
    before = snapshot(first, layout(body.spec, images=False))
    action = _nudged(first, body.spec)
    for name, bad in _bad_actions(body.spec).items():
        refuses(InvalidAction, lambda bad=bad: body.step(bad), f"an action with {name} must raise InvalidAction.")
    after = snapshot(body.step(action)[0], before)
    law = "nothing may move, and no time pass, when an action is refused"
    if deterministic:
        expected = {key: trace[1][key] for key in before}
        key = same(expected, after)
        require(not key, f"{law}; {key!r} of the next step differs.")
    elapsed = float(after["time"][0] - before["time"][0])
    require(elapsed < 2.5 * body.spec.dt_s, f"{law}; time went on by {elapsed:.3f} s in one step.")


def _check_old_images(body: Body, seed: int) -> None:
    pictures = [key for key in layout(body.spec) if key.startswith(("image.", "depth."))]
    seen, _ = body.reset(seed=seed)
    kept = snapshot(seen, pictures)
    unseen = body.step(_hold(seen, body.spec))[0]
    body.step(_hold(unseen, body.spec))
    require(not same(kept, seen), "an image that was read must not change when the body moves on.")
    for key in pictures if isinstance(unseen, LazyObservation) else ():
        law = f"{key!r} of an observation that the body has left behind must raise StaleObservation."
        refuses(StaleObservation, lambda key=key: unseen[key], law)


def _check_close(body: Body, spec: BodySpec) -> None:
    body.close()
    try:
        body.close()
    except Exception as reason:
        raise AssertionError(f"close must be allowed twice; it raised {type(reason).__name__}: {reason}") from reason
    refuses(InvalidAction, lambda: body.step(_middle(spec)), "step after close must raise InvalidAction.")
