"""Run a controller: the process beside the arm.

    python launch/controller.py --driver sim --task sort          # a simulated arm, plain, this computer only
    python launch/keys.py init
    python launch/controller.py --driver sim --keys keys --bind 0.0.0.0 --port 7000
    python launch/controller.py --driver my_arm.driver:MyArm --driver-options '{"address": "arm"}' --keys keys

Then, on the agent's computer: python launch/episode.py --body tcp://HOST:7000 --keys keys

It shapes commands and stops on silence. It is no safety function and no emergency stop.
"""

import contextlib
import json
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tyro
from rich.console import Console
from script import run

from tandem.bridge.contract import InvalidOption
from tandem.bridge.controller.gateway import Gateway
from tandem.bridge.controller.lockstep_gateway import LockstepGateway
from tandem.bridge.controller.options import Limits
from tandem.bridge.controller.ports import Address
from tandem.bridge.controller.setup import Setup
from tandem.bridge.roles import role_named


@dataclass(frozen=True)
class Options:
    """What to drive, where to be reached, and by whom."""

    driver: str = "sim"
    """sim (MuJoCo in real time), dummy (no physics), or module:Class of your own."""
    driver_options: str = "{}"
    """Options of the driver, as JSON."""
    task: str = "pick_place"
    """Driver sim: the task."""
    robot: str = "panda"
    """Driver sim: the arm."""
    disturb: tuple[str, ...] = ()
    """Driver sim: what goes wrong on purpose."""
    bind: str = "127.0.0.1"
    """Address to be reached at. Any but this computer's own needs --keys."""
    port: int = 7000
    """TCP port of the control socket; the other four sockets follow it. 0 takes any that are free."""
    keys: Path | None = None
    """Folder of keys and the allow-list (make one: python launch/keys.py init)."""
    loopback_role: str = "supervisor"
    """Without keys: what every process of this computer may do."""
    limits: Limits = field(default_factory=Limits)
    """Times and guards."""
    lockstep: bool = False
    """Driver sim: no real time; the world waits for each action, and an episode is the one in process bit for bit."""
    collisions: bool = True
    """Look ahead for collisions of the arm with itself."""
    realtime: bool = True
    """Ask for real-time scheduling of the servo loop and, meanwhile, for processors that do not sleep."""
    capture: Path | None = None
    """Write every wire message, both ways, to this MCAP file."""


def driver_options(options: Options) -> dict[str, Any]:
    try:
        given = json.loads(options.driver_options)
    except json.JSONDecodeError as reason:
        raise InvalidOption(f"--driver-options is no JSON: {reason}") from reason
    if not isinstance(given, dict):
        raise InvalidOption(f"--driver-options takes a JSON object of options by name, got {options.driver_options}")
    if options.driver != "sim":
        return given
    return {"task": options.task, "robot": options.robot, "disturb": options.disturb,
            "tick_hz": options.limits.tick_hz} | given


def lockstep(options: Options, setup: Setup) -> LockstepGateway:
    if options.driver != "sim":
        raise InvalidOption("--lockstep is for the driver sim: nothing else waits")
    from tandem.bridge.robots import load
    from tandem.sim.disturbances import disturbance_named
    from tandem.sim.plant.oracle import Oracle
    from tandem.sim.simulation import Simulation
    from tandem.sim.tasks import task_named

    task = task_named(options.task)
    body = Simulation(task, load(options.robot), disturbances=[disturbance_named(name) for name in options.disturb])
    about = {"driver": "sim", "task": task.name, "robot": options.robot, "horizon_s": task.horizon_s}
    gateway = LockstepGateway(body, setup, about=about, ask=Oracle(body.truth()).answer)
    body.on_event = gateway.controller.notice
    return gateway


def make_gateway(options: Options, setup: Setup, capture: Any) -> Gateway | LockstepGateway:
    if options.lockstep:
        return lockstep(options, setup)
    return Gateway(setup) if capture is None else Gateway(setup, capture.tap, capture.journal)


def make_capture(options: Options) -> Any:
    if options.capture is None:
        return None
    if options.lockstep:
        raise InvalidOption("--capture is for real time; an episode in lockstep is in its own log")
    from tandem.bridge.capture.capture import Capture

    return Capture(options.capture)


def main(options: Options) -> int:
    if ":" in options.driver:
        sys.path.append(str(Path.cwd()))  # where one's own driver is
    setup = Setup(
        options.driver, driver_options(options), Address(options.bind, options.port), options.keys,
        role_named(options.loopback_role), options.limits, options.collisions, options.realtime,
    )
    console = Console(highlight=False, soft_wrap=True)
    capture = make_capture(options)
    with contextlib.ExitStack() as stack:
        stack.callback(capture.close) if capture else None
        gateway = stack.enter_context(make_gateway(options, setup, capture))
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, lambda *_: gateway.shut_down())
        if not options.lockstep and not gateway.wait_ready():
            return 0
        console.print(f"[green]ready[/green] {options.driver} at {gateway.endpoint}, session {gateway.session}")
        console.print(f"      ports {', '.join(f'{port} {number}' for port, number in gateway.ports.items())}; "
                      f"{'curve, keys of ' + str(options.keys) if options.keys else 'plain: this computer only'}")
        gateway.run()
        console.print("stopping the arm")
    return 0


if __name__ == "__main__":
    run(lambda: main(tyro.cli(Options, description=__doc__)))
