"""The logged commands on a body: eased to the first pose, given up when the arm does not follow, overlaid in the end.

What moves the body is `Body.step`; a controller's own safety chain has the last word on every command.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from replaying.plots import Curve, write_plots

from tandem.agent.evaluation.divergence import Finding, Quantity, Status, judge
from tandem.agent.replay.observations import measured_of
from tandem.bridge.contract import (
    Body,
    BodySpec,
    BodyStopped,
    BodyUnresponsive,
    EpisodeStart,
    InvalidOption,
    Observation,
    SpecMismatch,
    Step,
)
from tandem.bridge.log import LogReader, Recorder

APPROACH = 0.2  # of the velocity limits, at the fastest moment of the approach
LONGEST_S = 30.0
PAUSE_S = 0.5  # at the first pose, before the log begins
FOLLOWING_RAD = 0.2  # an arm that is this far from where it was told to be ...
FOLLOWING_S = 0.3  # ... for this long, does not follow
SAME = {"rad": 0.1, "opening": 0.3}  # an arm in real time lags behind one in another body by a control step or two


@dataclass(frozen=True)
class Replayed:
    """What came of it.

    Attributes:
        times: (T,) s of the log.
        commanded: (T, d) what was asked for, after resampling.
        carried_out: (T, d) what the controller made of it.
        measured: (T, d) where the arm was one control step later, gripper last.
        logged: (T, d) where it was in the log.
        ended: why it ended before the log's end; empty when it did not.
    """

    times: np.ndarray
    commanded: np.ndarray
    carried_out: np.ndarray
    measured: np.ndarray
    logged: np.ndarray
    ended: str


def check_same_arm(reader: LogReader, spec: BodySpec) -> None:
    """Raise `SpecMismatch` unless the log's joints are the body's, in the same order, with room for every command."""
    ours = reader.spec
    if ours.robot != spec.robot or ours.action.names != spec.action.names:
        raise SpecMismatch([f"the log is of {ours.robot!r} with {', '.join(ours.action.names)}; "
                            f"the body is {spec.robot!r} with {', '.join(spec.action.names)}"])
    commands = reader.commands()[1]
    if not len(commands):
        raise InvalidOption(f"{reader.path} holds no commands")
    if lost := reader.missing_steps():
        raise InvalidOption(f"{reader.path} lacks the control steps {lost[0]} to {lost[1]}: the arm would jump over "
                            "them. Replay a log that has every step")
    outside = (commands < spec.action.low - 1e-6) | (commands > spec.action.high + 1e-6)
    if outside.any():
        step, i = np.argwhere(outside)[0]
        raise SpecMismatch([f"command {step} wants {spec.action.names[i]} at {commands[step, i]:.3f}, the body takes "
                            f"{spec.action.low[i]:.3f} to {spec.action.high[i]:.3f}"])


def resampled(reader: LogReader, spec: BodySpec, first_step: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times (T,), commands (T, d) and logged measurements (T, d) at the body's own control rate."""
    times, commands = reader.commands()
    measured = np.array([_pose(measured_of(row)) for row in reader.measurements() if row.index >= 0])[: len(times)]
    times, commands = times[first_step : len(measured)], commands[first_step : len(measured)]
    grid = np.arange(times[0], times[-1] + 1e-9, spec.dt_s)
    if abs(reader.spec.control_hz - spec.control_hz) < 1e-9:
        return times, commands, measured[first_step:]
    return grid, _on(grid, times, commands), _on(grid, times, measured[first_step:])


def _on(grid: np.ndarray, times: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.column_stack([np.interp(grid, times, column) for column in values.T])


def approach(start: np.ndarray, goal: np.ndarray, spec: BodySpec) -> np.ndarray:
    """(H, d) actions from a pose to another, at rest at both ends: a quintic in time, slow enough for every joint."""
    away = np.abs(goal - start)[:-1]
    seconds = max(1.0, float(np.max(1.875 * away / (APPROACH * spec.velocity_limit))))  # 1.875: its fastest moment
    if seconds > LONGEST_S:
        raise InvalidOption(f"the approach would take {seconds:.0f} s; bring the arm nearer to the first pose")
    s = np.linspace(0, 1, max(2, round(seconds * spec.control_hz)))[1:, None]
    return start + (10 * s**3 - 15 * s**4 + 6 * s**5) * (goal - start)


class Following:
    """Watches whether the arm goes where it is told.

    Args:
        spec: of the body.
    """

    def __init__(self, spec: BodySpec):
        self._spec, self._most, self._since = spec, max(1, round(FOLLOWING_S * spec.control_hz)), 0

    def strays(self, told: np.ndarray, measured: np.ndarray) -> str:
        """After a step: what is wrong, in words; empty when nothing is."""
        error = np.abs(told - measured)[:-1]
        worst = int(np.argmax(error))
        self._since = self._since + 1 if error[worst] > FOLLOWING_RAD else 0
        if self._since < self._most:
            return ""
        return (f"{self._spec.joint_names[worst]} is {error[worst]:.3f} rad from its command for {FOLLOWING_S:g} s: "
                "given up, the arm is told to stand where it is")


def replay_on(
    body: Body, reader: LogReader, recorder: Recorder, *, first_step: int = 0,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Replayed:
    """Carry the logged commands out.

    Args:
        body: it is reset first: a real arm then begins where it stands.
        reader: the log. Raises `SpecMismatch` before anything moves when it is another arm's.
        recorder: keeps the course.
        first_step: of the log.
        progress: told of (steps done, of).
    """
    spec = body.spec
    check_same_arm(reader, spec)
    times, commands, logged = resampled(reader, spec, first_step)
    observation, _ = body.reset(seed=reader.manifest.get("seed"), options={})
    recorder.on_episode_start(EpisodeStart(f"replay of {reader.path.name}", spec, observation, {
        "replayed": reader.path.name, "from": first_step, "system": None}))
    ease = approach(_pose(observation), commands[0], spec)
    still = np.repeat(commands[:1], max(1, round(PAUSE_S * spec.control_hz)), axis=0)
    course, ended = _drive(body, observation, (("approach", ease), ("pause", still), ("replay", commands)), recorder,
                           progress)
    told = [row for phase, *row in course if phase == "replay"]
    carried, measured = (np.array([row[i] for row in told]).reshape(-1, commands.shape[1]) for i in (0, 1))
    n = len(told)
    return Replayed(times[:n], commands[:n], carried, measured, logged[:n], ended)


def _drive(
    body: Body, observation: Observation, phases: tuple[tuple[str, np.ndarray], ...], recorder: Recorder,
    progress: Callable[[int, int], None],
) -> tuple[list[tuple[str, np.ndarray, np.ndarray]], str]:
    course, following, index = [], Following(body.spec), 0
    total = sum(len(actions) for _, actions in phases)
    for phase, actions in phases:
        for action in actions:
            before = observation
            try:
                observation, _, _, _, info = body.step(action)
            except (BodyStopped, BodyUnresponsive) as reason:
                return course, f"{phase}: {type(reason).__name__}: {reason}"
            command = info.get("command", action)
            recorder.on_step(Step(index, before, action, command, observation, phase=phase))
            course.append((phase, command, _pose(observation)))
            index += 1
            progress(index, total)
            if words := following.strays(action, _pose(observation)):
                body.step(np.clip(_pose(observation), body.spec.action.low, body.spec.action.high))
                return course, f"{phase}: {words}"
    return course, ""


def _pose(observation: Observation) -> np.ndarray:
    return np.append(observation["joint_position"], observation["gripper_opening"])


def finding(replayed: Replayed, spec: BodySpec) -> Finding:
    """How far the arm went from where it was in the log, per joint."""
    if not len(replayed.times):
        return Finding("body", Status.INCOMPARABLE, None, replayed.ended or "nothing was carried out")
    quantities = [
        Quantity(name, "opening" if name == "gripper" else "rad", replayed.logged[:, i], replayed.measured[:, i])
        for i, name in enumerate(spec.action.names)
    ]
    error = np.abs(replayed.commanded - replayed.measured)
    return judge(
        "body", quantities, f"{len(replayed.times)} commands carried out" + (f"; {replayed.ended}" if replayed.ended
                                                                            else ""),
        steps=np.arange(len(replayed.times)), differs=0, broken=[len(replayed.times)] if replayed.ended else (),
        tolerance=SAME,
        following_mean=dict(zip(spec.action.names, error.mean(axis=0).tolist(), strict=True)),
        following_max=dict(zip(spec.action.names, error.max(axis=0).tolist(), strict=True)),
    )


def write_overlay(replayed: Replayed, spec: BodySpec, path: Path) -> None:
    """Commanded, measured and logged course of each joint and of the gripper, as SVG."""
    panels = []
    for i, name in enumerate(spec.action.names):
        unit = "opening" if name == "gripper" else "rad"
        panels.append((f"{name} ({unit})", [
            Curve("logged", replayed.logged[:, i], "#9aa0a6"), Curve("commanded", replayed.commanded[:, i], "#1a73e8"),
            Curve("measured", replayed.measured[:, i], "#d93025")]))
    write_plots(path, replayed.times, panels)
