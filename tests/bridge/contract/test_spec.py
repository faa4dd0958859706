"""A specification is checked when it is made, survives the wire, and says where it differs from another."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.bridge.conformance import dummy_spec
from tandem.bridge.contract import BodySpec, CameraSpec, GripperSpec, InvalidSpec, TandemError, UnknownName

SPEC = dummy_spec()


def changed(**fields):
    return dataclasses.replace(SPEC, **fields)


def camera(**fields):
    return dataclasses.replace(SPEC.cameras[0], **fields)


def wider(element, by):
    """The action's layout with one upper bound raised."""
    high = SPEC.action.high.copy()
    high[element] += by
    return dataclasses.replace(SPEC.action, high=high)


MIRRORED = np.diag([1.0, 1.0, -1.0, 1.0])
BAD_SPECS = {
    "no joints": {"joint_names": ()}, "two of a name": {"joint_names": ("a", "a", "b")},
    "too few limits": {"velocity_limit": [1.0, 1.0]}, "no motion": {"velocity_limit": [0.5, 0.0, 0.5]},
    "negative": {"jerk_limit": [1.0, -1.0, 1.0]}, "nan": {"acceleration_limit": [1.0, np.nan, 1.0]},
    "empty range": {"position_low": [0.9, -0.4, 0.0]}, "home outside": {"home": [0.4, 0.0, 9.0]},
    "words": {"home": ["a", "b", "c"]}, "rate": {"control_hz": 0.0}, "rate nan": {"control_hz": float("nan")},
    "two cameras of a name": {"cameras": SPEC.cameras * 2},
    "commands beyond a joint": {"action": wider(0, 0.1)}, "commands beyond the gripper": {"action": wider(-1, 0.1)},
}


@pytest.mark.parametrize("fields", BAD_SPECS.values(), ids=BAD_SPECS)
def test_a_contradiction_is_refused_at_construction(fields):
    with pytest.raises(InvalidSpec):
        changed(**fields)


@pytest.mark.parametrize("fields", [
    {"width": 0}, {"height": -1}, {"intrinsics": np.eye(2)}, {"T_mount_camera": MIRRORED},
    {"T_mount_camera": 2 * np.eye(4)}, {"T_mount_camera": np.full((4, 4), np.inf)},
], ids=lambda fields: next(iter(fields)))
def test_a_camera_that_cannot_be_is_refused(fields):
    with pytest.raises(InvalidSpec, match="front"):
        camera(**fields)


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(GripperSpec)])
@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_a_gripper_has_positive_sizes(field, value):
    with pytest.raises(InvalidSpec, match=field):
        dataclasses.replace(SPEC.gripper, **{field: value})


def test_it_survives_the_wire_bit_for_bit():
    again = BodySpec.from_dict(json.loads(json.dumps(SPEC.to_dict())))
    assert again.differences(SPEC) == []
    assert again.digest() == SPEC.digest()
    assert np.array_equal(again.cameras[0].intrinsics, SPEC.cameras[0].intrinsics)
    without = changed(gripper=None, cameras=())
    assert BodySpec.from_dict(without.to_dict()).differences(without) == []


@given(st.floats(1e-3, 1e3), st.lists(st.floats(1e-6, 1e6), min_size=3, max_size=3))
def test_any_numbers_survive_the_wire(control_hz, limits):
    spec = changed(control_hz=control_hz, velocity_limit=limits, jerk_limit=limits)
    assert BodySpec.from_dict(json.loads(json.dumps(spec.to_dict()))).digest() == spec.digest()


@pytest.mark.parametrize("damage", [
    lambda fields: fields.pop("home"), lambda fields: fields.update(colour="red"),
    lambda fields: fields.update(cameras=[{"name": "front"}]), lambda fields: fields["action"].pop("kind"),
    lambda fields: fields.update(gripper={"max_width_m": 0.1}), lambda fields: fields.update(home="home"),
])
def test_a_damaged_specification_is_refused(damage):
    fields = SPEC.to_dict()
    damage(fields)
    with pytest.raises(InvalidSpec):
        BodySpec.from_dict(fields)


@pytest.mark.parametrize("fields", [None, 3, "spec", ["robot"], {}], ids=str)
def test_what_is_no_specification_at_all_is_refused(fields):
    with pytest.raises(InvalidSpec):
        BodySpec.from_dict(fields)


@pytest.mark.parametrize("fields", [{"robot": "other"}, {"control_hz": 50.0}, {"home": [0.5, 0, 0.3]}], ids=str)
def test_differences_name_the_field_and_both_values(fields):
    (name,) = fields
    (line,) = SPEC.differences(changed(**fields))
    assert line.startswith(f"{name}: ")
    assert "here" in line
    assert "there" in line
    assert changed(**fields).digest() != SPEC.digest()


def test_what_another_processor_rounds_otherwise_is_no_difference():
    (camera,) = SPEC.cameras
    pose = camera.T_mount_camera.copy()
    pose[:3] = np.nextafter(pose[:3], 2)
    assert not np.array_equal(pose, camera.T_mount_camera)
    assert SPEC.differences(changed(cameras=(dataclasses.replace(camera, T_mount_camera=pose),))) == []
    pose = camera.T_mount_camera + np.array([[0, 0, 0, 1e-6]] * 3 + [[0, 0, 0, 0]])
    (line,) = SPEC.differences(changed(cameras=(dataclasses.replace(camera, T_mount_camera=pose),)))
    assert line.startswith("cameras: ")


def test_a_long_difference_is_cut_short():
    (line,) = SPEC.differences(changed(kinematics="<mujoco>" + " " * 5000))
    assert len(line) < 250


def test_its_arrays_cannot_be_changed_and_are_copies():
    home = np.array([0.4, 0.0, 0.3])
    spec = changed(home=home)
    home[:] = 0.0
    assert spec.home[0] == 0.4
    for array in (spec.home, spec.action.low, spec.cameras[0].intrinsics, spec.cameras[0].T_mount_camera):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        spec.robot = "other"


def test_a_camera_is_found_by_name_or_refused_with_a_hint():
    assert isinstance(SPEC.camera("front"), CameraSpec)
    with pytest.raises(UnknownName, match="Did you mean 'front'") as caught:
        SPEC.camera("frnot")
    assert caught.value.known == ("front",)
    assert isinstance(caught.value, TandemError)


def test_what_follows_from_it():
    assert (SPEC.dof, SPEC.dt_s) == (3, 0.05)


def test_a_stop_behaviour_that_there_is_not_is_told_with_those_that_there_are():
    with pytest.raises(InvalidSpec, match="'freeze'; there are hold, decelerate_hold"):
        BodySpec.from_dict({**dummy_spec().to_dict(), "stop": "freeze"})
