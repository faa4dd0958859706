"""A log opened to be gone through again: its arrays, its system, and the world that its states belong to."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
from composition import Rig, System

from tandem.agent.replay.observations import LoggedObservations, Source
from tandem.bridge.contract import EventKind, InvalidOption, LazyObservation, LogUnreadable, Observation, TandemError
from tandem.bridge.log import LogReader
from tandem.bridge.robots import load
from tandem.sim.replay import load_model
from tandem.sim.scene import Rates
from tandem.sim.world import STATE, World


class Logged:
    """One log.

    Args:
        path: the file.

    Attributes:
        reader: the log.
    """

    def __init__(self, path: Path):
        self.reader = LogReader(path)

    @cached_property
    def _table(self) -> tuple[np.ndarray, np.ndarray]:
        return self.reader.states()

    @property
    def times(self) -> np.ndarray:
        """(T + 1,) s, row 0 is the start."""
        return self._table[0]

    @property
    def states(self) -> np.ndarray:
        """(T + 1, N). Raises `LogUnreadable` for a body without any."""
        return self._table[1]

    @cached_property
    def commands(self) -> np.ndarray:
        """(T, d) what was carried out; a step that a cut has split is left out, and an episode may have none."""
        if "/command" not in self.reader.channels:
            return np.empty((0, self.reader.spec.action.size))
        return self.reader.commands()[1][: len(self.states) - 1]

    @cached_property
    def struck(self) -> frozenset[int]:
        """Rows that a disturbance changed after the step."""
        moments = [event.time_s for event in self.reader.events() if event.kind is EventKind.DISTURBANCE]
        return frozenset(int(np.argmin(np.abs(self.times - moment))) for moment in moments)

    @cached_property
    def obstacle(self) -> str | None:
        """Why its states cannot be gone through bit for bit here; None when they can."""
        layout = self.reader.state_layout()
        if not layout or "/sim/state" not in self.reader.channels:
            return "the log holds no simulator state: its body was not simulated in the agent's process"
        if self.reader.damage:
            return f"messages are missing in the middle of the log: {self.reader.damage[0]}"
        if lost := self.reader.missing_steps():
            return f"the control steps {lost[0]} to {lost[1]} are missing in the middle of the log"
        if layout["mujoco"] != mujoco.__version__:
            return f"mujoco {layout['mujoco']} != {mujoco.__version__}"
        if layout["signature"] != int(STATE):
            return f"state mask {layout['signature']} != {int(STATE)}"
        try:
            self.world.restore(self.states[0])
        except TandemError as reason:
            return str(reason)
        return None

    @cached_property
    def world(self) -> World:
        """The logged model as a world. Raises `LogUnreadable` or `InvalidOption`."""
        layout, robot = self.reader.state_layout(), load(self.reader.spec.robot)
        model = load_model(self.reader.model()[1])
        if mujoco.mj_stateSize(model, STATE) != self.states.shape[1]:
            raise InvalidOption(f"the model's state has {mujoco.mj_stateSize(model, STATE)} numbers, the log's rows "
                                f"{self.states.shape[1]}")
        return World(model, robot, Rates(layout["physics_hz"], layout["control_hz"]))

    def system(self, changes: Mapping[str, Any]) -> System:
        """What ran, with some choices exchanged. Raises `LogUnreadable` when the manifest does not say."""
        told = self.reader.manifest.get("system")
        if told is None:
            raise LogUnreadable(f"{self.reader.path} does not say which system ran")
        if "source" in self.reader.manifest:
            raise LogUnreadable(f"{self.reader.path.name} was imported from a dataset, which says what was done and "
                                "not which planner and policy did it")
        known = {field.name for field in fields(System)}
        chosen = {name: value for name, value in told.items() if name in known}
        return System(**{**chosen, "disturb": tuple(chosen.get("disturb", ())), **changes})

    @property
    def seed(self) -> int:
        """Of the episode. Raises `LogUnreadable`."""
        if self.reader.manifest.get("seed") is None:
            raise LogUnreadable(f"{self.reader.path} does not say which seed made its world")
        return int(self.reader.manifest["seed"])

    @property
    def options(self) -> dict[str, Any]:
        """Of the body's reset."""
        return dict(self.reader.manifest.get("options") or {})

    def source(self, rig: Rig) -> tuple[Source, str]:
        """What was observed, restored in the rig's world where that is the same one; and where from, in words."""
        if self.obstacle is None:
            rig.body.reset(seed=self.seed, options=self.options)
            if np.array_equal(rig.body.state(), self.states[0]):
                return RestoredObservations(self, rig), "pictures rendered anew from the logged states"
            return LoggedObservations(self.reader), "the manifest's world is another one now: pictures as logged"
        return LoggedObservations(self.reader), "pictures as logged"

    def quiet(self, changes: Mapping[str, Any]) -> System:
        """The system without what replay has no use for: no model is loaded, nothing is disturbed."""
        plain = replace(self.system({}), planner="scripted", perceiver=None, verifier="observation", disturb=(),
                        body="sim", faults=None, keys=None, clock="lockstep")
        return replace(plain, **changes)


class RestoredObservations:
    """Observations in the episode's own world, put back to each logged state: ground truth is that of the moment, too.

    What was measured is taken from the log. A picture is rendered; where one was looked at then and this is not the
    same to the bit (a disturbed camera), it is the logged one.

    Args:
        logged: the log.
        rig: whose body holds the world.
    """

    def __init__(self, logged: Logged, rig: Rig):
        self._logged, self._rig = logged, rig
        self._plain = LoggedObservations(logged.reader)
        self.used = self._plain.used

    def at(self, row: int) -> Observation:
        """See `Source`."""
        plain = self._plain.at(row)
        here = self._rig.body.restore(self._logged.states[row])
        time_s = float(plain["time"][0])
        pictures = {key: self._picture(key, time_s, here, plain) for key in here if "." in key}
        return LazyObservation({key: plain[key] for key in plain if "." not in key}, pictures)

    def _picture(self, key: str, time_s: float, here: Observation, plain: Observation) -> Callable[[], np.ndarray]:
        def read() -> np.ndarray:
            array, expected = here[key], self._logged.reader.digest_at(key, time_s)
            if expected and hashlib.sha256(np.ascontiguousarray(array).data).hexdigest() != expected:
                return plain[key]
            self.used["rendered"] += 1
            return array

        return read

