"""What the body says of itself: names, units, limits, kinematics."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from doctoring.spread import INDENT
from machine import Finding

from tandem.bridge.client import mapping
from tandem.bridge.contract import BodySpec

WIDEST = 4 * np.pi + 1e-6
FASTEST = 20.0
BEYOND = 0.05  # rad or m by which a range may exceed the model's
_DECLARE = "declare rad and rad/s (m and m/s of a sliding joint) in the specification, or know that it is so"


def names(spec: BodySpec) -> Iterator[Finding]:
    """What is called what on either side, for a person to look over."""
    lines = "".join(f"{INDENT}{line}" for line in mapping(spec))
    detail = f"{spec.dof} joints, {len(spec.cameras)} cameras, {spec.control_hz:g} actions a second"
    yield Finding("names", "ok", f"{detail}; compare with the arm{lines}")


def limits(spec: BodySpec) -> Iterator[Finding]:
    """Whether the numbers smell of degrees or millimetres: one sign warns, two at one joint are a mistake."""
    wide = spec.position_high - spec.position_low > WIDEST
    fast = spec.velocity_limit > FASTEST
    if not (wide | fast).any():
        span, velocity = (spec.position_high - spec.position_low).max(), spec.velocity_limit.max()
        yield Finding("limits", "ok", f"ranges up to {span:.2f}, velocities up to {velocity:.2f} a second")
        return
    told = [f"{name} [{low:g}, {high:g}], {velocity:g} a second" for name, low, high, velocity, odd in zip(
        spec.joint_names, spec.position_low, spec.position_high, spec.velocity_limit, wide | fast, strict=True) if odd]
    detail = f"degrees or millimetres? {'; '.join(told)}"
    yield Finding("limits", "fail" if (wide & fast).any() else "warn", detail, _DECLARE)


def joint_kinds(spec: BodySpec) -> dict[str, str]:
    """"hinge" or "slide" by joint; empty where MuJoCo is missing or the kinematics is no model."""
    try:
        import mujoco

        model = mujoco.MjModel.from_xml_string(spec.kinematics)
    except (ModuleNotFoundError, ValueError):
        return {}
    kinds = {int(mujoco.mjtJoint.mjJNT_HINGE): "hinge", int(mujoco.mjtJoint.mjJNT_SLIDE): "slide"}
    return {model.joint(i).name: kinds.get(int(model.jnt_type[i]), "other") for i in range(model.njnt)}


def kinematics(spec: BodySpec) -> Iterator[Finding]:
    """Whether it is a model, of this arm."""
    try:
        import mujoco
    except ModuleNotFoundError:
        yield Finding("kinematics", "warn", "not checked: MuJoCo is not installed here", "pip install mujoco")
        return
    try:
        model = mujoco.MjModel.from_xml_string(spec.kinematics)
    except ValueError as reason:
        yield Finding("kinematics", "fail", f"no MJCF: {str(reason).splitlines()[0]}", "give it as one MJCF text")
        return
    yield _compared(spec, model)
    yield _hand(spec, model)


def _hand(spec: BodySpec, model: object) -> Finding:
    """Whether the motion policy finds a hand that it can open and close."""
    if spec.gripper is None:
        return Finding("hand", "warn", "the specification has no gripper: the motion policy cannot drive this arm",
                       "declare one, or take a policy that needs none")
    fingers = [name for i in range(model.nu) if (name := model.actuator(i).name) not in spec.joint_names]
    if len(fingers) != 1:
        told = ", ".join(fingers) or "none"
        return Finding("hand", "warn", "the motion policy cannot drive this arm: it looks for one actuator besides the "
                       f"joints', the model has {told}", "give the MJCF one that moves the fingers from end to end")
    return Finding("hand", "ok", f"actuator {fingers[0]}, opens {1000 * spec.gripper.max_width_m:.0f} mm")


def _compared(spec: BodySpec, model: object) -> Finding:
    joints = {model.joint(i).name: i for i in range(model.njnt)}
    bodies, sites = ({one(i).name for i in range(count)} for one, count in (
        (model.body, model.nbody), (model.site, model.nsite)))
    lacks = [f"joint {name}" for name in spec.joint_names if name not in joints]
    lacks += [] if spec.tool_site in sites else [f"site {spec.tool_site}"]
    lacks += [f"link {camera.mount} (camera {camera.name})" for camera in spec.cameras
              if camera.mount not in bodies | {"base"}]
    if lacks:
        return Finding("kinematics", "fail", f"the model lacks {', '.join(lacks)}", "give them the same names in both")
    beyond = [name for name, low, high in zip(spec.joint_names, spec.position_low, spec.position_high, strict=True)
              if model.jnt_limited[joints[name]] and (model.jnt_range[joints[name]][0] - low > BEYOND
                                                      or high - model.jnt_range[joints[name]][1] > BEYOND)]
    if beyond:
        return Finding("kinematics", "warn", f"the specification lets {', '.join(beyond)} go further than the model",
                       "correct the narrower of the two; look at units")
    return Finding("kinematics", "ok", f"{model.njnt} joints, {model.nbody - 1} links, tool at {spec.tool_site}")
