"""Windows show what they say: the table from above, turned as the tool is, whatever camera looks."""

import numpy as np
import pytest

from tandem.bridge.contract import CameraPoint, InvalidOption, UnknownName
from tandem.policies.learned import senses
from tandem.policies.learned.eyes import GREY, About, Eyes, Window
from tandem.policies.learned.layouts import pose_of, rotate
from tandem.policies.motion.kinematics import Arm


@pytest.fixture
def spec(spec_of):
    return spec_of("panda")


def pixel(camera, T_base_camera, point):
    x, y, z = np.linalg.inv(T_base_camera)[:3] @ np.append(point, 1.0)
    return camera.intrinsics[:2] @ np.array([x / z, y / z, 1.0])


def spotted(camera, at):
    """A black picture with a white spot."""
    picture = np.zeros((camera.height, camera.width, 3), np.uint8)
    u, v = np.round(at).astype(int)
    picture[v - 1 : v + 2, u - 1 : u + 2] = 255
    return picture


@pytest.mark.parametrize("turn", [0.0, 0.7, -2.0])
@pytest.mark.parametrize(("name", "about"), [("front", About.POINT), ("wrist", About.TOOL)])
def test_a_step_in_a_window_is_a_step_of_the_tool(name, about, turn, spec):
    arm = Arm(spec)
    q = spec.home.copy()
    q[-1] = np.clip(q[-1] + turn, arm.low[-1], arm.high[-1])
    tool = pose_of(arm, q)
    eyes = Eyes(spec, arm, [Window(name, about, 61, 61, 0.003)])
    aim = np.array([0.45, 0.05, senses.PLANE_M])
    centre = aim if about is About.POINT else tool[:3]
    ahead = np.array([0.03, -0.024])  # along the tool's x and y
    spot = centre + rotate(tool[3:], np.append(ahead, 0.0))
    spot[2] = senses.PLANE_M
    camera = spec.camera(name)
    picture = spotted(camera, pixel(camera, eyes.pose(name, q), spot))
    (seen,) = eyes.see({name: picture}, q, tool, aim)
    rows, columns = np.nonzero(seen[..., 0] > 40)
    assert len(rows)
    assert np.allclose([columns.mean() - 30, rows.mean() - 30], ahead / 0.003, atol=1.5)


def test_a_point_is_where_its_ray_meets_the_table(spec):
    camera = spec.camera("front")
    place = np.array([0.5, -0.1, senses.PLANE_M])
    u, v = pixel(camera, camera.T_mount_camera, place)
    assert np.allclose(senses.on_plane(CameraPoint("front", u, v), camera, camera.T_mount_camera), place)
    up = camera.T_mount_camera.copy()
    up[:3, :3] = up[:3, :3] @ np.diag([1.0, -1.0, -1.0])
    assert np.isnan(senses.on_plane(CameraPoint("front", u, v), camera, up)).all()


def test_without_a_point_its_window_is_grey_and_the_numbers_say_so(spec, seen):
    arm = Arm(spec)
    q, opening, tool = senses.proprioception(seen(spec, arm))
    eyes = Eyes(spec, arm, [Window("front", About.POINT, 16, 16, margin=4)])
    picture = seen(spec, arm)["image.front"]
    (window,) = eyes.see({"front": picture}, q, tool, senses.NOWHERE)
    assert (window == GREY).all()
    (wide,) = eyes.see({"front": picture}, q, tool, tool[:3], margins=True)
    (narrow,) = eyes.see({"front": picture}, q, tool, tool[:3])
    assert np.abs(wide[4:-4, 4:-4].astype(int) - narrow).max() <= 1
    without = senses.state(q, np.float64(opening), tool, senses.NOWHERE)
    with_one = senses.state(q, np.float64(opening), tool, np.array([0.5, 0.0, 0.02]))
    assert np.isfinite(without).all()
    assert (without[-7], with_one[-7]) == (0.0, 1.0)
    assert np.allclose(with_one[-6:-3], [0.1, 0.0, tool[2] - 0.02], atol=1e-3)  # x ahead, and down


def test_what_makes_no_sense_is_refused(spec):
    with pytest.raises(InvalidOption):
        Window("front", About.ALL, 4, 4)
    with pytest.raises(ValueError, match="nothing"):
        Window("front", "nothing", 16, 16)
    with pytest.raises(UnknownName):
        Eyes(spec, Arm(spec), [Window("side", About.ALL, 16, 16)])
