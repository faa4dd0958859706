"""Serve a policy to clients of GR00T's or openpi's wire.

    python launch/serve_policy.py --wire gr00t --policy motion --robot panda
    python launch/serve_policy.py --wire openpi --map droid --horizon 8
    TANDEM_POLICY_TOKEN=... python launch/serve_policy.py --wire gr00t --host 0.0.0.0

Then, anywhere: python launch/episode.py --policy gr00t:tcp://HOST:5555#tandem
What a client sends, and what is filled in where it sends less: docs/remote_policies.md.
"""

import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import mujoco
import numpy as np
import tyro
from learned import FORMS, Learned, is_learned
from rich.console import Console
from script import run
from vla import Vla

from tandem.bridge.contract import BodySpec, Policy, UnknownName
from tandem.bridge.robots import load
from tandem.policies.motion import MotionPolicy
from tandem.policies.motion.kinematics import Arm
from tandem.policies.motion.targets import DepthTargets
from tandem.policies.remote import KeyMap, Service, key_map
from tandem.policies.remote.gr00t_server import Gr00tServer
from tandem.policies.remote.pictures import padded
from tandem.policies.vla import FORMS as VLA_FORMS
from tandem.policies.vla import is_vla
from tandem.sim.cameras import DEFAULT_CAMERAS
from tandem.sim.scene import Rates
from tandem.sim.simulation import body_spec

PORTS = {"gr00t": 5555, "openpi": 8000}  # what their own servers use


@dataclass(frozen=True)
class Options:
    """What to serve, for which arm, to whom."""

    wire: Literal["gr00t", "openpi"] = "gr00t"
    """Whose clients: gr00t (ZeroMQ, N1.5 to N1.7), openpi (websocket)."""
    policy: str = "motion"
    """Policy: motion (camera points lifted through depth; needs the map tandem, which carries depth), flow or the
    folder of another learned one, hybrid:flow (a learned one, and motion where it is not sure), or
    pi0:FOLDER_OR_HUB_ID."""
    robot: str = "panda"
    """Arm: panda, ur5e, so101."""
    map: str = "tandem"
    """What the client's keys mean: tandem, gr00t, droid, aloha, or a TOML file."""
    host: str = "127.0.0.1"
    """Address to be reached at. Any but this computer's own needs a token."""
    port: int | None = None
    """TCP port; 5555 for gr00t and 8000 for openpi, 0 takes any that is free."""
    token: str | None = None
    """What clients must send; better in TANDEM_POLICY_TOKEN, where no list of processes shows it."""
    control_hz: float = 20.0
    """Control steps per second of the policy; where the map has another rate, its chunks are put on that."""
    horizon: int | None = None
    """Give every chunk this many actions: openpi's ActionChunkBroker counts on one length."""
    skill: str | None = None
    """The skill for an instruction that fits none's words; without it such words are refused."""


def agreed(options: Options) -> tuple[BodySpec, KeyMap]:
    """The arm, with its pictures in the sizes that clients send."""
    spec = replace(body_spec(load(options.robot), Rates(), DEFAULT_CAMERAS), control_hz=options.control_hz)
    keymap = key_map(options.map, spec)
    sizes = {key.ours: key.size for key in keymap.cameras if key.size is not None}
    cameras = tuple(padded(c, *sizes[c.name]) if c.name in sizes else c for c in spec.cameras)
    return replace(spec, cameras=cameras), keymap


def make_policy(options: Options, spec: BodySpec) -> Policy:
    if is_learned(options.policy):
        return Learned(options.policy).policy(spec)
    if is_vla(options.policy):
        return Vla(options.policy, spec).policy()
    if options.policy != "motion":
        raise UnknownName("policy to serve", options.policy, ("motion", *FORMS, *VLA_FORMS))
    return MotionPolicy(spec, DepthTargets(spec))


def tool_pose(spec: BodySpec) -> Callable[[np.ndarray], np.ndarray]:
    arm = Arm(spec)

    def pose(q: np.ndarray) -> np.ndarray:
        T_base_tool, quaternion = arm.fk(q), np.empty(4)
        mujoco.mju_mat2Quat(quaternion, np.ascontiguousarray(T_base_tool[:3, :3]).ravel())
        return np.append(T_base_tool[:3, 3], quaternion)

    return pose


def main(options: Options) -> int:
    spec, keymap = agreed(options)
    service = Service(
        make_policy(options, spec), spec, keymap, tool_pose(spec), horizon=options.horizon, skill=options.skill,
    )
    token = options.token if options.token is not None else os.environ.get("TANDEM_POLICY_TOKEN")
    port = PORTS[options.wire] if options.port is None else options.port
    if options.wire == "openpi":
        from tandem.policies.remote.openpi_server import OpenpiServer as Server
    else:
        Server = Gr00tServer
    server = Server(service, host=options.host, port=port, token=token)
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: threading.Thread(target=server.stop).start())
    console = Console(highlight=False, soft_wrap=True)
    for line in keymap.lines(spec):
        console.print(f"      {line}", markup=False)
    guard = "a token is asked for" if token else "this computer only"
    console.print(f"[green]ready[/green] {options.wire} at {options.host}:{server.port}, {guard}")
    server.run()
    return 0


if __name__ == "__main__":
    run(lambda: main(tyro.cli(Options, description=__doc__)))
