"""Declared intrinsics and mountings against what the pictures show, and pictures made only when somebody looks."""

from threading import Event, Thread

import mujoco
import numpy as np
import pytest

from tandem.bridge.contract import InvalidSpec, StaleObservation, UnknownName
from tandem.bridge.contract.observation import layout, validate
from tandem.sim.cameras import CameraRequest, Renderer

LARGE = (CameraRequest("front", 640, 480, depth=True), CameraRequest("wrist", 320, 240, depth=True))
CORNERS = np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 1])).T.reshape(-1, 3)


@pytest.fixture
def posed(make_simulation):
    """A world whose block lies in front of both cameras, the arm tilted so that no view is along an axis."""
    simulation = make_simulation(cameras=LARGE)
    simulation.reset(seed=2, options={"difficulty": 0.0, "instruction": "put the red cube in the blue bin"})
    action = np.append(simulation.spec.home, 1.0)
    action[[0, 3, 5]] += [0.35, -0.1, -0.15]
    for _ in range(30):
        simulation.step(action)
    world = simulation.world
    joint = world.data.joint(simulation.truth().entity("red cube").joint)
    below = world.measured()["tool_pose"][:2] + [0.05, 0.03]
    joint.qpos[:2], joint.qpos[3:], joint.qvel[:] = below, [np.cos(0.3), 0, 0, np.sin(0.3)], 0
    world.restore(world.state())
    observation, *_ = simulation.step(action)
    return simulation, observation


def camera_pose(simulation, name):
    """T_base_camera (4, 4) from the specification and where its mount is."""
    camera, pose = simulation.spec.camera(name), np.eye(4)
    if camera.mount != "base":
        mount = simulation.world.data.body(camera.mount)
        pose[:3, :3], pose[:3, 3] = mount.xmat.reshape(3, 3), mount.xpos
    return pose @ camera.T_mount_camera


def cube(simulation):
    """Geom id, half size (3,), position (3,) and rotation (3, 3) of the red cube."""
    model, data = simulation.world.model, simulation.world.data
    geom = model.geom("red_cube_geom").id
    return geom, model.geom_size[geom], data.geom_xpos[geom], data.geom_xmat[geom].reshape(3, 3)


def mask_of(simulation, name):
    camera, renderer = simulation.spec.camera(name), Renderer(simulation.world.model)
    shown = renderer.segmentation(simulation.world.data, name, camera.width, camera.height)
    renderer.close()
    return shown == cube(simulation)[0]


@pytest.mark.parametrize("name", ["front", "wrist"])
def test_projected_corners_frame_what_the_camera_shows(posed, name):
    simulation, _ = posed
    _, half, position, rotation = cube(simulation)
    into = np.linalg.inv(camera_pose(simulation, name))
    seen = (position + (CORNERS * half) @ rotation.T) @ into[:3, :3].T + into[:3, 3]
    u, v = (seen @ simulation.spec.camera(name).intrinsics.T / seen[:, 2:])[:, :2].T
    rows, columns = np.nonzero(mask_of(simulation, name))
    assert len(rows) > 150, "the cube must be in sight"
    found = np.array([[columns.min(), columns.max() + 1], [rows.min(), rows.max() + 1]])
    off = found - [[u.min(), u.max()], [v.min(), v.max()]]
    assert np.abs(off).max() < 1.0
    assert np.abs(off.mean(axis=1)).max() < 0.6, "the middle must not be shifted"


@pytest.mark.parametrize("name", ["front", "wrist"])
def test_depth_lifted_through_the_intrinsics_is_the_surface(posed, name):
    simulation, observation = posed
    _, half, position, rotation = cube(simulation)
    rows, columns = np.nonzero(mask_of(simulation, name))
    rays = np.linalg.inv(simulation.spec.camera(name).intrinsics) @ [columns + 0.5, rows + 0.5, np.ones(len(rows))]
    pose = camera_pose(simulation, name)
    points = pose[:3, :3] @ (rays * observation[f"depth.{name}"][rows, columns]) + pose[:3, 3:]
    local = np.abs(rotation.T @ (points - position[:, None])) - half[:, None]  # signed distances to the faces
    off = np.abs(np.max(local, axis=0))
    assert np.max(off) < 0.002
    assert np.median(off) < 0.0003


def test_the_wrist_camera_rides_on_the_hand_and_the_front_camera_stands(posed):
    simulation, _ = posed
    before = {name: camera_pose(simulation, name) for name in ("front", "wrist")}
    simulation.step(np.append(simulation.spec.home, 1.0))
    assert np.array_equal(before["front"], camera_pose(simulation, "front"))
    assert not np.allclose(before["wrist"], camera_pose(simulation, "wrist"))


def test_truth_and_specification_project_alike(posed):
    simulation, _ = posed
    for name in ("front", "wrist"):
        point = simulation.truth().target("red cube").surface
        camera, into = simulation.spec.camera(name), np.linalg.inv(camera_pose(simulation, name))
        u, v, w = camera.intrinsics @ (into[:3, :3] @ point + into[:3, 3])
        assert np.allclose(simulation.truth().project(point, name), [u / w, v / w], atol=1e-6)


def test_depth_is_zero_where_there_is_nothing(make_simulation):
    simulation = make_simulation(cameras=[CameraRequest("spectator", 64, 48, depth=True)])
    simulation.reset(seed=0)
    world = simulation.world
    world.model.cam_quat[world.model.camera("spectator").id] = [0, 1, 0, 0]  # up, at nothing
    world.restore(world.state())
    assert not simulation.restore(simulation.state())["depth.spectator"].any()


@pytest.mark.parametrize("robot", ["panda", "ur5e", "so101"])
def test_observations_satisfy_the_contract_with_images(make_simulation, robot):
    simulation = make_simulation(robot=robot)
    observation, _ = simulation.reset(seed=1)
    validate(observation, simulation.spec, images=True)
    assert set(observation) == set(layout(simulation.spec))
    observation, *_ = simulation.step(np.append(simulation.spec.home, 0.3))
    validate(observation, simulation.spec, images=True)


def test_images_are_rendered_only_when_read_and_once(make_simulation, monkeypatch):
    calls, real = [], mujoco.mjr_render
    monkeypatch.setattr(mujoco, "mjr_render", lambda *args: (calls.append(1), real(*args))[1])
    simulation = make_simulation()
    observation, _ = simulation.reset(seed=1)
    for _ in range(5):
        observation, *_ = simulation.step(np.append(simulation.spec.home, 0.3))
    assert not calls
    for key in ("image.front", "depth.front", "image.front"):
        assert observation[key] is not None
    assert len(calls) == 1
    assert observation.read == ["image.front", "depth.front"]


def test_an_image_that_was_not_read_in_time_is_refused(make_simulation):
    simulation = make_simulation()
    first, _ = simulation.reset(seed=1)
    kept = first["image.front"].copy()
    simulation.step(np.append(simulation.spec.home, 0.3))
    assert np.array_equal(first["image.front"], kept)
    with pytest.raises(StaleObservation, match="wrist"):
        first["image.wrist"]
    stepped, *_ = simulation.step(np.append(simulation.spec.home, 0.3))
    simulation.reset(seed=1)
    with pytest.raises(StaleObservation):
        stepped["depth.front"]


def test_an_unknown_camera_is_refused_with_those_that_exist(make_simulation):
    with pytest.raises(UnknownName, match="front, spectator, wrist"):
        make_simulation(cameras=[CameraRequest("ceiling", 64, 48)])
    with pytest.raises(InvalidSpec):
        make_simulation(cameras=[CameraRequest("front", 0, 48)])
    with pytest.raises(InvalidSpec, match="differ"):
        make_simulation(cameras=[CameraRequest("front", 8, 8), CameraRequest("front", 9, 9)])


def test_every_thread_sees_the_same_and_closing_harms_nobody(make_simulation):
    """A frame buffer belongs to the context of a thread: another one would draw into its own, and free its own."""
    mine, other, seen = make_simulation(), make_simulation(), {}
    expected = {key: picture.copy() for key, picture in mine.reset(seed=4)[0].items() if "." in key}
    drawn, closed = Event(), Event()

    def elsewhere():
        other.reset(seed=3)[0]["image.front"]
        seen.update(mine.look().items())
        drawn.set()
        closed.wait()
        other.reset(seed=4)
        seen["after"] = other.look()["image.front"]

    thread = Thread(target=elsewhere)
    thread.start()
    drawn.wait()
    other.close()
    for key, picture in expected.items():
        assert np.array_equal(seen[key], picture), key
        assert np.array_equal(mine.look()[key], picture), key
    closed.set()
    thread.join()
    assert np.array_equal(seen["after"], expected["image.front"])
