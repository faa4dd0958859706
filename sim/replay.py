"""Goes through a logged simulation again: renders its states, or simulates its commands and compares, bit for bit."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import mujoco
import numpy as np

from tandem.bridge.contract import InvalidOption
from tandem.sim.cameras import FINE, Quality, Renderer
from tandem.sim.world import STATE, World

PHYSICS = int(STATE) & ~int(mujoco.mjtState.mjSTATE_USERDATA)  # latches are set between steps, by the task
_FILE = "model.mjb"


def load_model(compiled: bytes) -> mujoco.MjModel:
    """The model of `Simulation.model_bytes`. Raises `InvalidOption` for another version's or damaged bytes."""
    try:
        return mujoco.MjModel.from_binary_path(_FILE, {_FILE: compiled})
    except ValueError as reason:
        raise InvalidOption(f"MuJoCo {mujoco.__version__} cannot load this compiled model: {reason}") from reason


def frames(
    model: mujoco.MjModel, states: np.ndarray, camera: str, width: int, height: int, quality: Quality = FINE
) -> Iterator[np.ndarray]:
    """An RGB image (H, W, 3) of each state (T, N), rendered anew."""
    data, renderer = mujoco.MjData(model), Renderer(model, quality)
    try:
        for state in states:
            mujoco.mj_setState(model, data, state, STATE)
            mujoco.mj_kinematics(model, data)
            mujoco.mj_camlight(model, data)
            yield renderer.render(data, camera, width, height)[0]
    finally:
        renderer.close()


def physics_of(model: mujoco.MjModel, state: np.ndarray) -> np.ndarray:
    """The part of a state that physics determines."""
    part = np.empty(mujoco.mj_stateSize(model, PHYSICS))
    mujoco.mj_extractState(model, state, STATE, part, PHYSICS)
    return part


def first_difference(
    world: World, states: np.ndarray, commands: np.ndarray, struck: Collection[int] = ()
) -> tuple[int, float] | None:
    """Simulate logged commands from the first logged state and compare with every logged state.

    Args:
        world: of the logged model.
        states: (T + 1, N) logged states; row k is what command k started from.
        commands: (T, d) what the body carried out.
        struck: rows of `states` that a disturbance changed after the step; they are restored, not compared.

    Returns:
        None when every state is reproduced bit for bit, else the first row that differs and the largest difference.
    """
    world.restore(states[0])
    for k, command in enumerate(commands, start=1):
        world.step(command)
        if k in struck:
            world.restore(states[k])
            continue
        got, logged = physics_of(world.model, world.state()), physics_of(world.model, states[k])
        if not np.array_equal(got, logged):
            return k, float(np.max(np.abs(got - logged)))
        world.restore(states[k])  # the task's latches
    return None


def simulate(world: World, states: np.ndarray, commands: np.ndarray, struck: Collection[int] = ()) -> np.ndarray:
    """Simulate logged commands from the first logged state, on and on, whatever the log says of the states between.

    The task's latches are taken from the log after each step, and rows that a disturbance changed are restored.

    Args:
        world: of the logged model.
        states: (T + 1, N) logged states; row k is what command k started from.
        commands: (T, d) what the body carried out.
        struck: rows of `states` that a disturbance changed after the step.

    Returns:
        (T + 1, N) states. Raises `PhysicsDiverged`.
    """
    world.restore(states[0])
    rows, latches = [world.state()], userdata_of(world.model, states)
    for k, command in enumerate(commands, start=1):
        world.step(command)
        if k in struck:
            world.restore(states[k])
        elif latches.shape[1]:
            world.data.userdata[:] = latches[k]
        rows.append(world.state())
    return np.array(rows)


def userdata_of(model: mujoco.MjModel, states: np.ndarray) -> np.ndarray:
    """The task's latches (T, n) in states (T, N)."""
    return _parts(model, states, mujoco.mjtState.mjSTATE_USERDATA)


def _parts(model: mujoco.MjModel, states: np.ndarray, what: int) -> np.ndarray:
    parts = np.empty((len(states), mujoco.mj_stateSize(model, what)))
    for part, state in zip(parts, states, strict=True):
        mujoco.mj_extractState(model, state, STATE, part, what)
    return parts


def joint_values(model: mujoco.MjModel, states: np.ndarray) -> dict[str, tuple[str, np.ndarray]]:
    """What a reader wants to know of states (T, N): for each joint by name, its unit and its values (T, d).

    The unit is "m" (position (T, 3) of a loose thing, or a slide), "rad" (a hinge) or "quaternion" ((T, 4) wxyz).
    """
    qpos, found = _parts(model, states, mujoco.mjtState.mjSTATE_QPOS), {}
    for i in range(model.njnt):
        joint, at = model.joint(i), int(model.jnt_qposadr[i])
        match mujoco.mjtJoint(model.jnt_type[i]):
            case mujoco.mjtJoint.mjJNT_FREE:
                thing = model.body(int(model.jnt_bodyid[i])).name
                found[thing] = ("m", qpos[:, at : at + 3])
                found[f"{thing}, orientation"] = ("quaternion", qpos[:, at + 3 : at + 7])
            case mujoco.mjtJoint.mjJNT_BALL:
                found[joint.name] = ("quaternion", qpos[:, at : at + 4])
            case mujoco.mjtJoint.mjJNT_SLIDE:
                found[joint.name] = ("m", qpos[:, at : at + 1])
            case _:
                found[joint.name] = ("rad", qpos[:, at : at + 1])
    return found


def state_layout(world: World) -> dict[str, str | int | float]:
    """What a logged state of this world is: its bits, size, the version that made it and the rates it was made at."""
    return {
        "signature": int(STATE), "size": world.state().size, "mujoco": mujoco.__version__,
        "physics_hz": world.rates.physics_hz, "control_hz": world.rates.control_hz,
    }
