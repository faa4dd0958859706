"""A second look before a precise descent: from near, through a camera that rides on the arm.

The first look comes from a camera that stands far off and sees a hole's mouth aslant. On the way to the hole the arm
stops where its own camera looks straight down at the mouth and what is held hangs beside it, looks a few times from the
measured joints, and corrects what it believes (Flandin, Chaumette and Marchand, "Eye-in-hand / Eye-to-hand Cooperation
for Visual Servoing", ICRA 2000). Where it sees no mouth it keeps the first look, and says so.
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from dataclasses import replace
from typing import Protocol, runtime_checkable

import numpy as np

from tandem.bridge.contract import CameraSpec, Observation, SkillFailed, Target
from tandem.policies.motion.memory import Held
from tandem.policies.motion.motion import Motion
from tandem.policies.motion.mover import Mover
from tandem.policies.motion.pose import closing_yaw, moved, top_down, wrapped

SEEN, UNSEEN = "second look", "first look kept"  # phases: what came of it
_CLEARANCE_M = 0.04  # between the rim and the foot of what is held
_LOOKS = 5
_FARTHEST_M = 0.02  # a correction beyond this is a mistake
_LOG = logging.getLogger(__name__)


@runtime_checkable
class Peering(Protocol):
    """A source of targets that can look again from near.

    Attributes:
        eye: the camera on the arm through which it looks; None when it is not to, or there is none.
    """

    eye: CameraSpec | None

    def closer(self, target: Target, observation: Observation) -> Target:
        """The same hole as the eye sees it now. Raises `SkillFailed` (`OBJECT_NOT_FOUND`)."""


def second_look(
    mover: Mover, words: str, target: Target, held: Held, above: np.ndarray
) -> Generator[Motion, None, Target]:
    """Go where the eye sees the mouth, look, and return the target as seen from there, or as it was.

    Args:
        mover: moves and looks.
        words: what the target is called.
        target: the hole as the first look gave it.
        held: what is in the hand.
        above: (4, 4) pose of the tool over the hole.
    """
    source = mover.targets
    if not isinstance(source, Peering) or source.eye is None:
        return target
    vantage = _vantage(mover, source.eye, target, float(target.surface[2]) + held.below_m + _CLEARANCE_M, above)
    if vantage is None:
        return (yield from _keep(mover, words, target, "no pose within reach shows it"))
    try:
        yield from mover.travel(vantage, SEEN, floor_m=float(vantage[2, 3]))
    except SkillFailed as failure:
        return (yield from _keep(mover, words, target, f"no way leads to where it shows: {failure.detail}"))
    yield from mover.settle(SEEN)
    yield from mover.keep_holding(SEEN)
    glimpses, why = [], ""
    for _ in range(_LOOKS):
        yield from mover.hold(1, SEEN, look=1)
        try:
            glimpses.append(source.closer(target, mover.observation))
        except SkillFailed as failure:
            why = failure.detail
    if len(glimpses) <= _LOOKS // 2:
        return (yield from _keep(mover, words, target, why))
    found = _middle(glimpses)
    if np.linalg.norm(found.surface - target.surface) > _FARTHEST_M:
        return (yield from _keep(mover, words, target, "what the camera on the arm sees there is another thing"))
    mover.memory.see(words, found)
    return found


def _keep(mover: Mover, words: str, target: Target, why: str) -> Generator[Motion, None, Target]:
    """Stay with the first look, and say so in the phase and in the log."""
    _LOG.info("no second look at %r: %s", words, why)
    yield from mover.hold(1, UNSEEN)
    return target


def _vantage(
    mover: Mover, eye: CameraSpec, target: Target, height_m: float, above: np.ndarray
) -> np.ndarray | None:
    """(4, 4) pose of the upright tool at a height that brings the eye over the target, with the least turning."""
    arm, home = mover.arm, mover.spec.home
    T_tool_eye = np.linalg.inv(arm.fk(home)) @ arm.link_pose(eye.mount, home) @ eye.T_mount_camera
    for quarter in (0, 1, -1, 2):
        pose = top_down(np.array([*above[:2, 3], height_m]), closing_yaw(above) + quarter * np.pi / 2)
        T_base_eye = pose @ T_tool_eye
        pose = moved(pose, np.array([*(target.surface[:2] - T_base_eye[:2, 3]), 0.0]))
        if arm.reachable(pose, mover.q):
            return pose
    return None


def _middle(glimpses: list[Target]) -> Target:
    """The mean of several looks: joints are measured with noise, and the eye rides on them."""
    first = glimpses[0]
    turns = [wrapped(glimpse.yaw_rad - first.yaw_rad, np.pi / 2) for glimpse in glimpses]
    surface = np.mean([glimpse.surface for glimpse in glimpses], axis=0)
    return replace(first, surface=surface, yaw_rad=first.yaw_rad + float(np.mean(turns)), rim_z_m=float(surface[2]))
