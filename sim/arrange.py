"""Puts the loose things of a world somewhere else: the table as it may look in the middle of a task, or after a mishap.

Physics decides what comes of it, so every arrangement is one that can be. Running whole episodes would show the same
tables a hundred times more slowly.
"""

from __future__ import annotations

import numpy as np

from tandem.bridge.contract import PhysicsDiverged, Subgoal
from tandem.sim.entities import Entity, yaw_quat
from tandem.sim.layout import sector
from tandem.sim.simulation import Simulation
from tandem.sim.world import World

MOVES = {"stay": 0.45, "inside": 0.3, "table": 0.12, "on": 0.1, "far": 0.03}
HELD, AWAY = 0.08, 0.15  # share of arrangements with something in the hand, and with the arm away from home
KEPT = 0.8  # share of tables right after a pick that are left with it in the hand
STRAY = 0.3  # share of parts that may also be put into a larger slot that is not theirs
DROP_M, CLEAR_M, FAR = 0.003, 0.008, (1.15, 1.3)
REST_S = 0.35
TRIES = 8
AWAY_RAD = 0.25


def rearrange(simulation: Simulation, rng: np.random.Generator) -> None:
    """Draw a new arrangement of what is loose, of the drawers and of the arm, and let it come to rest.

    Raises:
        PhysicsDiverged: nothing could come to rest like that; draw another.
    """
    world = simulation.world
    for entity in world.entities.values():
        if entity.kind == "drawer":
            _slide(world, entity, rng)
    _derive(world)
    loose = [entity for entity in world.entities.values() if entity.loose]
    for index in rng.permutation(len(loose)):
        _move(world, loose[index], rng)
        _derive(world)
    _pose_arm(simulation, rng, loose)
    _rest(simulation)


def advance(simulation: Simulation, rng: np.random.Generator) -> None:
    """Put things where the next steps of the task would leave them: the table after a few successful subgoals.

    After a pick the arm is mostly left with what it picked, away from home or not.

    Raises:
        PhysicsDiverged: nothing could come to rest like that; draw another.
    """
    world, steps = simulation.world, simulation.truth().remaining()
    done = steps[: int(rng.integers(1, len(steps) + 1)) if steps else 0]
    for step in done:
        _carry_out(world, step, rng)
        _derive(world)
    picked = done and done[-1].skill == "pick" and rng.random() < KEPT
    if picked:
        _hold(simulation, _pose(simulation, rng), world.entities[str(done[-1].arguments["object"])])
    else:
        world.place_robot(np.array(simulation.robot.home), 1.0)
    _rest(simulation)


def _rest(simulation: Simulation) -> None:
    try:
        simulation.world.rest(REST_S)
    except PhysicsDiverged:
        simulation.reset(seed=0)
        raise


def _carry_out(world: World, step: Subgoal, rng: np.random.Generator) -> None:
    """What a step changes, without the arm. A pick changes nothing that lasts."""
    words = step.arguments
    target = world.entities.get(str(words.get("target", "")).removesuffix(" handle"))
    if step.skill in ("open", "close") and target is not None and target.kind == "drawer":
        low, high = world.model.joint(target.joint).range
        world.data.joint(target.joint).qpos = low + (high - low) * (0.97 if step.skill == "open" else 0.0)
    elif step.skill == "stack_on" and target is not None:
        _set_upon(world, world.entities[str(words["object"])], target, rng)
    elif step.skill in ("place", "insert") and target is not None:
        thing = world.entities[str(words["object"])]
        for _ in range(TRIES):
            _set_inside(world, thing, target, rng)
            _derive(world)
            at = world.data.body(thing.body).xpos[:2]
            if target.kind not in ("bin", "drawer") or _free(world, thing, at, loose=True):
                return


def _slide(world: World, drawer: Entity, rng: np.random.Generator) -> None:
    """Shut, open, or somewhere between."""
    low, high = world.model.joint(drawer.joint).range
    share = rng.choice([0.0, 0.97, rng.uniform()], p=[0.45, 0.45, 0.1])
    world.data.joint(drawer.joint).qpos = low + (high - low) * share


def _derive(world: World) -> None:
    world.restore(world.state())


def _move(world: World, entity: Entity, rng: np.random.Generator) -> None:
    kinds = list(MOVES)
    kind = str(rng.choice(kinds, p=[MOVES[name] for name in kinds]))
    if kind == "inside":
        _put_inside(world, entity, rng)
    elif kind == "on":
        _put_on(world, entity, rng)
    elif kind in ("table", "far"):
        xy = _place_on_table(world, rng, far=kind == "far")
        if _free(world, entity, xy):
            _set(world, entity, np.array([*xy, entity.size[2] / 2 + DROP_M]), rng.uniform(-np.pi, np.pi))


def _place_on_table(world: World, rng: np.random.Generator, *, far: bool) -> np.ndarray:
    """(2,) within reach, or in sight and out of it."""
    space = world.robot.workspace
    reach = space.reach_max_m * rng.uniform(*FAR) if far else rng.uniform(space.reach_min_m, space.reach_max_m)
    angle = rng.uniform(-0.4, 0.4) if far else rng.uniform(*sector(space))
    return reach * np.array([np.cos(angle), np.sin(angle)])


def _put_inside(world: World, entity: Entity, rng: np.random.Generator) -> None:
    """Into a bin, slot, hole, drawer that is open, or onto the mat or belt: whatever there is."""
    homes = [e for e in world.entities.values() if e.kind in ("bin", "slot", "hole", "mat") or _is_open(world, e)]
    strays = rng.random() < STRAY
    fitting = [home for home in homes if home.kind != "slot" or home.name in (f"{entity.name} slot", "fixture")
               or (strays and max(entity.size[:2]) + CLEAR_M < min(home.size[:2]))]
    fitting = [home for home in fitting if home.kind != "hole" or "peg" in entity.name]
    if not fitting:
        return
    _set_inside(world, entity, fitting[rng.integers(len(fitting))], rng)


def _set_inside(world: World, entity: Entity, home: Entity, rng: np.random.Generator) -> None:
    body = world.data.body(home.body)
    rotation, yaw = body.xmat.reshape(3, 3), float(np.arctan2(body.xmat[3], body.xmat[0]))
    room = np.maximum(0.0, np.array(home.size[:2]) / 2 - max(entity.size[:2]) / 2 - CLEAR_M)
    tight = home.kind in ("slot", "hole")
    offset = np.zeros(2) if tight else rng.uniform(-room, room)
    z = home.surface[2] + entity.size[2] / 2 + DROP_M - (0.8 * home.size[2] if home.kind == "hole" else 0.0)
    centre = body.xpos + rotation @ np.array([home.surface[0] + offset[0], home.surface[1] + offset[1], z])
    turn = yaw + rng.integers(4) * np.pi / 2 if tight and entity.size[0] == entity.size[1] else yaw
    _set(world, entity, centre, turn if tight else rng.uniform(-np.pi, np.pi))


def _is_open(world: World, entity: Entity) -> bool:
    if entity.kind != "drawer":
        return False
    joint = world.model.joint(entity.joint)
    return bool(world.data.joint(entity.joint).qpos[0] > 0.9 * joint.range[1])


def _put_on(world: World, entity: Entity, rng: np.random.Generator) -> None:
    others = [e for e in world.entities.values() if e.loose and e is not entity and "peg" not in e.name]
    if not others or "peg" in entity.name:
        return
    _set_upon(world, entity, others[rng.integers(len(others))], rng)


def _set_upon(world: World, entity: Entity, lower: Entity, rng: np.random.Generator) -> None:
    top = world.data.body(lower.body).xpos + np.array([0, 0, lower.size[2] / 2 + entity.size[2] / 2 + DROP_M])
    _set(world, entity, top + np.append(rng.uniform(-0.004, 0.004, 2), 0.0), rng.uniform(-np.pi, np.pi))


def _free(world: World, entity: Entity, xy: np.ndarray, *, loose: bool = False) -> bool:
    """Whether nothing else is there; with `loose`, nothing else that can be moved."""
    radius = np.hypot(*entity.size[:2]) / 2
    return all(
        np.linalg.norm(world.data.body(other.body).xpos[:2] - xy) > radius + np.hypot(*other.size[:2]) / 2
        for other in world.entities.values() if other is not entity and (other.loose or not loose)
    )


def _set(world: World, entity: Entity, position: np.ndarray, yaw_rad: float) -> None:
    joint = world.data.joint(entity.joint)
    joint.qpos[:3], joint.qpos[3:7], joint.qvel[:] = position, yaw_quat(yaw_rad), 0.0


def _pose_arm(simulation: Simulation, rng: np.random.Generator, loose: list[Entity]) -> None:
    """At home, or away from it; perhaps with something between the fingers."""
    world, robot = simulation.world, simulation.robot
    joints = _pose(simulation, rng)
    takeable = [entity for entity in loose if min(entity.size[:2]) < robot.gripper.max_width_m]
    held = takeable[rng.integers(len(takeable))] if takeable and rng.random() < HELD else None
    if held is not None:
        _hold(simulation, joints, held)
    else:
        world.place_robot(joints, float(rng.choice([0.0, 1.0])))
        _derive(world)


def _pose(simulation: Simulation, rng: np.random.Generator) -> np.ndarray:
    """Joint positions of home, or somewhere near it."""
    robot, joints = simulation.robot, np.array(simulation.robot.home)
    if rng.random() < AWAY:
        joints = np.clip(joints + rng.normal(0, AWAY_RAD, len(joints)), robot.position_low, robot.position_high)
    return joints


def _hold(simulation: Simulation, joints: np.ndarray, held: Entity) -> None:
    """The arm there, with a thing between its fingers."""
    world, width = simulation.world, min(held.size[:2]) + 0.002
    world.place_robot(joints, min(1.0, width / simulation.robot.gripper.max_width_m))
    _derive(world)
    _grip(world, held)


def _grip(world: World, held: Entity) -> None:
    """Between the fingertips, its narrow side across, and the fingers told to close."""
    tool = world.data.site(world.robot.tool_site)
    closing = tool.xmat.reshape(3, 3)[:, 1]
    yaw = float(np.arctan2(closing[1], closing[0])) - (np.pi / 2 if held.size[1] <= held.size[0] else 0.0)
    _set(world, held, tool.xpos - np.array([0.0, 0.0, 0.25 * held.size[2]]), yaw)
    world.close_gripper()
