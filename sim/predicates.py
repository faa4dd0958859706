"""What is true of a world: held, inside, on top, open, pressed. The measured side of every claim."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tandem.bridge.contract import Subgoal

if TYPE_CHECKING:
    from tandem.sim.truth import Truth

AT_REST_M_S = 0.02
ON_TOP_GAP_M = 0.012
SEATED_GAP_M = 0.005
PERCHED_M = 0.001  # what does not reach further below a rim stands on it
INSERTED_SHARE = 0.6  # of a hole's depth
LIFTED_M = 0.02  # times the robot's reach
OPEN_FRACTION, SHUT_FRACTION = 0.7, 0.1
DOWN_FRACTION = 0.6  # of a button's travel
HOME_TOLERANCE_RAD = 0.1
PRESSED = 0  # index of the button's latch in MjData.userdata


def at_rest(truth: Truth, name: str) -> bool:
    """Slower than 2 cm/s."""
    return bool(np.linalg.norm(truth.velocity(name)) < AT_REST_M_S)


def bottom_z(truth: Truth, name: str) -> float:
    """Height of the lowest point of an upright box around a loose thing."""
    target = truth.target(name)
    return float(target.surface[2] - target.size[2])


def offset_in(truth: Truth, name: str, container: str) -> np.ndarray:
    """(3,) position of a thing's centre in a container's body frame, m."""
    (position, _), (origin, rotation) = truth.pose(name), truth.pose(container)
    return rotation.T @ (position - origin)


def inside(truth: Truth, name: str, container: str) -> bool:
    """Its centre is within the walls of a bin, slot or drawer and its foot below the rim; let go, at rest.

    What lies across a corner of the rim is not inside. Only what is loose can be put anywhere.
    """
    if not truth.entity(name).loose:
        return False
    box, (x, y, z) = truth.entity(container), offset_in(truth, name, container)
    half, deep = truth.target(name).size[2] / 2, box.rim - box.surface[2] > 2 * PERCHED_M
    within = abs(x - box.surface[0]) < box.size[0] / 2 and abs(y - box.surface[1]) < box.size[1] / 2
    low = box.surface[2] - 0.01 <= z <= box.rim + half - PERCHED_M * deep
    return bool(within and low and name not in truth.touched() and at_rest(truth, name))


def on_top(truth: Truth, upper: str, lower: str) -> bool:
    """It stands on the other thing, centred within half of its size, let go and at rest."""
    above, below = truth.target(upper), truth.target(lower)
    gap = bottom_z(truth, upper) - below.surface[2]
    sideways = np.linalg.norm(above.surface[:2] - below.surface[:2])
    near = abs(gap) < ON_TOP_GAP_M and sideways < min(below.size[:2]) / 2
    return bool(near and upper not in truth.touched() and at_rest(truth, upper))


def covers(truth: Truth, upper: str, lower: str) -> bool:
    """It lies on the other thing, centred or not, so that the other cannot be lifted or built upon."""
    above, below = truth.target(upper), truth.target(lower)
    sideways = np.linalg.norm(above.surface[:2] - below.surface[:2])
    over = bottom_z(truth, upper) > below.surface[2] - below.size[2] / 2
    return bool(over and sideways < (max(above.size[:2]) + max(below.size[:2])) / 2)


def seated(truth: Truth, name: str, slot: str) -> bool:
    """Inside, and down on the floor rather than perched on a wall."""
    gap = bottom_z(truth, name) - truth.target(slot).surface[2]
    return bool(abs(gap) < SEATED_GAP_M and inside(truth, name, slot))


def inserted(truth: Truth, peg: str, hole: str) -> bool:
    """Its foot is within the hole, at least 60 % of the hole's depth below the mouth; let go, at rest."""
    socket, (origin, rotation) = truth.entity(hole), truth.pose(hole)
    position, turn = truth.pose(peg)
    axis = turn[:, 2] * np.sign(turn[2, 2])
    foot = rotation.T @ (position - axis * truth.entity(peg).size[2] / 2 - origin) - np.array(socket.surface)
    within = np.all(np.abs(foot[:2]) < socket.size[0] / 2) and foot[2] < -INSERTED_SHARE * socket.size[2]
    return bool(within and peg not in truth.touched() and at_rest(truth, peg))


def opened_fraction(truth: Truth, name: str) -> float:
    """Travel of a drawer's or button's joint, 0 shut or up to 1 fully open or down."""
    joint = truth.world.model.joint(truth.entity(name).joint)
    low, high = joint.range
    return float((truth.world.data.joint(joint.id).qpos[0] - low) / (high - low))


def pushed_down(truth: Truth, button: str) -> bool:
    """A spring-loaded button is down now."""
    return opened_fraction(truth, button) > DOWN_FRACTION


def pressed(truth: Truth) -> bool:
    """The machine's button has been pressed since the episode began."""
    return bool(truth.world.data.userdata[PRESSED] > 0)


def lifted(truth: Truth, name: str) -> bool:
    """Held by both fingers, off the table, and nothing but the gripper carries it."""
    high = bottom_z(truth, name) > LIFTED_M * truth.world.robot.workspace.reach_max_m
    return bool(high and truth.held() == name and not truth.rests(name))


def holds(truth: Truth, subgoal: Subgoal) -> bool | None:
    """Whether the criterion of a subgoal holds in the world as it is now; None when that cannot be told."""
    words = subgoal.arguments
    known = [str(words[key]) for key in ("object", "target") if key in words]
    if any(name not in truth.world.entities for name in known):
        return False
    check = _CHECKS.get(subgoal.skill)
    return None if check is None else check(truth, subgoal)


def _placed(truth: Truth, subgoal: Subgoal) -> bool | None:
    """What was to be placed is in, or on, the target, and let go.

    If it is not named, False when nothing lies there; whether what does is the right thing, nobody can tell.
    """
    target = str(subgoal.arguments["target"])
    relation = {"block": on_top, "slot": seated, "hole": inserted}.get(truth.entity(target).kind, inside)
    if "object" in subgoal.arguments:
        thing = str(subgoal.arguments["object"])
        return truth.held() is None and relation(truth, thing, target)
    loose = [name for name, entity in truth.world.entities.items() if entity.loose and name != target]
    lies_there = truth.held() is None and any(relation(truth, name, target) for name in loose)
    return None if lies_there else False


def _slid(truth: Truth, subgoal: Subgoal, low: float, high: float) -> bool:
    """A drawer, named by itself or by its handle, is open by a share between two."""
    target = str(subgoal.arguments["target"])
    is_drawer = truth.entity(target).kind in ("drawer", "handle")
    return is_drawer and low < opened_fraction(truth, target) < high


def _pressed(truth: Truth, subgoal: Subgoal) -> bool:
    return truth.entity(str(subgoal.arguments["target"])).kind == "button" and pressed(truth)


def _at_home(truth: Truth, subgoal: Subgoal) -> bool:
    position = truth.world.measured()["joint_position"]
    return bool(np.max(np.abs(position - truth.world.robot.home)) < HOME_TOLERANCE_RAD)


_CHECKS = {
    "pick": lambda truth, subgoal: lifted(truth, str(subgoal.arguments["object"])),
    "place": _placed,
    "stack_on": _placed,
    "insert": _placed,
    "push": lambda truth, subgoal: inside(truth, str(subgoal.arguments["object"]), str(subgoal.arguments["target"])),
    "open": lambda truth, subgoal: _slid(truth, subgoal, OPEN_FRACTION, np.inf),
    "close": lambda truth, subgoal: _slid(truth, subgoal, -np.inf, SHUT_FRACTION),
    "press": _pressed,
    "home": _at_home,
}
