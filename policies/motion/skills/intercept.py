"""Take a thing that moves: catch up with it, sink and close while going along, lift while slowing down."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

import numpy as np

from tandem.policies.motion import grasp as grasping
from tandem.policies.motion import trajectory
from tandem.policies.motion.grasp import Grasp
from tandem.policies.motion.motion import Motion, Moves
from tandem.policies.motion.mover import Mover
from tandem.policies.motion.moving import Watch
from tandem.policies.motion.pose import at_height, moved
from tandem.policies.motion.trajectory import Limits

_CATCH_UP = Limits(np.full(3, 0.4), np.full(3, 2.5), np.full(3, 30.0))  # m/s, m/s^2, m/s^3, each axis
_SLOW_DOWN_S = 0.4
_CLOSE_S = 0.8  # going along while the fingers close


def intercept(mover: Mover, watch: Watch, grasp: Grasp) -> Generator[Motion, None, Grasp]:
    """From the hover of a grasp of where the thing was expected; gives the grasp with which it was taken."""
    lag_s = 2 * mover.spec.dt_s  # between a command and its effect
    grasp = _of_now(mover, watch, grasp, lag_s)
    yield from _descend(mover, watch, grasp)
    yield from _close(mover, watch)
    taken = replace(grasp, pose=mover.pose, hover=at_height(mover.pose, float(grasp.hover[2, 3])))
    yield from _lift(mover, watch, float(taken.hover[2, 3]))
    return taken


def _of_now(mover: Mover, watch: Watch, grasp: Grasp, ahead_s: float) -> Grasp:
    """The same grasp of the thing where it is now."""
    middle = grasp.pose[:3, 3] + mover.arm.jaws.centre_open(grasp.width_m, grasp.opening) * grasp.pose[:3, 1]
    offset = (watch.expected(ahead_s).surface - middle) * [1.0, 1.0, 0.0]
    pose = moved(grasp.pose, offset)
    height = grasping.tool_height(watch.target, mover.spec.gripper)
    return replace(grasp, pose=at_height(pose, height), hover=at_height(pose, float(grasp.hover[2, 3])))


def _descend(mover: Mover, watch: Watch, grasp: Grasp) -> Moves:
    """In the frame of the moving thing: sideways to above it first, then down."""
    dt, start = mover.spec.dt_s, mover.pose
    aside = start[:3, 3] - grasp.pose[:3, 3]
    catch_up = trajectory.joint_move(aside * [1, 1, 0], np.zeros(3), _CATCH_UP, dt, velocity=-watch.velocity)
    sink = trajectory.distance(float(aside[2]), mover.pace.line(mover.pace.line_m_s / 2), dt)
    offsets = np.zeros((len(catch_up) + len(sink), 3))
    offsets[: len(catch_up), :2] = catch_up[:, :2]
    offsets[: len(catch_up), 2] = aside[2]
    offsets[len(catch_up) :, 2] = aside[2] - sink
    poses = [
        moved(grasp.pose, offset + watch.velocity * dt * (k + 1)) for k, offset in enumerate(offsets)
    ]
    yield from mover.follow(mover.arm.track(poses, mover.q), "follow")


def _close(mover: Mover, watch: Watch) -> Moves:
    dt, start = mover.spec.dt_s, mover.pose
    ramp = max(2, round(mover.pace.close_s / dt))
    steps = max(ramp, round(_CLOSE_S / dt))
    poses = [moved(start, watch.velocity * dt * (k + 1)) for k in range(steps)]
    opening = np.clip(np.linspace(mover.command[-1], 0.0, ramp + 1)[1:], 0.0, 1.0)
    openings = np.concatenate([opening, np.zeros(steps - ramp)])
    yield from mover.follow(mover.arm.track(poses, mover.q), "grasp", opening=openings, loaded=True)


def _lift(mover: Mover, watch: Watch, height_m: float) -> Moves:
    dt, start = mover.spec.dt_s, mover.pose
    rise = trajectory.distance(height_m - float(start[2, 3]), mover.pace.line(mover.pace.line_m_s), dt)
    steps = max(len(rise), round(_SLOW_DOWN_S / dt))
    poses = []
    for k in range(1, steps + 1):
        part = min(1.0, k * dt / _SLOW_DOWN_S)
        drift = watch.velocity * _SLOW_DOWN_S * (part - part**3 + part**4 / 2)  # a smooth stop
        poses.append(moved(start, drift + [0.0, 0.0, rise[min(k, len(rise)) - 1]]))
    yield from mover.follow(mover.arm.track(poses, mover.q), "lift")
