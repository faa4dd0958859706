"""How fast and how regular the bridge is, beside bare libzmq and openpi's own client in the same run."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import zmq
from benchmarks.peer import LIMIT_S, SCRIPTS, run_peer
from benchmarks.regularity import regularity
from rich.console import Console
from rich.progress import track
from rich.table import Table

from tandem.bridge import keys
from tandem.bridge.conformance import dummy_spec
from tandem.bridge.contract import ActionSpec, BodySpec, CameraSpec
from tandem.bridge.controller.admission import admit
from tandem.bridge.controller.doorman import Doorman, Rate, no_tap
from tandem.bridge.controller.outbox import Outbox
from tandem.bridge.controller.ports import Address, bind
from tandem.bridge.drivers.camera import header_of, reuse_memory, send_picture
from tandem.bridge.roles import Role
from tandem.bridge.safety.age import check_age
from tandem.bridge.safety.order import ordered
from tandem.bridge.security import security_for
from tandem.bridge.wire import Message, Port, encode
from tandem.bridge.wire.frames import NOW, NOW_MORE, send

WARM_UP = 50
JOINTS = 7
SESSION = "benchmark"


def _spec() -> BodySpec:
    """Seven joints, a gripper and three cameras of 224x224: what a chunk of 50x8 and three images belong to."""
    names = tuple(f"joint{i + 1}" for i in range(JOINTS))
    one, low, high = np.ones(JOINTS), np.full(JOINTS, -3.0), np.full(JOINTS, 3.0)
    intrinsics = np.array([[200.0, 0, 112], [0, 200, 112], [0, 0, 1]])
    cameras = tuple(CameraSpec(name, 224, 224, intrinsics, "base", np.eye(4)) for name in ("front", "side", "wrist"))
    action = ActionSpec((*names, "gripper"), np.append(low, 0.0), np.append(high, 1.0))
    return replace(
        dummy_spec(), joint_names=names, position_low=low, position_high=high, velocity_limit=one, jerk_limit=one,
        acceleration_limit=one, home=0 * one, cameras=cameras, action=action,
    )


class Robot:
    """The robot's side of a round trip: the gateway's own sockets and checks, without the servo's turn in between.

    Args:
        folder: of keys, None for plain.
    """

    def __init__(self, folder: Path | None):
        self._spec, self._context = _spec(), zmq.Context()
        self._security = security_for("127.0.0.1", folder, Role.COMMANDER)
        self._security.guard(self._context)
        bound = {port: bind(self._context, port, Address(), self._security) for port in Port}
        self._sockets = {port: socket for port, (socket, _) in bound.items()}
        outbox, rate = Outbox(SESSION, lambda: (0, 0)), Rate(1e6)
        self._poller = zmq.Poller()
        self._poller.register(self._sockets[Port.COMMAND], zmq.POLLIN)
        self._state, self._media = self._sockets[Port.STATE], self._sockets[Port.MEDIA]
        self._door = Doorman(Port.COMMAND, self._sockets[Port.COMMAND], self._security, outbox, rate, no_tap)
        ports = {str(port): number for port, (_, number) in bound.items()}
        order = {"spec": self._spec.to_dict(), "ports": ports, "session": SESSION, "keys": folder and str(folder)}
        self._agent = subprocess.Popen([sys.executable, SCRIPTS.parent / "benchmarks" / "bridge_agent.py",
                                        json.dumps(order)])
        self._sockets[Port.COMMAND].poll(LIMIT_S * 1000)
        self._sockets[Port.COMMAND].recv_multipart()
        reuse_memory()
        self._still = np.zeros(JOINTS), np.zeros(JOINTS + 1)
        rng = np.random.default_rng(0)
        self._images = {f"image.{camera.name}": rng.integers(0, 255, (224, 224, 3), np.uint8)
                        for camera in self._spec.cameras}
        self._headers = {key: header_of(key, image, SESSION) for key, image in self._images.items()}

    def round_trip(self, count: int) -> float:
        """State and pictures up, a chunk down, checked; microseconds."""
        begin, now = time.perf_counter_ns(), time.monotonic_ns()
        self._send_state(count, now)
        for key, image in self._images.items():
            send_picture(self._media, key, self._headers[key].write(count, now), image)
        self._poller.poll(LIMIT_S * 1000)
        incoming = next(self._door.arrivals())
        message = admit(incoming, SESSION)
        check_age(message, time.monotonic_ns(), max_ttl=5_000_000_000, max_lead=1_000_000_000)
        rows = ordered(message["q"], message["names"], self._spec.action.names)
        assert rows.shape == (50, 8)
        return (time.perf_counter_ns() - begin) / 1000

    def _send_state(self, count: int, now: int) -> None:
        joints, command = self._still
        fields = {
            "mode": "ACTIVE", "fault": 0, "measured": now, "position": joints, "velocity": joints, "opening": 1.0,
            "tool": joints, "setpoint": command, "chunk": count, "index": 0, "inputs": count,
            "generation": 0, "late": 0, "worst": 0,
        }
        frame = encode(Message("state", fields, SESSION, 1, 1, count, now))
        send(self._state, b"state", NOW_MORE)
        send(self._state, frame, NOW)

    def close(self) -> None:
        """End the agent and the sockets."""
        self._agent.kill()
        self._agent.wait()
        for socket in self._sockets.values():
            socket.close()
        self._security.close()
        self._context.term()


def round_trips(rounds: int, folder: Path | None) -> tuple[float, float]:
    """Median and 99th percentile of so many round trips, us."""
    robot = Robot(folder)
    try:
        took = [robot.round_trip(count + 1) for count in range(rounds + WARM_UP)][WARM_UP:]
    finally:
        robot.close()
    return float(np.percentile(took, 50)), float(np.percentile(took, 99))


def floor(rounds: int) -> float:
    """Median of libzmq's own round trip, us."""
    done = subprocess.run([sys.executable, SCRIPTS / "rtt_floor.py", str(rounds)], capture_output=True, text=True,
                          timeout=LIMIT_S, check=True)
    return json.loads(done.stdout)["rtt_us_p50"]


@dataclass(frozen=True)
class BridgeBenchmark:
    """Round trips beside libzmq's and openpi's, gaps in the state stream, late turns of the servo loop."""

    rounds: int = 1000
    """Round trips in one series."""
    series: int = 9
    """Series of each kind, taken in turns; the median of their medians is reported."""
    seconds: float = 60.0
    """How long the state stream and the servo loop are watched."""

    def run(self) -> dict[str, float]:
        """Measure, print, and return the figures."""
        console = Console(highlight=False)
        plain, floors, openpi = [], [], []
        for _ in track(range(self.series), "round trips", console=console, transient=True):
            floors.append(floor(self.rounds))
            plain.append(round_trips(self.rounds, None))
            openpi += [row["rtt_us_p50"] for row in run_peer("openpi", "rtt_openpi.py", str(self.rounds))]
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / "keys"
            keys.make_pair(folder, keys.CONTROLLER)
            keys.allow(folder, "commander", Role.COMMANDER, keys.make_pair(folder, "commander").public)
            curve = round_trips(self.rounds, folder)
        ours, bare = float(np.median([p50 for p50, _ in plain])), float(np.median(floors))
        figures = {
            "rtt_us_p50": round(ours), "rtt_us_p99": round(float(np.median([p99 for _, p99 in plain]))),
            "floor_us_p50": round(bare), "ratio_floor": round(float(np.median([
                p50 / low for (p50, _), low in zip(plain, floors, strict=True)])), 3),
            "rtt_curve_us_p50": round(curve[0]),
        }
        if openpi:
            figures |= {"openpi_us_p50": round(float(np.median(openpi))),
                        "speedup_openpi": round(float(np.median(openpi)) / ours, 2)}
        figures |= regularity(self.seconds, console)
        _print(figures, console, peer=bool(openpi))
        return figures


def _print(figures: dict[str, float], console: Console, *, peer: bool) -> None:
    table = Table("figure", "value", "asked")
    asked = {"ratio_floor": "<= 1.25", "speedup_openpi": ">= 2", "state_gaps": "0", "late_fraction": "< 0.005"}
    for name, value in figures.items():
        table.add_row(name, f"{value:g}", asked.get(name, ""))
    console.print(table)
    if not peer:
        console.print("[yellow]openpi is not installed: make peers NAME=openpi[/]")
