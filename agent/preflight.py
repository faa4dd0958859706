"""What must hold before a subgoal may move anything, and before a chunk may be carried out.

Whether a pose is within reach is the policy's to say (`SkillFailed(UNREACHABLE)`): it alone knows how it would go.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from tandem.bridge.contract import (
    ActionChunk,
    ActionKind,
    BodySpec,
    CameraPoint,
    InvalidAction,
    InvalidPlan,
    Observation,
    SkillSpec,
    SpecMismatch,
    StaleObservation,
    Subgoal,
    image_key,
    observation,
    skill_named,
)


def preflight(
    subgoal: Subgoal,
    newest: Observation,
    spec: BodySpec,
    skills: Mapping[str, SkillSpec],
    action_kind: ActionKind = ActionKind.JOINT_POSITION_GRIPPER,
    *,
    max_age_s: float = 1.0,
    look: bool = True,
) -> None:
    """Refuse a subgoal that cannot be begun safely; nothing has moved then.

    Args:
        subgoal: what is about to be tried.
        newest: the newest observation.
        spec: the body's specification.
        skills: what the policy offers.
        action_kind: the action layout for which the policy is made.
        max_age_s: how old a picture may be where the body says when it was taken (key `time.<camera>`).
        look: also look at the picture of each camera that the subgoal points into (this renders it).

    Raises:
        UnknownName: a skill that is not offered, a camera that is not there.
        InvalidPlan: a point outside its image.
        SpecMismatch: the policy is made for another action layout.
        InvalidObservation: a reading is missing, misshapen or not finite.
        StaleObservation: a picture is too old, or shows nothing.
    """
    skill_named(subgoal.skill, skills)
    if spec.action.kind != action_kind:
        raise SpecMismatch([f"action.kind: {spec.action.kind} at the body, {action_kind} in the policy"])
    observation.validate(newest, spec)
    for point in subgoal.arguments.values():
        if isinstance(point, CameraPoint):
            _check_point(point, spec)
            _check_picture(point.camera, newest, max_age_s, look)


def _check_point(point: CameraPoint, spec: BodySpec) -> None:
    camera = spec.camera(point.camera)
    if not (point.u < camera.width and point.v < camera.height):
        size = f"{camera.width}x{camera.height}"
        raise InvalidPlan(f"point ({point.u:g}, {point.v:g}) lies outside the {size} image of {camera.name!r}")


def _check_picture(camera: str, newest: Observation, max_age_s: float, look: bool) -> None:
    taken = newest.get(f"time.{camera}")
    age_s = 0.0 if taken is None else float(newest["time"][0] - taken[0])
    if not age_s <= max_age_s:
        raise StaleObservation(f"the picture of {camera!r} is {age_s:.2f} s old, at most {max_age_s:g} s are allowed")
    if look and not np.ptp(newest[image_key(camera)]):
        raise StaleObservation(f"the picture of {camera!r} shows one colour only: the camera delivers nothing")


def check_chunk(chunk: ActionChunk, spec: BodySpec, epoch: int) -> None:
    """Raise `InvalidAction` unless the chunk answers this epoch at this body's rate with actions inside its bounds."""
    if chunk.epoch != epoch:
        raise InvalidAction(f"a chunk of epoch {chunk.epoch} answers an earlier subgoal; the present epoch is {epoch}")
    if not math.isclose(chunk.dt_s, spec.dt_s, rel_tol=1e-6):
        raise InvalidAction(f"a chunk with dt_s = {chunk.dt_s:g} does not fit control steps of {spec.dt_s:g} s")
    for i, action in enumerate(chunk.actions):
        try:
            spec.action.validate(action)
        except InvalidAction as reason:
            raise InvalidAction(f"action {i} of the chunk: {reason}") from reason
