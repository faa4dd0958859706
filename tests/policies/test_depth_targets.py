"""Targets from depth, against scenes whose pictures are computed here: rays against boxes, nothing of the renderer."""

import dataclasses
from dataclasses import dataclass

import numpy as np
import pytest

from tandem.bridge.contract import CameraPoint, CameraSpec, FailureCode, SkillFailed
from tandem.policies.motion.kinematics import Arm
from tandem.policies.motion.pose import top_down
from tandem.policies.motion.targets import DepthTargets

RED, GREEN, BLUE, YELLOW = (204, 26, 23), (26, 148, 46), (26, 64, 204), (240, 200, 20)
GREY, WOOD, BROWN = (150, 150, 155), (184, 168, 148), (150, 112, 69)


@dataclass(frozen=True)
class Box:
    """An upright box: its middle, extents, yaw and colour."""

    centre: tuple[float, float, float]
    size: tuple[float, float, float]
    yaw: float
    rgb: tuple[int, int, int]


def _walls(x, y, yaw, inner, height, thick, rgb, base=0.004):
    """Floor and four walls of a container."""
    c, s = np.cos(yaw), np.sin(yaw)

    def at(dx, dy, z):
        return (x + c * dx - s * dy, y + s * dx + c * dy, z)

    half_x, half_y = inner[0] / 2 + thick / 2, inner[1] / 2 + thick / 2
    long_x = inner[0] + 2 * thick
    floor = tuple(int(0.75 * channel) for channel in rgb)
    return [
        Box(at(0, 0, base / 2), (long_x, inner[1] + 2 * thick, base), yaw, floor),
        *(Box(at(side * half_x, 0, height / 2), (thick, inner[1], height), yaw, rgb) for side in (-1, 1)),
        *(Box(at(0, side * half_y, height / 2), (long_x, thick, height), yaw, rgb) for side in (-1, 1)),
    ]


def _look(spec, boxes, time_s=0.0, q=None):
    """An observation whose front camera sees the boxes on a table at z = 0."""
    camera = spec.camera("front")
    rows, columns = np.mgrid[0 : camera.height, 0 : camera.width]
    ahead = np.stack([columns + 0.5, rows + 0.5, np.ones_like(rows)], axis=-1) @ np.linalg.inv(camera.intrinsics).T
    rays = ahead @ camera.T_mount_camera[:3, :3].T  # of unit length along the camera's axis: distance is depth
    origin = camera.T_mount_camera[:3, 3]
    depth = np.where(rays[..., 2] < -1e-6, -origin[2] / np.minimum(rays[..., 2], -1e-6), 20.0)
    rgb = np.tile(np.array(WOOD, np.uint8), (*depth.shape, 1))
    for box in boxes:
        c, s = np.cos(box.yaw), np.sin(box.yaw)
        turn = np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
        start, way = turn @ (origin - box.centre), rays @ turn.T
        way = np.where(np.abs(way) < 1e-9, 1e-9, way)
        half = np.sign(way) * np.array(box.size) / 2
        near, far = (-half - start) / way, (half - start) / way
        enter, leave = near.max(axis=-1), far.min(axis=-1)
        shown = (enter < leave) & (enter > 0) & (enter < depth)
        shade = np.array([0.7, 0.85, 1.0])[np.argmax(near, axis=-1)]
        depth = np.where(shown, enter, depth)
        rgb = np.where(shown[..., None], (shade[..., None] * box.rgb).astype(np.uint8), rgb)
    pose = np.zeros(7)
    pose[4] = 1.0
    return {
        "joint_position": spec.home.copy() if q is None else q, "joint_velocity": np.zeros(spec.dof),
        "gripper_opening": np.ones(1), "tool_pose": pose, "time": np.array([time_s]),
        "image.front": rgb, "depth.front": depth.astype(np.float32),
    }


def _point(spec, position):
    """The camera point that shows a position (3,)."""
    camera = spec.camera("front")
    local = np.linalg.inv(camera.T_mount_camera) @ np.append(position, 1.0)
    u, v, _ = camera.intrinsics @ (local[:3] / local[2])
    return CameraPoint("front", float(u), float(v))


@pytest.fixture
def spec(spec_of):
    """The Panda's, with the front camera where these tests want it."""
    spec = spec_of("panda")
    eye, at = np.array([1.25, 0.0, 0.85]), np.array([0.45, 0.0, 0.0])
    forward = (at - eye) / np.linalg.norm(at - eye)
    right = np.cross(forward, [0.0, 0.0, 1.0]) / np.linalg.norm(np.cross(forward, [0.0, 0.0, 1.0]))
    pose = np.eye(4)
    pose[:3, :3] = np.column_stack([right, np.cross(forward, right), forward])
    pose[:3, 3] = eye
    intrinsics = np.array([[580.0, 0.0, 320.0], [0.0, 580.0, 240.0], [0.0, 0.0, 1.0]])
    return dataclasses.replace(spec, cameras=(CameraSpec("front", 640, 480, intrinsics, "base", pose, True),))


def _turn(found, truth, period=np.pi / 2):
    return abs((found - truth + period / 2) % period - period / 2)


@pytest.mark.parametrize("seed", range(8))
def test_upright_boxes_to_three_millimetres_and_two_degrees(spec, seed):
    rng = np.random.default_rng(seed)
    size, yaw = (rng.uniform(0.034, 0.07), rng.uniform(0.03, 0.034), rng.uniform(0.03, 0.05)), rng.uniform(-1.5, 1.5)
    x, y = rng.uniform(0.4, 0.62), rng.uniform(-0.3, 0.3)
    box = Box((x, y, size[2] / 2), size, yaw, RED)
    found = DepthTargets(spec).locate("red block", _point(spec, (x, y, size[2])), _look(spec, [box]))
    assert np.linalg.norm(found.surface - [x, y, size[2]]) < 0.003
    assert found.size == pytest.approx(size, abs=0.004)
    assert np.degrees(_turn(found.yaw_rad, yaw, np.pi)) < 2.0
    assert not found.privileged


def test_a_box_on_another_reaches_down_to_it_only(spec):
    lower, upper = (Box((0.5, 0.1, z), (0.04, 0.04, 0.04), 0.2, rgb) for z, rgb in ((0.02, BLUE), (0.06, RED)))
    found = DepthTargets(spec).locate("red cube", _point(spec, (0.5, 0.1, 0.08)), _look(spec, [lower, upper]))
    assert found.surface[2] == pytest.approx(0.08, abs=0.002)
    assert found.size[2] == pytest.approx(0.04, abs=0.004)


def test_a_label_of_another_colour_is_part_of_the_box(spec):
    parcel = Box((0.5, 0.0, 0.02), (0.08, 0.04, 0.04), 1.5, BROWN)
    label = Box((0.5, 0.0, 0.0402), (0.06, 0.03, 0.0004), 1.5, RED)
    found = DepthTargets(spec).locate("red parcel", _point(spec, (0.5, 0.0, 0.04)), _look(spec, [parcel, label]))
    assert found.size == pytest.approx([0.08, 0.04, 0.04], abs=0.004)


@pytest.mark.parametrize("where", ["floor", "rim"])
def test_bins_by_floor_or_by_rim(spec, where):
    yaw = 0.35
    parts = _walls(0.5, -0.1, yaw, (0.142, 0.142), 0.05, 0.004, BLUE)
    on_rim = np.array([0.5, -0.1]) + 0.073 * np.array([-np.cos(yaw), -np.sin(yaw)])
    seen = (0.5, -0.1, 0.004) if where == "floor" else (*on_rim, 0.05)
    found = DepthTargets(spec).locate("blue bin", _point(spec, seen), _look(spec, parts))
    assert np.linalg.norm(found.surface - [0.5, -0.1, 0.004]) < 0.004
    assert found.rim_z_m == pytest.approx(0.05, abs=0.002)
    assert np.degrees(_turn(found.yaw_rad, yaw)) < 2.0


def test_a_slot_whose_ribs_are_of_another_colour(spec):
    ribs = _walls(0.52, 0.08, 0.6, (0.056, 0.034), 0.017, 0.003, GREY, base=0.002)
    pad = Box((0.52, 0.08, 0.0015), (0.056, 0.034, 0.003), 0.6, YELLOW)
    found = DepthTargets(spec).locate("bracket slot", _point(spec, (0.52, 0.08, 0.003)), _look(spec, [*ribs, pad]))
    assert np.linalg.norm(found.surface - [0.52, 0.08, 0.003]) < 0.003
    assert found.size[:2] == pytest.approx([0.056, 0.034], abs=0.005)
    assert np.degrees(_turn(found.yaw_rad, 0.6, np.pi)) < 3.0


def test_the_mouth_of_a_hole(spec):
    block = _walls(0.5, 0.05, 0.4, (0.028, 0.028), 0.04, 0.022, GREEN, base=0.001)
    point = _point(spec, (0.5, 0.05, 0.04))
    found = DepthTargets(spec).locate("green socket", point, _look(spec, block))
    assert np.linalg.norm(found.surface - [0.5, 0.05, 0.04]) < 0.0025
    assert found.size[:2] == pytest.approx([0.028, 0.028], abs=0.004)


@pytest.mark.parametrize("yaw", [0.0, 0.4, -0.5])
def test_a_handle_is_pulled_away_from_what_it_hangs_on(spec, yaw):
    ahead = np.array([np.cos(yaw), np.sin(yaw)])
    bar_at, body_at = np.array([0.5, 0.0]), np.array([0.5, 0.0]) + 0.12 * ahead
    bar = Box((*bar_at, 0.055), (0.012, 0.10, 0.014), yaw, RED)
    cabinet = Box((*body_at, 0.04), (0.14, 0.2, 0.08), yaw, GREY)
    found = DepthTargets(spec).locate("drawer handle", _point(spec, (*bar_at, 0.062)), _look(spec, [bar, cabinet]))
    assert found.outward[:2] @ -ahead > np.cos(np.radians(4))


FRONT_M, BAR_M = 0.50, 0.056  # of a drawer that is shut, from the robot's axis; from there out to its handle's middle


def _cabinet(opened_m):
    """A drawer below a cabinet's top, opened so far towards the robot: its handle, its box, and the top."""
    begin = FRONT_M - opened_m
    drawer = _walls(begin + 0.07, 0.05, 0.0, (0.128, 0.132), 0.06, 0.005, RED)
    handle = Box((begin - BAR_M, 0.05, 0.056), (0.012, 0.10, 0.014), 0.0, RED)
    return [handle, *drawer, Box((FRONT_M + 0.075, 0.05, 0.075), (0.15, 0.16, 0.006), 0.0, GREY)]


def _handle(opened_m):
    return np.array([FRONT_M - opened_m - BAR_M, 0.05, 0.063])


@pytest.mark.parametrize("off_px", [-5, 5])
def test_a_point_right_beside_a_handle_means_the_handle(spec, off_px):
    point = _point(spec, _handle(0.0))
    beside = dataclasses.replace(point, v=point.v + off_px)
    found = DepthTargets(spec).locate("red drawer handle", beside, _look(spec, _cabinet(0.0)))
    assert np.linalg.norm(found.surface - _handle(0.0)) < 0.004
    assert found.outward[:2] @ [-1, 0] > 0.99


def test_what_goes_into_a_drawer_goes_behind_the_handle_that_was_pulled(spec):
    """A plan points at the drawer while it is shut; there the cabinet's top is once it is open."""
    targets, top = DepthTargets(spec), _point(spec, (FRONT_M + 0.02, 0.05, 0.078))
    handle = targets.locate("red drawer handle", _point(spec, _handle(0.0)), _look(spec, _cabinet(0.0)))
    with pytest.raises(SkillFailed, match="shut") as failed:
        targets.locate("red drawer", top, _look(spec, _cabinet(0.0), 1.0))
    assert failed.value.code is FailureCode.OBJECT_NOT_FOUND
    targets.moved("red drawer handle", dataclasses.replace(handle, surface=_handle(0.12)))
    found = targets.locate("red drawer", top, _look(spec, _cabinet(0.12), 6.0))
    assert found.surface[2] < 0.01
    assert FRONT_M - 0.12 < found.surface[0] < FRONT_M
    assert abs(found.surface[1] - 0.05) < 0.005


def test_what_moved_is_followed_and_what_vanished_is_told(spec):
    targets, size = DepthTargets(spec), (0.04, 0.04, 0.04)
    point = _point(spec, (0.45, 0.0, 0.04))
    before = targets.locate("red cube", point, _look(spec, [Box((0.45, 0.0, 0.02), size, 0.0, RED)]))
    after = targets.locate("red cube", point, _look(spec, [Box((0.49, 0.05, 0.02), size, 0.3, RED)], 0.5))
    assert np.linalg.norm(after.surface - before.surface - [0.04, 0.05, 0.0]) < 0.003
    with pytest.raises(SkillFailed, match="no longer") as failed:
        targets.locate("red cube", point, _look(spec, [], 1.0))
    assert failed.value.code is FailureCode.OBJECT_NOT_FOUND


def test_a_stale_point_is_mended_by_the_colour_that_the_words_name(spec):
    size = (0.04, 0.04, 0.04)
    boxes = [Box((0.55, 0.2, 0.02), size, 0.0, GREEN), Box((0.45, 0.0, 0.02), size, 0.0, RED)]
    found = DepthTargets(spec).locate("green cube", _point(spec, (0.45, 0.0, 0.04)), _look(spec, boxes))
    assert np.linalg.norm(found.surface[:2] - [0.55, 0.2]) < 0.003


def test_the_policy_tells_where_it_put_things(spec):
    targets, size = DepthTargets(spec), (0.04, 0.04, 0.04)
    point = _point(spec, (0.45, 0.0, 0.04))
    target = targets.locate("red cube", point, _look(spec, [Box((0.45, 0.0, 0.02), size, 0.0, RED)]))
    moved = dataclasses.replace(target, surface=np.array([0.55, 0.25, 0.08]), rim_z_m=0.08)
    targets.moved("red cube", moved)
    lower, upper = Box((0.55, 0.25, 0.02), size, 0.0, BLUE), Box((0.552, 0.25, 0.06), size, 0.1, RED)
    found = targets.locate("red cube", point, _look(spec, [lower, upper], 5.0))
    assert np.linalg.norm(found.surface - [0.552, 0.25, 0.08]) < 0.003


def test_behind_the_arm_an_older_look_counts(spec):
    targets, arm = DepthTargets(spec), Arm(spec)
    cube = Box((0.45, 0.0, 0.02), (0.04, 0.04, 0.04), 0.2, RED)
    other = Box((0.55, 0.2, 0.02), (0.04, 0.04, 0.04), 0.0, GREEN)
    targets.locate("green cube", _point(spec, (0.55, 0.2, 0.04)), _look(spec, [cube, other]))
    eye = spec.camera("front").T_mount_camera[:3, 3]
    between = eye + (np.array([0.45, 0.0, 0.04]) - eye) * 0.8  # on the line of sight: there is the palm
    q = arm.reach(top_down(between - [0.0, 0.0, 0.0694], np.pi / 2), spec.home)
    palm = Box(tuple(between), (0.2, 0.062, 0.052), 0.0, GREY)
    later = _look(spec, [cube, other, palm], 4.0, q)
    found = targets.locate("red cube", _point(spec, (0.45, 0.0, 0.04)), later)
    assert np.linalg.norm(found.surface - [0.45, 0.0, 0.04]) < 0.003


def test_nothing_at_the_point_is_told(spec):
    with pytest.raises(SkillFailed) as failed:
        DepthTargets(spec).locate("wrench", _point(spec, (0.45, 0.0, 0.0)), _look(spec, []))
    assert failed.value.code is FailureCode.OBJECT_NOT_FOUND
    with pytest.raises(SkillFailed, match="no camera point"):
        DepthTargets(spec).locate("wrench", None, _look(spec, []))


@pytest.mark.parametrize("angle", np.arange(8) * np.pi / 4)
def test_a_point_a_little_beside_a_thing_means_the_thing(spec, angle):
    """A small thing, and a slot whose wall is hit."""
    pin = Box((0.45, 0.1, 0.02), (0.025, 0.025, 0.04), 0.0, GREEN)
    boxes = [pin, *_walls(0.5, -0.1, 0.3, (0.05, 0.04), 0.02, 0.004, GREY)]
    observation = _look(spec, boxes)
    for words, middle in (("pin", pin.centre[:2]), ("plate slot", (0.5, -0.1))):
        point = _point(spec, (*middle, 0.04 if words == "pin" else 0.004))
        exact = DepthTargets(spec).locate(words, point, observation)
        off = CameraPoint("front", point.u + 6 * np.cos(angle), point.v + 6 * np.sin(angle))
        found = DepthTargets(spec).locate(words, off, observation)
        assert np.linalg.norm(found.surface[:2] - exact.surface[:2]) < 0.006
        assert np.linalg.norm(found.surface[:2] - middle) < 0.01


def test_a_blind_camera_is_told_and_an_older_look_serves(spec):
    targets, boxes = DepthTargets(spec), [Box((0.45, 0.0, 0.02), (0.04, 0.04, 0.04), 0.2, RED)]
    point = _point(spec, (0.45, 0.0, 0.04))

    def black(time_s):
        picture = _look(spec, boxes, time_s)
        return {**picture, **{key: np.zeros_like(picture[key]) for key in ("depth.front", "image.front")}}

    with pytest.raises(SkillFailed, match="blind"):
        targets.locate("red cube", point, black(0.0))
    before = targets.locate("red cube", point, _look(spec, boxes, 0.5))
    assert np.array_equal(targets.locate("red cube", point, black(1.0)).surface, before.surface)


def test_what_is_in_doubt_must_be_seen(spec):
    targets, size = DepthTargets(spec), (0.04, 0.04, 0.04)
    point = _point(spec, (0.45, 0.0, 0.04))
    targets.locate("red cube", point, _look(spec, [Box((0.45, 0.0, 0.02), size, 0.2, RED)]))
    targets.doubt("red cube")
    half = _look(spec, [Box((0.45, 0.0, 0.02), (0.04, 0.015, 0.04), 0.2, RED)], 0.5)
    with pytest.raises(SkillFailed, match="not in sight"):
        targets.locate("red cube", point, half)
    again = targets.locate("red cube", point, _look(spec, [Box((0.47, 0.0, 0.02), size, 0.2, RED)], 1.0))
    assert again.surface[0] == pytest.approx(0.47, abs=0.003)


def test_noisy_depth_is_smoothed(spec):
    size, rng = (0.06, 0.035, 0.04), np.random.default_rng(0)
    picture = _look(spec, [Box((0.5, 0.1, 0.02), size, 0.5, RED)])
    picture["depth.front"] += rng.normal(0, 0.0015, picture["depth.front"].shape).astype(np.float32)
    found = DepthTargets(spec).locate("red brick", _point(spec, (0.5, 0.1, 0.04)), picture)
    assert np.linalg.norm(found.surface - [0.5, 0.1, 0.04]) < 0.003
    assert found.size == pytest.approx(size, abs=0.006)


@pytest.mark.parametrize("seed", range(4))
def test_a_brick_is_a_brick_in_noisy_depth_wherever_on_it_one_points(spec, seed):
    rng, brick = np.random.default_rng(seed), Box((0.24, -0.28, 0.019), (0.074, 0.044, 0.038), -1.5, BLUE)
    observation = _look(spec, [brick])
    observation["depth.front"] += rng.normal(0, 0.0011, observation["depth.front"].shape).astype(np.float32)
    for along, across in rng.uniform(-0.014, 0.014, (25, 2)):
        point = _point(spec, (0.24 + across, -0.28 + along, 0.038))
        found = DepthTargets(spec).locate("blue brick", point, observation)
        assert found.size == pytest.approx([0.074, 0.044, 0.038], abs=0.006)


def test_words_that_name_a_shape_do_not_mean_another(spec):
    brick = Box((0.45, 0.0, 0.02), (0.068, 0.04, 0.04), 0.0, RED)
    cube = Box((0.55, 0.2, 0.02), (0.04, 0.04, 0.04), 0.3, RED)
    targets = DepthTargets(spec)
    targets.locate("red brick", _point(spec, (0.45, 0.0, 0.04)), _look(spec, [brick, cube]))
    targets.doubt("red brick")
    with pytest.raises(SkillFailed, match="not"):  # the cube is red too, and no brick
        targets.locate("red brick", _point(spec, (0.45, 0.0, 0.04)), _look(spec, [cube], 1.0))


def test_a_button_of_the_same_colour_is_no_cube(spec):
    cube = Box((0.45, 0.0, 0.02), (0.04, 0.04, 0.04), 0.2, RED)
    console = Box((0.55, 0.2, 0.02), (0.08, 0.08, 0.04), 0.0, BLUE)
    button = [console, Box((0.55, 0.2, 0.045), (0.03, 0.03, 0.01), 0.0, RED)]
    targets, arm, point = DepthTargets(spec), Arm(spec), _point(spec, (0.45, 0.0, 0.04))
    targets.locate("red cube", point, _look(spec, [cube, *button]))
    eye = spec.camera("front").T_mount_camera[:3, 3]
    between = eye + (np.array([0.45, 0.0, 0.04]) - eye) * 0.8
    q = arm.reach(top_down(between - [0.0, 0.0, 0.0694], np.pi / 2), spec.home)
    palm = Box(tuple(between), (0.2, 0.062, 0.052), 0.0, GREY)
    hidden = targets.locate("red cube", point, _look(spec, [cube, *button, palm], 4.0, q))
    assert np.linalg.norm(hidden.surface - [0.45, 0.0, 0.04]) < 0.003  # behind the arm, where it was
