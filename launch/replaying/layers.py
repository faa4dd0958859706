"""The four questions to a log, and the fifth: everything again. Each gives verdicts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from composition import Rig
from replaying.logged import Logged
from rich.progress import track

from tandem.agent.evaluation.divergence import Finding, Quantity, Status, judge
from tandem.agent.replay.open_loop import policy_finding
from tandem.agent.replay.plans import ask_again, asked, planner_finding
from tandem.bridge.contract import CameraSpec, PhysicsDiverged, PlanRequest, TandemError
from tandem.bridge.contract import observation as keys
from tandem.bridge.log.values import Picture
from tandem.sim.cameras import Renderer
from tandem.sim.replay import joint_values, physics_of, simulate

MEASURED = ((keys.JOINT_POSITION, "joint", "rad"), (keys.JOINT_VELOCITY, "velocity", "rad/s"),
            (keys.GRIPPER_OPENING, "gripper", "opening"))
OUTCOME = ("success", "claimed", "seen", "measured", "infeasible", "failure")  # fields of a result


def physics(logged: Logged, first_step: int = -1) -> list[Finding]:
    """Simulate the logged commands from the first logged state, and compare every state."""
    if logged.obstacle:
        return [Finding("physics", Status.INCOMPARABLE, None, logged.obstacle)]
    world, states = logged.world, logged.states[: len(logged.commands) + 1]
    try:
        again = simulate(world, states, logged.commands, logged.struck)
    except PhysicsDiverged as reason:
        return [Finding("physics", Status.DIVERGED, -1, str(reason))]
    model = world.model
    same = [np.array_equal(physics_of(model, a), physics_of(model, b)) for a, b in zip(states, again, strict=True)]
    steps = np.arange(len(states)) - 1
    kept = steps >= first_step
    differs = [int(step) for step, equal in zip(steps, same, strict=True) if not equal and step >= first_step]
    restored = [row for row in logged.struck if row > max(first_step, 0)]
    words = f"{len(logged.commands)} control steps simulated"
    if restored:
        words += f", {len(restored)} of them restored from the log after disturbances"
        if len(restored) >= np.sum(steps >= max(first_step, 0)):
            return [Finding("physics", Status.INCOMPARABLE, None, f"{words}: nothing is left to compare")]
    return [judge(
        "physics", _quantities(model, states[kept], again[kept]), words, steps=steps[kept],
        differs=min(differs, default=None), restored_after_disturbances=sorted(logged.struck),
    )]


def _quantities(model: Any, logged: np.ndarray, again: np.ndarray) -> list[Quantity]:
    before, after = joint_values(model, logged), joint_values(model, again)
    return [Quantity(name, unit, values, after[name][1]) for name, (unit, values) in before.items()]


def state(logged: Logged, first_step: int = -1) -> list[Finding]:
    """Restore every state: what the arm would measure in it, and the pictures that were looked at, rendered anew."""
    if logged.obstacle:
        return [Finding("state", Status.INCOMPARABLE, None, logged.obstacle)]
    return [_measured(logged, first_step), _rendered(logged, first_step)]


def _measured(logged: Logged, first_step: int) -> Finding:
    measured = logged.reader.measurements()
    rows = [row for row in measured if first_step <= row.index < len(logged.states) - 1]  # a cut may have split a step
    steps, again = [row.index for row in rows], []
    for row in rows:
        logged.world.restore(logged.states[row.index + 1])
        again.append(logged.world.measured())
    names, quantities, differs = logged.reader.spec.joint_names, [], []
    for key, what, unit in MEASURED:
        told, now = np.array([getattr(row, key) for row in rows]), np.array([one[key] for one in again])
        differs += [steps[i] for i in np.flatnonzero((told != now).any(axis=1))]
        labels = names if unit != "opening" else ("",)
        quantities += [Quantity(f"{what} {label}".strip(), unit, *pair) for label, *pair in zip(
            labels, told.T, now.T, strict=True)]
    pose, now = np.array([row.tool_pose for row in rows]), np.array([one[keys.TOOL_POSE] for one in again])
    differs += [steps[i] for i in np.flatnonzero((pose != now).any(axis=1))]
    quantities += [Quantity("tool", "m", pose[:, :3], now[:, :3]),
                   Quantity("tool, orientation", "quaternion", pose[:, 3:], now[:, 3:])]
    return judge("state", quantities, f"{len(rows)} states restored and measured", steps=steps,
                 differs=min(differs, default=None))


def _rendered(logged: Logged, first_step: int) -> Finding:
    """By sha256 of the very array that was looked at; beside it how far the kept picture is, in dB."""
    reader, renderer = logged.reader, Renderer(logged.world.model)
    worst, differs, total = np.inf, [], 0
    try:
        for camera in (one for one in reader.spec.cameras if one.name in reader.cameras):
            for step, told, picture, again in _looked_at(logged, renderer, camera):
                if step < first_step:
                    continue
                total += 1
                closeness = _psnr(told.array, picture) if told.array.dtype == np.uint8 else np.inf
                worst = min(worst, closeness)
                same = hashlib.sha256(np.ascontiguousarray(again).data).hexdigest() == told.digest
                if not same or closeness < PLAUSIBLE_DB:
                    differs.append((step, camera.name))
    finally:
        renderer.close()
    if not total:
        return Finding("rendering", Status.INCOMPARABLE, None, "the log holds no pictures from there on")
    facts = {"worst_psnr_db": None if np.isinf(worst) else round(float(worst), 1), "different": len(differs)}
    if not differs:
        return Finding("rendering", Status.EXACT, None, f"{total} pictures rendered anew", (), facts)
    step, camera = min(differs)
    troubled = ", ".join(reader.manifest.get("system", {}).get("disturb", ()))
    because = f"; this episode was disturbed: {troubled}" if troubled else ""
    words = f"{len(differs)} of {total} pictures show something else, camera {camera} first{because}"
    return Finding("rendering", Status.DIVERGED, step, words, (), facts)


def _looked_at(logged: Logged, renderer: Renderer, camera: CameraSpec) -> Iterator[tuple[int, Picture, Any, Any]]:
    """Step, logged picture, the image rendered anew, and that or the depth: whichever the logged one is of."""
    depths = logged.reader.depths(camera.name) if f"/obs/{camera.name}/depth" in logged.reader.channels else ()
    for which, pictures in enumerate((logged.reader.images(camera.name), depths)):
        for told in pictures:
            row = int(np.argmin(np.abs(logged.times - told.time_s)))
            logged.world.restore(logged.states[row])
            again = renderer.render(logged.world.data, camera.name, camera.width, camera.height, depth=camera.depth)
            yield row - 1, told, again[0], again[which]


PLAUSIBLE_DB = 20.0  # a JPEG of quality 90 is closer than that to what it was made of


def _psnr(a: np.ndarray, b: np.ndarray) -> float:
    error = float(np.mean((a.astype(np.float64) - b) ** 2))
    return float("inf") if error == 0 else 10 * np.log10(255**2 / error)


def policy(logged: Logged, changes: Mapping[str, Any], first_step: int = 0) -> list[Finding]:
    """Feed the logged observations to a policy, in the executor and by the clock of then."""
    then = logged.system({})
    if then.executor is not None and (then.clock == "live" or then.body != "sim"):
        words = f"the executor {then.executor} thought in real time, which nobody repeats"
        return [Finding("policy", Status.INCOMPARABLE, None, words)]
    clock = {} if then.executor is None else {"clock": then.clock}
    with rig_of(logged, {"policy": changes.get("policy", then.policy), **clock}) as rig:
        source, words = logged.source(rig)
        found = policy_finding(rig.make_policy(), logged.reader, source, rig.body.spec, first_step=max(first_step, 0))
        return [_with(found, words)]


def planner(logged: Logged, changes: Mapping[str, Any], first_step: int = -1) -> list[Finding]:
    """Put the logged questions to a planner."""
    system = logged.system({})
    names = ("planner", "perceiver", "device", "dtype", "bits", "revision", "family", "temperature", "think_tokens",
             "grammar", "policy")
    chosen = {name: changes.get(name, getattr(system, name)) for name in names}
    with rig_of(logged, chosen) as rig:
        source, words = logged.source(rig)
        if chosen["planner"] == "scripted" and "rendered" not in words:
            return [Finding("planner", Status.INCOMPARABLE, None, f"the scripted planner needs ground truth; {words}")]
        cameras = tuple(camera.name for camera in rig.body.spec.cameras)
        request = PlanRequest(logged.reader.manifest["instruction"], {}, rig.make_policy().skills, (), cameras)
        calls = track(list(asked(logged.reader)), "planner", transient=True)
        return [_with(planner_finding(ask_again(rig.make_planner(), list(calls), source, request),
                                      first_step=first_step), words)]


def _with(found: Finding, words: str) -> Finding:
    if found.status is Status.INCOMPARABLE:
        return found
    return replace(found, words=f"{found.words}; {words}" if found.words else words)


@contextmanager
def rig_of(logged: Logged, changes: Mapping[str, Any]) -> Iterator[Rig]:
    """The system of a log for asking one layer: nothing else of it is made."""
    rig = Rig(logged.quiet(changes))
    try:
        yield rig
    finally:
        rig.close()


class States:
    """A subscriber that keeps the body's state after every step."""

    def __init__(self, rig: Rig):
        self._rig, self.rows = rig, []

    def on_episode_start(self, start: Any) -> None:
        """The first row."""
        self.rows.append(self._rig.body.state())

    def on_step(self, step: Any) -> None:
        """A row more."""
        self.rows.append(self._rig.body.state())

    def on_event(self, event: Any) -> None:
        """Nothing."""

    def on_episode_end(self, result: Any) -> None:
        """Nothing."""


def closed(logged: Logged, changes: Mapping[str, Any]) -> list[Finding]:
    """Run everything again from the manifest, and compare the states and the outcome."""
    rig = Rig(logged.system(changes))
    try:
        witness = States(rig) if rig.system.body == "sim" else None
        result = rig.run(logged.seed, **logged.options, subscribers=[witness] if witness else [])
    finally:
        rig.close()
    then = logged.reader.result or {}
    facts = {"success_then": then.get("success"), "success_now": result.success, "failure_then": then.get("failure"),
             "failure_now": result.failure, "steps_then": then.get("steps"), "steps_now": result.steps,
             "changes": dict(changes)}
    words = f"success {_word(facts['success_then'])} then, {_word(facts['success_now'])} now"
    now = result.to_dict()
    other = [name for name in OUTCOME if then and then.get(name) != now[name]]
    words += "".join(f"; {name}: {then.get(name)} then, {now[name]} now" for name in other if name != "success")
    if logged.obstacle or witness is None:
        why = logged.obstacle or "another body"
        return [Finding("closed", Status.INCOMPARABLE, None, f"{why}; {words}", (), facts)]
    return [same_course(logged, np.array(witness.rows), words, facts, ends_alike=not other)]


def same_course(
    logged: Logged, again: np.ndarray, words: str, facts: Mapping[str, Any], *, ends_alike: bool = True
) -> Finding:
    """Compare a log's states with others (T + 1, N) of the same episode; another outcome differs after the last."""
    count = min(len(logged.states), len(again))
    if again.shape[1] != logged.states.shape[1]:
        return Finding("closed", Status.DIVERGED, -1, f"{words}; its world has other things in it", (), facts)
    before, after = logged.states[:count], again[:count]
    differing = np.flatnonzero((before != after).any(axis=1)) - 1
    cut = logged.reader.result is None  # the log ends before the episode did
    ends = [] if ends_alike and (cut or len(logged.states) == len(again)) else [count - 1]
    return judge("closed", _quantities(logged.world.model, before, after), words, steps=np.arange(count) - 1,
                 differs=int(differing[0]) if len(differing) else None, broken=ends, **facts)


def _word(value: bool | None) -> str:
    return "unknown" if value is None else "yes" if value else "no"


def all_layers(logged: Logged, changes: Mapping[str, Any], first_step: int) -> Iterator[Finding]:
    """State, physics, policy and planner, in this order: the first that differs is the culprit."""
    yield from state(logged, first_step)
    yield from physics(logged, first_step)
    for layer, ask in (("policy", policy), ("planner", planner)):
        try:
            yield from ask(logged, changes, first_step)
        except TandemError as reason:
            yield Finding(layer, Status.INCOMPARABLE, None, f"{type(reason).__name__}: {reason}")
