"""The eyes: pictures of the plant's world, and the truth about it, from a process of their own.

They hold the same world, drawn from the same seed, and put it into the plant's newest state whenever they look. So
neither rendering nor a question about the truth ever keeps physics waiting.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Mapping
from typing import Any

from tandem.bridge.contract import TandemError
from tandem.sim.plant.exchange import Exchange
from tandem.sim.plant.grain import Grain
from tandem.sim.plant.line import HELLO, NOTICE, Line
from tandem.sim.plant.oracle import Oracle
from tandem.sim.plant.outlet import Outlet
from tandem.sim.plant.plant import notice
from tandem.sim.plant.scenario import Scenario, changes, for_eyes
from tandem.sim.plant.schedule import be_ordinary
from tandem.sim.plant.trouble import Trouble

NICER = 5  # where cores are few, physics goes first
PATIENCE_S = 0.1  # how often they look whether the driver is still there


class Eyes:
    """Look at one world after another.

    Args:
        scenario: what to build worlds from.
        exchange: where states come from.
        line: to the driver.
        outlet: where pictures go.
        camera_hz: pictures of each camera per second.
    """

    def __init__(self, scenario: Scenario, exchange: Exchange, line: Line, outlet: Outlet, camera_hz: float):
        self._cameras, self._exchange, self._line, self._outlet = scenario.cameras, exchange, line, outlet
        self._disturbances = for_eyes(scenario.disturbances())
        self._simulation = scenario.simulation(self._cameras, self._disturbances)
        self._oracle = Oracle(self._simulation.truth())
        self._grains = {camera.name: Grain(camera) for camera in self._cameras}
        self._period, self._due = round(1e9 / camera_hz), 0
        self._generation = self._seen = self._blind_until = 0

    def reset(self, seed: int, options: Mapping[str, Any], generation: int) -> None:
        """The same new world as the plant's. Raises `TandemError`, all as it was."""
        self._simulation.reset(seed=seed, options=options)
        self._generation, self._seen = generation, 0
        for grain in self._grains.values():
            grain.reset(seed)
        for camera in self._cameras:
            self._simulation.truth().look(camera.name)  # make the frame buffers now: the first picture takes long
        gc.collect()
        gc.freeze()

    def _catch_up(self) -> int:
        """Go to the plant's newest state. Returns its time in ns; 0 when there is none of this world yet."""
        state = self._exchange.state()
        if state is None or state.generation != self._generation:
            return 0
        self._simulation.restore(state.vector)
        return state.t

    def look(self) -> None:
        """Push a picture of every camera, all of one state, if there is a new one."""
        t = self._catch_up()
        if t <= self._seen:
            return
        self._seen, truth = t, self._simulation.truth()
        self._strike()
        if t < self._blind_until:
            return
        for camera in self._cameras:
            rgb, depth = self._grains[camera.name].over(*truth.look(camera.name))
            depth = depth if camera.depth else None
            for disturbance in self._disturbances:
                rgb, depth = disturbance.picture(camera.name, rgb, depth)
            self._outlet.push(camera.name, t, rgb, depth)

    def _strike(self) -> None:
        """Let disturbances begin and end. What the plant's own say it has told already."""
        for disturbance in self._disturbances:
            happened = disturbance.strike(self._simulation.truth())
            if happened and not changes(disturbance, "measured"):
                time_s = float(self._simulation.world.data.time)
                self._line.send(NOTICE, notice(self._generation, time_s, disturbance.name, happened), "")

    def run(self, parent: int) -> None:
        """Look and answer until the driver is gone."""
        self._due = time.monotonic_ns()
        while not self._line.closed and os.getppid() == parent:
            self._line.wait(min(PATIENCE_S, (self._due - time.monotonic_ns()) * 1e-9))
            for number, question, arguments in self._line.receive():
                self._reply(number, question, arguments)
            now = time.monotonic_ns()
            if now >= self._due:
                self.look()
                self._due = max(self._due + self._period, now)

    def _reply(self, number: int, question: str, arguments: Mapping[str, Any]) -> None:
        try:
            self._line.send(number, self._answer(question, arguments), "")
        except TandemError as reason:
            self._line.send(number, None, str(reason))

    def _answer(self, question: str, arguments: Mapping[str, Any]) -> Any:
        if question == "reset":
            return self.reset(**arguments)
        if question == "fault":
            asked = Trouble.of(arguments)
            self._blind_until = asked.until(time.monotonic_ns())
            return {"kind": asked.kind, "seconds": asked.seconds}
        self._catch_up()
        return self._oracle.answer(question, arguments)


def main(
    scenario: dict[str, Any], seed: int, generation: int, memory: int, line: int, parent: int, media: str, session: str,
    camera_hz: float, jpeg: bool,
) -> None:
    """The process; see `plant.main`, and `Outlet` for the rest."""
    be_ordinary()
    os.nice(NICER)
    told, to_driver = Scenario.from_dict(scenario), Line.of(line)
    outlet = Outlet(media, session, [camera.name for camera in told.cameras], jpeg=jpeg)
    try:
        eyes = Eyes(told, Exchange(told.dof, memory), to_driver, outlet, camera_hz)
        eyes.reset(seed, {}, generation)
        to_driver.send(HELLO, {}, "")
        eyes.run(parent)
    finally:
        outlet.close()
