"""The verifier that has no ground truth, on depth images of boxes on a table seen from ahead."""

import numpy as np
import pytest

from tandem.agent.verify.depth import View, change_at, project
from tandem.agent.verify.observation import ObservationVerifier
from tandem.bridge.conformance import check_verifier, dummy_spec
from tandem.bridge.contract import BodySpec, CameraPoint, CameraSpec, Outcome, Subgoal

WIDTH, HEIGHT, FOCAL = 320, 240, 280.0
INTRINSICS = np.array([[FOCAL, 0, WIDTH / 2], [0, FOCAL, HEIGHT / 2], [0, 0, 1.0]])
EYE, AT = np.array([1.1, 0.0, 0.75]), np.array([0.5, 0.0, 0.0])
YES, NO, UNSURE = Outcome.SUCCESS, Outcome.FAILURE, Outcome.INCONCLUSIVE


def camera(mount="base"):
    forward = (AT - EYE) / np.linalg.norm(AT - EYE)
    right = np.cross(forward, [0, 0, 1.0])
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3] = np.column_stack([right, np.cross(forward, right), forward, EYE])
    return CameraSpec("front", WIDTH, HEIGHT, INTRINSICS, mount, pose, depth=True)


def spec(mount="base"):
    return BodySpec.from_dict({**dummy_spec().to_dict(), "cameras": [camera(mount).to_dict()]})


def box(x, y, z, half=0.02, height=0.04):
    """An axis-aligned box that stands on height z: its lower and upper corner."""
    return np.array([x - half, y - half, z]), np.array([x + half, y + half, z + height])


TABLE = (np.array([-1.0, -2.0, -0.05]), np.array([2.0, 2.0, 0.0]))


def depth_of(*boxes, noise=0.0):
    """Ray casting: (H, W) metres along the camera's axis."""
    v, u = np.mgrid[:HEIGHT, :WIDTH]
    rays = np.stack([(u + 0.5 - WIDTH / 2) / FOCAL, (v + 0.5 - HEIGHT / 2) / FOCAL, np.ones_like(u)], -1)
    rays = rays @ camera().T_mount_camera[:3, :3].T
    rays = np.where(np.abs(rays) < 1e-9, 1e-9, rays)
    nearest = np.full((HEIGHT, WIDTH), np.inf)
    for low, high in (TABLE, *boxes):
        near, far = (low - EYE) / rays, (high - EYE) / rays
        enter, leave = np.minimum(near, far).max(-1), np.maximum(near, far).min(-1)
        nearest = np.where((enter <= leave) & (enter > 0) & (enter < nearest), enter, nearest)
    nearest = np.where(np.isfinite(nearest), nearest, 0.0)
    return (nearest + noise * np.random.default_rng(0).standard_normal(nearest.shape)).astype(np.float32)


def pixel(x, y, z):
    pose = camera().T_mount_camera
    p = INTRINSICS @ (pose[:3, :3].T @ (np.array([x, y, z]) - EYE))
    return CameraPoint("front", p[0] / p[2], p[1] / p[2])


def seen(*boxes, opening=1.0, tool=(0.3, 0.0, 0.4), noise=0.0):
    """An observation; the hand is drawn as a box above the tool."""
    hand = box(*tool, half=0.04, height=0.2)
    return {
        "time": np.zeros(1), "joint_position": dummy_spec().home.copy(), "gripper_opening": np.array([opening]),
        "tool_pose": np.array([*tool, 0.0, 1.0, 0.0, 0.0]), "depth.front": depth_of(*boxes, hand, noise=noise),
    }


def judged(subgoal, before, after, mount="base"):
    verifier = ObservationVerifier(spec(mount))
    return verifier.verify(subgoal, {key: before[key] for key in verifier.observes}, after)


CUBE, LIFTED = box(0.5, 0.1, 0.0), box(0.5, 0.1, 0.13)
PICK = Subgoal("pick", {"object": "red cube", "point": pixel(0.5, 0.1, 0.04)})
ABOVE_CUBE = (0.5, 0.1, 0.15)
FLOOR = box(0.5, -0.15, 0.0, half=0.07, height=0.005)
PLACE = Subgoal("place", {"target": "blue bin", "point": pixel(0.5, -0.15, 0.005)})
ABOVE_BIN = (0.5, -0.15, 0.18)
HOLDING = {"opening": 0.5, "tool": ABOVE_CUBE}


NEIGHBOUR, LIFTED_NEIGHBOUR = box(0.5, 0.145, 0.0), box(0.5, 0.145, 0.13)
ABOVE_NEIGHBOUR = {"opening": 0.5, "tool": (0.5, 0.145, 0.15)}


def test_a_point_a_little_beside_a_thing_means_the_thing():
    beside = Subgoal("pick", {"object": "red cube", "point": pixel(0.5, 0.1 - 0.026, 0.0)})
    taken = judged(beside, seen(CUBE), seen(LIFTED, **HOLDING))
    assert (taken.outcome, "right beside" in taken.evidence) == (YES, True), taken
    for after in (seen(CUBE, **HOLDING), seen(CUBE, LIFTED_NEIGHBOUR, **ABOVE_NEIGHBOUR)):
        left = judged(beside, seen(CUBE, NEIGHBOUR), after)
        assert left.outcome is not YES, left


def test_a_thing_that_stays_was_not_picked_whatever_left_beside_it():
    verdict = judged(PICK, seen(CUBE, NEIGHBOUR), seen(CUBE, LIFTED_NEIGHBOUR, **ABOVE_NEIGHBOUR))
    assert (verdict.outcome, "still there" in verdict.evidence) == (NO, True), verdict


@pytest.mark.parametrize("noise", [0.0, 0.002])
@pytest.mark.parametrize(("after", "outcome", "words"), [
    (seen(LIFTED, opening=0.5, tool=ABOVE_CUBE), YES, "left its place"),
    (seen(CUBE, opening=0.0, tool=ABOVE_CUBE), NO, "closed on nothing"),
    (seen(CUBE, opening=1.0, tool=ABOVE_CUBE), NO, "open"),
    (seen(CUBE, opening=0.5, tool=(0.5, 0.1, 0.02)), NO, "nothing was lifted"),
    (seen(CUBE, opening=0.5, tool=ABOVE_CUBE), NO, "still there"),  # it stalled on something else
    (seen(opening=0.5, tool=(0.62, 0.1, 0.2)), YES, "hidden behind"),  # grip and lift are what is left to go by
], ids=["lifted", "empty", "open", "low", "another", "hidden"])
def test_pick(after, outcome, words, noise):
    verdict = judged(PICK, seen(CUBE, noise=noise), after)
    assert (verdict.outcome, words in verdict.evidence) == (outcome, True), verdict
    assert any(digit in verdict.evidence for digit in "0123456789")


@pytest.mark.parametrize("noise", [0.0, 0.002])
@pytest.mark.parametrize(("after", "outcome", "words"), [
    (seen(FLOOR, box(0.5, -0.15, 0.005), tool=ABOVE_BIN), YES, "higher"),
    (seen(FLOOR, box(0.52, -0.13, 0.005), tool=ABOVE_BIN), YES, "higher"),  # it rolled a little
    (seen(FLOOR, CUBE, tool=ABOVE_BIN), NO, "nothing new"),  # it fell on the way
    (seen(FLOOR, tool=ABOVE_BIN, opening=0.0), NO, "nothing new"),  # it slipped out, the fingers met
    (seen(FLOOR, tool=ABOVE_BIN, opening=0.5), NO, "still holds"),
    (seen(FLOOR, box(0.5, -0.15, 0.005), tool=(0.5, -0.15, 0.03)), UNSURE, "retreated"),
], ids=["in", "off centre", "dropped", "slipped", "held", "near"])
def test_place(after, outcome, words, noise):
    verdict = judged(PLACE, seen(FLOOR, LIFTED, noise=noise, **HOLDING), after)
    assert (verdict.outcome, words in verdict.evidence) == (outcome, True), verdict


def test_a_hand_over_the_target_is_not_the_object():
    after = seen(FLOOR, tool=(0.58, -0.15, 0.1))  # between the camera and the bin, and nothing in it
    assert judged(PLACE, seen(FLOOR, LIFTED, **HOLDING), after).outcome is not YES


def test_the_corner_of_a_wide_hand_is_not_the_object_either():
    x, y, z = tool = (0.609, -0.025, 0.1)  # one of its corners between the camera and the bin
    hand = np.array([x - 0.03, y - 0.1025, z + 0.037]), np.array([x + 0.03, y + 0.1025, z + 0.2])
    assert judged(PLACE, seen(FLOOR, LIFTED, **HOLDING), seen(FLOOR, hand, tool=tool)).outcome is not YES


def test_what_stands_in_front_of_a_place_does_not_say_that_the_thing_is_still_there():
    point = np.array([0.5, 0.1, 0.04])
    elbow = point + 0.2 * (EYE - point) - 0.02, point + 0.2 * (EYE - point) + 0.02
    behind = {"opening": 0.5, "tool": (0.38, 0.1, 0.15)}
    taken = judged(PICK, seen(CUBE), seen(elbow, box(0.38, 0.1, 0.13), **behind))
    assert (taken.outcome, "hidden behind" in taken.evidence) == (YES, True), taken
    upright = judged(PICK, seen(CUBE), seen(box(0.5, 0.1, 0.0, height=0.06), opening=0.5, tool=(0.2, 0.3, 0.3)))
    assert upright.outcome is not YES, "far below the hand: not what is held"
    ends = {"point": PICK.arguments["point"], "to": pixel(0.5, 0.25, 0.0)}
    pushed = Subgoal("push", {"object": "red cube", "target": "mark", **ends})
    moved = judged(pushed, seen(CUBE), seen(elbow, box(0.5, 0.25, 0.0), tool=(0.2, 0.3, 0.3)))
    assert (moved.outcome, "in front" in moved.evidence) == (UNSURE, True), moved


def at(time_s, observation):
    return {**observation, "time": np.array([time_s])}


def test_where_the_arm_stood_in_front_an_earlier_look_counts():
    verifier = ObservationVerifier(spec())
    in_front = (0.62, -0.15, 0.15)
    start, holding = at(0, seen(FLOOR, CUBE)), at(5, seen(FLOOR, box(*in_front), opening=0.5, tool=in_front))
    placed, empty = (at(9, seen(FLOOR, *thing, tool=ABOVE_BIN)) for thing in ([box(0.5, -0.15, 0.005)], []))
    assert verifier.verify(PLACE, holding, placed).outcome is UNSURE
    verifier = ObservationVerifier(spec())
    verifier.verify(PICK, start, holding)
    assert verifier.verify(PLACE, holding, placed).outcome is YES
    assert verifier.verify(PLACE, holding, empty).outcome is NO
    assert len(verifier._memory) <= 8
    verifier.reset()  # another episode, even a later one: the old looks are gone
    assert verifier.verify(PLACE, at(13, holding), at(14, placed)).outcome is UNSURE


def test_what_lies_beside_a_walled_bin_is_not_in_it():
    walls = [(np.array([0.42, y - 0.01, 0.0]), np.array([0.58, y + 0.01, 0.05])) for y in (-0.21, -0.09)]
    walls += [(np.array([x - 0.01, -0.22, 0.0]), np.array([x + 0.01, -0.08, 0.05])) for x in (0.42, 0.58)]
    inside, beside = box(0.5, -0.13, 0.005), box(0.5, -0.055, 0.0)
    before = seen(FLOOR, *walls, LIFTED, **HOLDING)
    assert judged(PLACE, before, seen(FLOOR, *walls, inside, tool=ABOVE_BIN)).outcome is YES
    assert judged(PLACE, before, seen(FLOOR, *walls, beside, tool=ABOVE_BIN)).outcome is NO


def test_a_second_object_in_the_same_bin_is_seen_beside_the_first():
    first, second = box(0.5, -0.15, 0.005), box(0.5, -0.11, 0.005)
    target = Subgoal("place", {"target": "blue bin", "point": pixel(0.5, -0.15, 0.045)})
    before = seen(FLOOR, first, LIFTED, **HOLDING)
    assert judged(target, before, seen(FLOOR, first, second, tool=ABOVE_BIN)).outcome is YES
    assert judged(target, before, seen(FLOOR, first, tool=ABOVE_BIN)).outcome is NO


def test_stack_on_sees_the_upper_block():
    base = box(0.5, -0.15, 0.0)
    stack = Subgoal("stack_on", {"target": "green cube", "point": pixel(0.5, -0.15, 0.04)})
    before = seen(base, LIFTED, **HOLDING)
    assert judged(stack, before, seen(base, box(0.5, -0.15, 0.04), tool=(0.5, -0.15, 0.2))).outcome is YES
    assert judged(stack, before, seen(base, box(0.5, -0.08, 0.0), tool=(0.5, -0.15, 0.2))).outcome is NO


def test_a_drawer_that_moved_is_seen_by_its_handle():
    handle = Subgoal("open", {"target": "drawer", "point": pixel(0.5, 0.0, 0.1)})
    before = seen(box(0.5, 0.0, 0.07, height=0.03))
    assert judged(handle, before, seen(box(0.62, 0.0, 0.07, height=0.03))).outcome is YES
    assert judged(handle, before, before).outcome is NO


def block(low, high):
    return np.array(low, float), np.array(high, float)


def cabinet(opened_m):
    """A top below which a drawer comes out towards the robot, its front and its handle ahead of it."""
    begin = 0.5 - opened_m
    floor, sides = block((begin, -0.07, 0), (0.5, 0.07, 0.013)), (-0.07, 0.065)
    walls = [block((begin, y, 0), (0.5, y + 0.005, 0.06)) for y in sides]
    front = block((begin - 0.01, -0.07, 0), (begin, 0.07, 0.06))
    bar = block((begin - 0.062, -0.05, 0.05), (begin - 0.05, 0.05, 0.063))
    return [block((0.5, -0.08, 0.0), (0.65, 0.08, 0.078)), floor, *walls, front, bar]


@pytest.mark.parametrize(("lies", "outcome"), [
    ((0.44, 0.0, 0.013), YES), ((0.58, 0.0, 0.078), NO), ((0.44, 0.2, 0.0), NO), (None, NO),
], ids=["in the drawer", "on the cabinet", "beside it", "nowhere"])
def test_what_went_into_a_drawer_is_looked_for_where_its_inside_came_out(lies, outcome):
    """The plan points at the drawer while it is shut: at the edge of the cabinet's top, which stays where it is."""
    verifier, point = ObservationVerifier(spec()), pixel(0.515, 0.0, 0.078)

    def at(time_s, observation):
        return {**observation, "time": np.array([time_s])}

    opens = Subgoal("open", {"target": "red drawer handle", "point": pixel(0.444, 0.0, 0.063)})
    shut, opened = at(0, seen(*cabinet(0.0))), at(3, seen(*cabinet(0.12), tool=(0.3, 0.3, 0.4)))
    finger_m = dummy_spec().gripper.finger_depth_m
    for k, (x, z) in enumerate([(0.444, 0.2), (0.444, 0.06), (0.40, 0.06), (0.324, 0.06), (0.324, 0.2)]):
        verifier.watch(at(0.5 + 0.1 * k, seen(tool=(x, 0.0, z + finger_m))))
    assert verifier.verify(opens, shut, opened).outcome is YES
    put = Subgoal("place", {"object": "red cube", "target": "red drawer", "point": point})
    holding = at(4, seen(*cabinet(0.12), opening=0.5, tool=(0.3, 0.3, 0.4)))
    things = [] if lies is None else [box(*lies)]
    after = at(6, seen(*cabinet(0.12), *things, tool=(0.3, 0.3, 0.4)))
    verdict = verifier.verify(put, holding, after)
    assert verdict.outcome is outcome, verdict


def test_a_button_that_springs_back_stays_undecided():
    button = box(0.5, 0.0, 0.0, half=0.015, height=0.03)
    press = Subgoal("press", {"target": "button", "point": pixel(0.5, 0.0, 0.03)})
    assert judged(press, seen(button), seen(button)).outcome is UNSURE
    assert judged(press, seen(button), seen(box(0.5, 0.0, 0.0, half=0.015, height=0.015))).outcome is YES


@pytest.mark.parametrize(("x", "depth_m", "readings", "outcome"), [
    (0.5, 0.007, 4, YES), (0.5, 0.002, 4, UNSURE), (0.5, 0.007, 2, UNSURE), (0.53, 0.007, 4, UNSURE),
    (0.5, -0.01, 9, UNSURE),
], ids=["pressed", "touched", "a moment of noise", "beside it", "above it"])
def test_a_button_that_springs_back_is_known_by_how_far_the_fingers_went(x, depth_m, readings, outcome):
    button = box(0.5, 0.0, 0.0, half=0.015, height=0.03)
    press = Subgoal("press", {"target": "button", "point": pixel(0.5, 0.0, 0.03)})
    reach = dummy_spec().gripper.finger_depth_m  # of the fingertips below the tool, which points down
    down = {"tool_pose": np.array([x, 0.0, 0.03 + reach - depth_m, 0.0, 1.0, 0.0, 0.0])}
    verifier = ObservationVerifier(spec())
    for k in range(readings):
        verifier.watch(at(1 + 0.05 * k, down))
    before, after = at(0.5, seen(button)), at(3, seen(button))
    assert verifier.verify(press, before, after).outcome is outcome
    again = at(4, seen(button))
    assert verifier.verify(press, after, again).outcome is UNSURE, "an earlier press is not this one"


def test_push_is_seen_at_both_ends():
    push = Subgoal("push", {
        "object": "red cube", "target": "left side", "point": pixel(0.5, 0.1, 0.04), "to": pixel(0.5, 0.25, 0.0),
    })
    assert judged(push, seen(CUBE), seen(box(0.5, 0.25, 0.0))).outcome is YES
    assert judged(push, seen(CUBE), seen(CUBE)).outcome is NO
    assert judged(push, seen(CUBE), seen(box(0.6, -0.1, 0.0))).outcome is NO  # pushed elsewhere


def test_home_is_read_off_the_joints():
    away = {**seen(), "joint_position": dummy_spec().home + [0.0, 0.2, 0.0]}
    assert judged(Subgoal("home"), away, seen()).outcome is YES
    assert judged(Subgoal("home"), seen(), away).outcome is NO


def test_without_depth_a_place_stays_undecided():
    moving = "hand"  # a camera that moves cannot be compared with itself
    after = seen(FLOOR, box(0.5, -0.15, 0.005), tool=ABOVE_BIN)
    assert judged(PLACE, seen(FLOOR, **HOLDING), after, moving).outcome is UNSURE
    words_only = Subgoal("place", {"target": "blue bin"})
    assert judged(words_only, seen(FLOOR, **HOLDING), after).outcome is UNSURE


def test_a_hole_in_the_depth_image_is_no_evidence():
    blind = {**seen(FLOOR, tool=ABOVE_BIN), "depth.front": np.zeros((HEIGHT, WIDTH), np.float32)}
    assert judged(PLACE, seen(FLOOR, LIFTED, **HOLDING), blind).outcome is UNSURE
    assert judged(PLACE, blind, seen(FLOOR, tool=ABOVE_BIN)).outcome is not YES


def test_it_conforms():
    subgoals = [PICK, PLACE, Subgoal("home"), Subgoal("press", {"target": "button"})]
    check_verifier(lambda: ObservationVerifier(spec()), subgoals, seen(CUBE), seen(LIFTED, **HOLDING))


def test_a_tower_is_followed_upwards():
    """The plan points at every cube where it stood at first."""
    red, green, yellow = box(0.5, -0.15, 0.0), box(0.5, 0.1, 0.0), box(0.42, 0.25, 0.0)
    on_red, on_green = box(0.5, -0.15, 0.04), box(0.5, -0.15, 0.08)
    where = {"red": pixel(0.5, -0.15, 0.04), "green": pixel(0.5, 0.1, 0.04), "yellow": pixel(0.42, 0.25, 0.04)}
    pick = {name: Subgoal("pick", {"object": name, "point": point}) for name, point in where.items()}
    stack = {name: Subgoal("stack_on", {"target": name, "point": point}) for name, point in where.items()}
    start = at(0, seen(red, green, yellow))
    held = at(1, seen(red, LIFTED, yellow, **HOLDING))
    two = at(2, seen(red, on_red, yellow, tool=(0.5, -0.15, 0.2)))
    held_again = at(3, seen(red, on_red, box(0.42, 0.25, 0.13), opening=0.5, tool=(0.42, 0.25, 0.15)))
    three = at(4, seen(red, on_red, on_green, tool=(0.5, -0.15, 0.25)))
    fell = at(4, seen(red, on_red, box(0.5, -0.08, 0.0), tool=(0.5, -0.15, 0.25)))
    for end, outcome in ((three, YES), (fell, NO)):
        verifier = ObservationVerifier(spec())
        steps = [(pick["green"], start, held), (stack["red"], held, two), (pick["yellow"], two, held_again)]
        assert [verifier.verify(*step).outcome for step in steps] == [YES] * 3
        assert verifier.verify(stack["green"], held_again, end).outcome is outcome


def test_what_was_put_aside_is_picked_from_there():
    """The plan points at the obstacle where it stood at first; a pick that fails there forgets nothing."""
    aside = box(0.42, 0.25, 0.0)
    pick = Subgoal("pick", {"object": "obstacle", "point": pixel(0.5, 0.1, 0.04)})
    put = Subgoal("place", {"object": "obstacle", "target": "mat", "point": pixel(0.42, 0.25, 0.0)})
    steps = [
        (pick, at(0, seen(CUBE)), at(1, seen(LIFTED, **HOLDING)), YES),
        (put, at(1, seen(LIFTED, **HOLDING)), at(2, seen(aside, tool=(0.42, 0.25, 0.2))), YES),
        (pick, at(2, seen(aside)), at(3, seen(aside, opening=0.5, tool=(0.42, 0.1, 0.2))), NO),  # something else
        (pick, at(3, seen(aside)), at(4, seen(box(0.42, 0.25, 0.16), opening=0.5, tool=(0.42, 0.25, 0.18))), YES),
    ]
    verifier = ObservationVerifier(spec())
    for subgoal, before, after, outcome in steps:
        verdict = verifier.verify(subgoal, before, after)
        assert verdict.outcome is outcome, verdict


def test_points_are_lifted_at_the_centres_of_pixels():
    """A change is found where it is, not half a pixel beside it."""
    point = pixel(0.5, -0.15, 0.0)
    view = View(depth_of(), np.array([0.0, 0, 1, 1, 0, 0, 0]))
    centre = CameraPoint("front", int(point.u) + 0.5, int(point.v) + 0.5)
    found = change_at(centre, camera(), [view], view, 0.03, below_m=0.01)
    back = project(found.point, camera())
    assert abs(back.u - int(point.u) - 0.5) < 0.1
    assert abs(back.v - int(point.v) - 0.5) < 0.1
