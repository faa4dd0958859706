"""The plant: an arm and its surroundings in real time, in a process of their own.

It knows setpoints, measurements and states; it knows no controller, no picture and no question about the truth. What it
does not answer at once it does not answer: physics never waits.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from tandem.bridge.contract import TandemError, UnknownName
from tandem.bridge.drivers.driver import Measured
from tandem.sim.plant import trouble
from tandem.sim.plant.actuator import Actuator
from tandem.sim.plant.encoders import Encoders
from tandem.sim.plant.exchange import Exchange, State
from tandem.sim.plant.interference import Interference
from tandem.sim.plant.line import HELLO, NOTICE, Line
from tandem.sim.plant.pace import Pace
from tandem.sim.plant.reflex import Reflex
from tandem.sim.plant.scenario import Scenario, for_plant
from tandem.sim.plant.schedule import be_ordinary, be_urgent
from tandem.sim.plant.trouble import Trouble

PRIORITY = 30  # the servo loop has 50
WIND_DOWN_S = 0.5  # longest time that a deserted arm brakes


class Plant:
    """One arm in one world after another.

    Args:
        scenario: what to build worlds from.
        exchange: where setpoints come from, and measurements and states go.
        line: to the driver.
    """

    def __init__(self, scenario: Scenario, exchange: Exchange, line: Line):
        self._disturbances = for_plant(scenario.disturbances())
        self._simulation = scenario.simulation((), self._disturbances)
        spec, tick_s = self._simulation.spec, 1.0 / scenario.tick_hz
        self._ticks, self._turns, self._generation = scenario.rates.substeps, 0, 0
        self._exchange, self._line, self._task = exchange, line, scenario.task
        self._reflex, self._actuator = Reflex(round(tick_s * 1e9)), Actuator(spec, tick_s)
        self._interference = Interference(self._disturbances, self._ticks)
        self._encoders, self._pace = Encoders(spec.dof, self._disturbances), Pace(scenario.tick_hz)

    def reset(self, seed: int, options: Mapping[str, Any], generation: int) -> dict[str, Any]:
        """A new world, measured before this returns. Returns what is known of it.

        Raises `TandemError` when there is no such world; the one of before goes on, and the arm holds.
        """
        self._reflex.rest()
        _, info = self._simulation.reset(seed=seed, options=options)
        start, self._generation, self._turns = self._simulation.world.commanded(), generation, 0
        self._actuator.rest_at(start)
        self._interference.rest_at(start)
        self._encoders.reset(seed)
        self._publish()
        gc.collect()
        gc.freeze()  # a collection looks at what is new, not at all that was ever imported
        self._pace.restart()
        return {**info, "task": self._task}

    def turn(self) -> None:
        """One tick: the newest setpoint, one step of physics, what is measured of it."""
        command, now = self._exchange.command(), time.monotonic_ns()
        if self._reflex.follows(command, now):
            target = self._interference.apply(np.append(command.position, command.opening))
            action = self._actuator.follow(target)
        else:
            action = self._actuator.brake()
            self._interference.hold(action)
        self._simulation.world.drive(action)
        self._turns += 1
        if self._turns % self._ticks == 0:
            self._control_step()
        self._publish()

    def _control_step(self) -> None:
        """What `Simulation.step` does after physics."""
        truth, world = self._simulation.truth(), self._simulation.world
        world.refresh()
        truth.challenge.update(truth)
        for disturbance in self._disturbances:
            happened = disturbance.strike(truth)
            if happened:
                told = notice(self._generation, float(world.data.time), disturbance.name, happened)
                self._line.send(NOTICE, told, "")

    def _publish(self) -> None:
        world, now = self._simulation.world, time.monotonic_ns()
        self._exchange.put_state(State(world.state(), now, self._generation))
        read = self._encoders.read(world, now)
        if read is not None:
            self._exchange.put_measured(Measured(*read, now, self._generation, self._reflex.fault))

    def run(self, parent: int) -> None:
        """Turn until the driver is gone, and then until the arm stands."""
        self._pace.restart()
        while not self._line.closed and os.getppid() == parent:
            self.turn()
            for number, question, arguments in self._line.receive():
                self._line.send(number, *self._answer(question, arguments))
            self._pace.wait()
        self._reflex.rest()
        deadline = time.monotonic() + WIND_DOWN_S
        while not self._actuator.standing and time.monotonic() < deadline:
            self._simulation.world.drive(self._actuator.brake())
            self._pace.wait()

    def _answer(self, question: str, arguments: Mapping[str, Any]) -> tuple[Any, str]:
        try:
            if question == "reset":
                return self.reset(**arguments), ""
            if question == "fault":
                return self._injure(Trouble.of(arguments)), ""
            if question == "loop":
                return self._pace.figures(), ""
            raise UnknownName("question to the plant", question, ("reset", "fault", "loop"))
        except TandemError as reason:
            return None, str(reason)

    def _injure(self, asked: Trouble) -> dict[str, Any]:
        until = asked.until(time.monotonic_ns())
        if asked.kind == trouble.FREEZE:
            self._encoders.freeze(until)
        elif asked.kind == trouble.STUCK_ENCODER:
            self._encoders.stick(self._simulation.world, until)
        elif asked.kind == trouble.PROTECTIVE_STOP:
            self._reflex.trip("protective stop: the arm braked by itself", until)
        return {"kind": asked.kind, "seconds": asked.seconds}


def notice(generation: int, time_s: float, name: str, words: str) -> dict[str, Any]:
    """That a disturbance struck now, as plain data."""
    return {"generation": generation, "t": time.monotonic_ns(), "time_s": time_s, "name": name, "words": words}


def main(scenario: dict[str, Any], seed: int, generation: int, memory: int, line: int, parent: int) -> None:
    """The process.

    Args:
        scenario: fields of the `Scenario`.
        seed: of the first world.
        generation: its number.
        memory: descriptor of the exchange.
        line: descriptor of the line to the driver.
        parent: id of the driver's process.
    """
    be_ordinary()
    told, to_driver = Scenario.from_dict(scenario), Line.of(line)
    plant = Plant(told, Exchange(told.dof, memory), to_driver)
    plant.reset(seed, {}, generation)
    to_driver.send(HELLO, {"scheduling": be_urgent(PRIORITY)}, "")
    plant.run(parent)
