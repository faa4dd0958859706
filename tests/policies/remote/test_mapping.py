"""What is called what: presets there and back, order and units, resampling, and everything that does not fit."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tandem.bridge.contract import (
    ActionKind,
    InvalidAction,
    InvalidObservation,
    InvalidOption,
    SpecMismatch,
    Subgoal,
    UnknownName,
)
from tandem.policies.remote import (
    PRESETS,
    CameraKey,
    KeyMap,
    Part,
    Slot,
    Told,
    VectorKey,
    gr00t_form,
    is_remote,
    key_map,
    paths,
)
from tandem.policies.remote.actions import from_body, resampled, to_body
from tandem.policies.remote.parts import axis_angle
from tandem.policies.remote.pictures import padded, resize_with_pad
from tandem.policies.remote.question import ask, observe

PICK = Subgoal("pick", {"object": "red cube"})
JOINT_MAPS = ("tandem", "gr00t", "droid", "aloha")
PLAIN = {"cameras": (), "state": (), "prompt": "prompt"}


def action_map(*slots, **options):
    return KeyMap("test", action=(VectorKey("actions", slots),), **(PLAIN | options))


@pytest.mark.parametrize("name", JOINT_MAPS)
def test_a_question_is_read_as_it_was_written(name, spec, observation):
    keymap = key_map(name, spec)
    sizes = {key.ours: key.size for key in keymap.cameras if key.size}
    there = replace(spec, cameras=tuple(padded(c, *sizes[c.name]) if c.name in sizes else c for c in spec.cameras))
    question = ask(keymap, spec, observation, PICK)
    forms = [paths.unpack(paths.pack(question, keymap), keymap)]
    if name in ("tandem", "gr00t"):
        forms += [gr00t_form.unpack(gr00t_form.pack(question, keymap, flat=flat), keymap) for flat in (False, True)]
    for form in forms:
        assert form.words == "pick up the red cube"
        again = observe(keymap, there, form, 7.0, lambda q: observation["tool_pose"])
        for key in ("joint_position", "gripper_opening", "tool_pose", "joint_velocity"):
            assert np.allclose(again[key], observation[key], atol=1e-6), key
        assert again["time"] == (0.0 if name == "tandem" else 7.0)
        if name in ("tandem", "gr00t"):
            assert np.array_equal(again["image.front"], observation["image.front"])


def test_tandems_own_map_loses_nothing(spec, observation):
    keymap = key_map("tandem", spec)
    again = observe(keymap, spec, ask(keymap, spec, observation, PICK), 7.0, lambda q: None)
    assert again.keys() == observation.keys()
    for key in again:
        assert np.array_equal(again[key], observation[key])
        assert again[key].dtype == observation[key].dtype


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(JOINT_MAPS), st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_actions_survive_there_and_back(name, count, seed):
    from tandem.bridge.conformance import DummyBody, dummy_spec

    spec = dummy_spec()
    keymap = replace(key_map(name, spec), cameras=(), use=None, dt_s=None)
    observation, _ = DummyBody(spec).reset(seed=1)
    actions = np.random.default_rng(seed).uniform(spec.action.low, spec.action.high, (count, 4))
    answer = {key: array.astype("f4") for key, array in from_body(keymap, spec, actions, observation).items()}
    assert np.allclose(to_body(keymap, spec, answer, observation), actions, atol=1e-5)


def test_every_preset_is_printed_for_a_person(spec):
    for name in PRESETS:
        lines = key_map(name, spec).lines(spec)
        assert any("instruction ->" in line for line in lines)
        assert any("[1 closed]" in line or "[1 open]" in line or "-1 open" in line for line in lines), name


def test_order_and_unit_of_joints(spec, observation):
    names = tuple(reversed(spec.joint_names))
    degrees = Slot(Part.JOINTS, 180 / np.pi)
    keymap = action_map(degrees, Slot(Part.CLOSED), state=(VectorKey("state", (degrees,)),), joints=names)
    here = observation["joint_position"]
    sent = ask(keymap, spec, observation, PICK).vectors["state"]
    assert np.allclose(sent, np.rad2deg(here[::-1]), atol=1e-4)
    chunk = to_body(keymap, spec, {"actions": np.append(sent, 0.25)[None]}, observation)
    assert np.allclose(chunk, [*here, 0.75], atol=1e-6)


def test_relative_actions(spec, observation):
    here, steps = observation["joint_position"], np.array([[0.01, 0, 0], [0.01, 0, 0]])
    rows = {"actions": np.column_stack((steps, [1.0, -1.0]))}
    offsets = to_body(action_map(Slot(Part.JOINT_OFFSETS), Slot(Part.CLOSE_SIGN)), spec, rows, observation)
    added = to_body(action_map(Slot(Part.JOINT_STEPS), Slot(Part.CLOSE_SIGN)), spec, rows, observation)
    assert np.allclose(offsets[:, 0], here[0] + [0.01, 0.01])
    assert np.allclose(added[:, 0], here[0] + [0.01, 0.02])
    assert np.allclose(added[:, 3], [0.0, 1.0])


def test_another_rate_is_put_on_the_bodys_control_steps():
    start, actions = np.zeros(1), np.array([[1.0], [2.0], [3.0]])
    assert np.allclose(resampled(actions, start, 0.1, 0.05)[:, 0], [0.5, 1, 1.5, 2, 2.5, 3])
    assert np.allclose(resampled(actions, start, 1 / 15, 1 / 20)[:, 0], [0.75, 1.5, 2.25, 3.0])
    assert np.allclose(resampled(actions[:1], start, 0.02, 0.05)[:, 0], [1.0])
    assert resampled(actions, start, None, 0.05) is actions


def test_only_so_many_actions_are_carried_out(spec, observation):
    keymap = action_map(Slot(Part.JOINTS), Slot(Part.OPENING), use=2)
    rows = np.tile(np.append(observation["joint_position"], 1.0), (10, 1))
    assert len(to_body(keymap, spec, {"actions": rows}, observation)) == 2


@pytest.mark.parametrize("answer", [
    {}, {"action": np.zeros((2, 4))}, {"actions": np.zeros((2, 5))}, {"actions": np.zeros(4)},
    {"actions": np.zeros((0, 4))}, {"actions": np.zeros((1, 2, 4))}, {"actions": [[0.0] * 4]},
    {"actions": np.zeros((2, 4), bool)}, {"actions": "none"}, {"actions": np.zeros((5000, 4))},
])
def test_an_answer_of_another_shape_moves_nothing(answer, spec, observation):
    with pytest.raises(SpecMismatch):
        to_body(action_map(Slot(Part.JOINTS), Slot(Part.OPENING)), spec, answer, observation)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 90.0])
def test_numbers_that_cannot_be_meant_move_nothing(value, spec, observation):
    rows = np.tile(np.append(observation["joint_position"], 1.0), (3, 1))
    rows[1, 1] = value
    with pytest.raises(InvalidAction):
        to_body(action_map(Slot(Part.JOINTS), Slot(Part.OPENING)), spec, {"actions": rows}, observation)


@pytest.mark.parametrize("slots", [
    (Slot(Part.JOINT_STEPS, 0.2), Slot(Part.OPENING)), (Slot(Part.JOINTS), Slot(Part.OPENING)),
    (Slot(Part.TOOL_STEPS), Slot(Part.CLOSE_SIGN)),
], ids=["steps", "gripper", "tool"])
@pytest.mark.parametrize("value", [1e10, 1.7e308])
def test_numbers_that_are_finite_and_out_of_all_measure_move_nothing(slots, value, spec_of):
    from tandem.policies.motion.kinematics import Arm

    panda = spec_of("panda")
    observation = {"joint_position": panda.home, "gripper_opening": np.ones(1),
                   "tool_pose": np.array([0.4, 0, 0.3, 0, 1, 0, 0])}
    rows = np.zeros((3, sum(slot.size(panda) for slot in slots)))
    rows[:2, -1 if slots[0].part is Part.JOINTS else 0] = value, -value  # their sum, or what is between them, is none
    with pytest.raises(InvalidAction, match="is the unit right"):
        to_body(replace(action_map(*slots), dt_s=1 / 15), panda, {"actions": rows}, observation, Arm(panda))


def test_a_little_beyond_the_range_is_clipped(spec, observation):
    row = np.append(spec.position_high + 0.01, 1.3)[None]
    chunk = to_body(action_map(Slot(Part.JOINTS), Slot(Part.OPENING)), spec, {"actions": row}, observation)
    assert np.array_equal(chunk[0], spec.action.high)


def test_steps_of_the_tool_are_followed_by_the_joints(spec_of):
    from tandem.policies.motion.kinematics import Arm

    panda = spec_of("panda")
    arm, keymap = Arm(panda), key_map("libero", panda)
    pose = arm.fk(panda.home)
    tool_pose = np.append(pose[:3, 3], [0, 1, 0, 0])
    observation = {"joint_position": panda.home, "gripper_opening": np.ones(1), "tool_pose": tool_pose}
    steps = np.tile([0.2, 0, -0.2, 0, 0, 0, 1.0], (5, 1))
    chunk = to_body(keymap, panda, {"actions": steps}, observation, arm)
    moved = arm.fk(chunk[-1, :-1])
    assert np.allclose(moved[:3, 3] - pose[:3, 3], [0.05, 0, -0.05], atol=2e-3)
    assert np.allclose(moved[:3, :3], pose[:3, :3], atol=2e-2)
    assert np.allclose(chunk[:, -1], 0.0)


def test_axis_and_angle():
    assert np.allclose(axis_angle(np.array([np.cos(0.3), 0, np.sin(0.3), 0])), [0, 0.6, 0])
    assert np.allclose(axis_angle(-np.array([np.cos(0.3), 0, np.sin(0.3), 0])), [0, 0.6, 0])
    assert np.allclose(axis_angle(np.array([1.0, 0, 0, 0])), 0)


def custom(spec):
    return replace(spec, action=replace(spec.action, kind=ActionKind.CUSTOM))


@pytest.mark.parametrize("make, words", [
    (lambda s: (key_map("tandem", s), replace(s, cameras=s.cameras[:1]), Told()), "camera 'wrist'"),
    (lambda s: (key_map("tandem", s), replace(s, gripper=None), Told()), "gripper"),
    (lambda s: (key_map("tandem", s), custom(s), Told()), "action of"),
    (lambda s: (replace(key_map("tandem", s), joints=("a", "b", "c")), s, Told()), "joints of map"),
    (lambda s: (key_map("gr00t", s), s, Told(pictures=frozenset({"ego_view"}))), "keys of pictures"),
    (lambda s: (key_map("gr00t", s), s, Told(state=frozenset({"single_arm"}))), "keys of state"),
    (lambda s: (key_map("gr00t", s), s, Told(action=frozenset({"left_arm", "gripper"}))), "keys of action"),
    (lambda s: (key_map("gr00t", s), s, Told(words=frozenset({"task"}))), "keys of words"),
    (lambda s: (key_map("tandem", s), s, Told(tandem={"robot": "dummy", "joints": ["slide_x", "yaw"]})),
     r"joints: \['slide_y', 'slide_z'\] here, \['yaw'\] there"),
    (lambda s: (key_map("tandem", s), s, Told(tandem={"robot": "ur5e"})), "robot: dummy here, ur5e there"),
])
def test_what_does_not_fit_is_named_before_anything_moves(make, words, spec):
    keymap, body, told = make(spec)
    with pytest.raises(SpecMismatch, match=words):
        keymap.require(body, told)


def test_a_server_that_wants_history_is_told_apart(spec):
    config = {"delta_indices": [-1, 0], "modality_keys": ["front", "wrist"]}
    told, flat = gr00t_form.told({"video": config}, None)
    assert not flat
    with pytest.raises(SpecMismatch, match="steps -1 to 0"):
        key_map("gr00t", spec).require(spec, told)


@pytest.mark.parametrize("slots", [(), (Slot(Part.JOINTS),), (Slot(Part.JOINTS), Slot(Part.JOINT_STEPS)),
                                   (Slot(Part.JOINTS), Slot(Part.OPENING), Slot(Part.TIME))])
def test_an_action_is_joints_and_gripper(slots):
    with pytest.raises(InvalidOption):
        action_map(*slots)


FILE = """
prompt = "task"
dt_s = 0.1
joints = ["slide_z", "slide_y", "slide_x"]
cameras = [{ ours = "front", theirs = "images.top", size = [64, 64], channels_first = true }]
state = [{ theirs = "state", slots = [["joint_position", 57.29578], "gripper_closed"] }]
action = [{ theirs = "actions", slots = ["joint_offsets", "close_sign"] }]
"""


def test_a_map_of_ones_own(tmp_path, spec, observation):
    path = tmp_path / "mine.toml"
    path.write_text(FILE)
    keymap = key_map(str(path), spec)
    assert keymap.name == "mine"
    assert keymap.cameras == (CameraKey("front", "images.top", (64, 64), True),)
    packed = paths.pack(ask(keymap, spec, observation, PICK), keymap)
    assert packed["images"]["top"].shape == (3, 64, 64)
    assert packed["state"].shape == (4,)
    assert packed["task"] == "pick up the red cube"


@pytest.mark.parametrize("text", [
    "", "prompt = 3 4", FILE.replace("joint_offsets", "joint_wishes"), FILE + "\nspeed = 3",
    FILE.replace("theirs = \"state\", ", ""), FILE.replace("dt_s = 0.1", "dt_s = -1"),
    *(FILE.replace("57.29578", scale) for scale in ("0", "nan", "inf", '["a"]')),
    *(FILE.replace("[64, 64]", size) for size in ("[64]", "[64, 0]", "[64.5, 64]", '["a", 64]')),
    *(f"{line}\n{FILE}" for line in (
        "use = 2.5", "beyond_rad = nan", 'beyond_rad = "a"', 'dtype = "<i4"', 'dtype = "<f9"', 'dtype = "<U5"')),
])
def test_a_map_that_says_what_no_map_says(text, tmp_path, spec):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(InvalidOption):
        key_map(str(path), spec)


def test_scales_for_another_number_of_joints_are_refused_before_anything_moves(spec):
    keymap = action_map(Slot(Part.JOINTS, (1.0, 2.0)), Slot(Part.OPENING))
    with pytest.raises(SpecMismatch, match="scales of joint_position: 2"):
        keymap.require(spec, Told())


def test_maps_that_are_not_there(tmp_path, spec):
    with pytest.raises(UnknownName, match="droid"):
        key_map("driod", spec)
    with pytest.raises(InvalidOption, match="cannot be read"):
        key_map(str(tmp_path / "none.toml"), spec)


@pytest.mark.parametrize("key, value, words", [
    ("joint_position", None, "lacks 'joint_position'"), ("image.front", None, "lacks 'image.front'"),
    ("joint_position", np.full(3, np.nan), "NaN"), ("image.front", np.zeros((24, 32, 3)), "not uint8"),
])
def test_an_observation_that_is_not_whole_is_not_sent(key, value, words, spec, observation):
    broken = {**observation, key: value}
    if value is None:
        del broken[key]
    with pytest.raises(InvalidObservation, match=words):
        ask(key_map("tandem", spec), spec, broken, PICK)


def test_pictures_keep_their_shape_in_a_black_frame():
    framed = resize_with_pad(np.full((100, 200, 3), 200, np.uint8), 64, 64)
    assert framed.shape == (64, 64, 3)
    assert (framed[16:48] == 200).all()
    assert not framed[:16].any()
    assert not framed[48:].any()
    assert resize_with_pad(np.full((20, 10, 3), 9, np.uint8), 40, 40)[:, 10:30].all()


def test_a_padded_cameras_intrinsics_are_those_of_its_pixels(spec):
    intrinsics = np.array([[600.0, 0, 320], [0, 600, 240], [0, 0, 1]])
    camera = replace(spec.cameras[0], width=640, height=480, intrinsics=intrinsics)
    small = padded(camera, 224, 224)
    assert np.allclose(small.intrinsics, [[210, 0, 112], [0, 210, 112], [0, 0, 1]])
    assert not small.depth


@pytest.mark.parametrize("words, good", [
    ("gr00t:tcp://127.0.0.1:5555", True), ("openpi:ws://host:8000#droid", True), ("motion", False),
    ("vla-eval:wss://h:1/path#libero", True), ("gr00t:ws://127.0.0.1:5555", False),
    ("openpi:tcp://127.0.0.1:5555", False), ("openpi:ws://host", False),
    ("openpi:ws://:8000", False), ("pi:ws://host:8000", False), ("gr00t:tcp://h:5555#", False),
])
def test_words_that_name_a_server(words, good):
    assert is_remote(words) is good
