"""Each disturbance does what it says, says what it did, and is drawn from the seed."""

import numpy as np
import pytest

from tandem.bridge.contract import EventKind, InvalidOption, UnknownName
from tandem.bridge.contract.observation import validate
from tandem.sim.cameras import CameraRequest
from tandem.sim.disturbances import DISTURBANCES, disturbance_named
from tandem.sim.disturbances.places import touches_other
from tandem.sim.scene import REFERENCE_REACH_M

STEPS = 140
CAMERAS = (CameraRequest("front", 64, 48, depth=True), CameraRequest("wrist", 32, 24, depth=True))


@pytest.fixture
def disturbed(make_simulation):
    """`disturbed(spec, seed)`: the simulation after reset, its first observation, and the list its events go to."""

    def make(spec, seed=3, **options):
        simulation = make_simulation(disturbances=[disturbance_named(spec)], **{"cameras": CAMERAS} | options)
        events = []
        simulation.on_event = events.append
        observation, _ = simulation.reset(seed=seed)
        return simulation, observation, events

    return make


def rest(simulation, opening=1.0):
    return np.append(simulation.spec.home, opening)


def run(simulation, steps=STEPS):
    return [simulation.step(rest(simulation))[0] for _ in range(steps)]


def places(simulation):
    truth = simulation.truth()
    return {name: truth.target(name).surface for name in truth.world.entities}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("robot", ["panda", "so101"])
def test_moved_shifts_one_goal_thing_to_a_free_place(disturbed, seed, robot):
    simulation, _, events = disturbed("moved", seed, robot=robot)
    before, truth = places(simulation), simulation.truth()
    goal = {subgoal.arguments.get("object") for subgoal in truth.remaining()}
    run(simulation)
    if robot == "so101" and not events:  # its table may be too full for another free place
        return
    (event,) = events
    after = places(simulation)
    shifted = {name: np.linalg.norm(after[name] - before[name]) for name in before}
    (name,) = [name for name, distance in shifted.items() if distance > 0.003]
    scale = simulation.robot.workspace.reach_max_m / REFERENCE_REACH_M
    assert name in goal
    assert 0.039 * scale < shifted[name] < 0.081 * scale
    assert simulation.robot.workspace.contains(*after[name][:2])
    assert not touches_other(truth, name)
    assert (event.kind, event.data["name"]) == (EventKind.DISTURBANCE, "moved")
    assert name in event.message
    assert 0.3 <= event.time_s < 2.7


def test_moved_leaves_alone_what_is_in_the_hand(disturbed):
    simulation, _, events = disturbed("moved:earliest_s=1.5,latest_s=1.5")
    thing = grasp(simulation)
    for _ in range(40):
        simulation.step(rest(simulation, 0.0))
    assert simulation.truth().held() == thing
    assert not events


@pytest.mark.parametrize("name", ["moved", "knocked"])
def test_what_the_gripper_touches_is_not_disturbed(disturbed, monkeypatch, name):
    simulation, _, events = disturbed(f"{name}:latest_s=2", cameras=())
    truth = simulation.truth()
    monkeypatch.setattr(truth, "touched", lambda: frozenset(truth.world.entities))
    run(simulation, 60)
    assert not events
    monkeypatch.undo()
    run(simulation, 20)
    assert len(events) == 1, "it strikes as soon as the gripper lets go"


def test_knocked_kicks_one_goal_thing_which_stays_within_reach(disturbed):
    toppled, distances = 0, []
    for seed in range(12):
        simulation, _, events = disturbed("knocked:latest_s=2", seed, cameras=())
        before = places(simulation)
        speeds = []
        for _ in range(100):
            simulation.step(rest(simulation))
            speeds.append(max(np.linalg.norm(simulation.truth().velocity(name)) for name in before))
        (event,) = events
        name = event.message.removeprefix("the ").partition(" was")[0]
        after = simulation.truth().target(name).surface
        distances.append(np.linalg.norm(after[:2] - before[name][:2]))
        toppled += abs(simulation.truth().pose(name)[1][2, 2]) < 0.5
        assert 0.3 < max(speeds) < 1.0
        assert speeds[-1] < 0.02, f"{name} must come to rest"
        assert simulation.robot.workspace.contains(*after[:2])
    assert 1 <= toppled < 12
    assert np.median(distances) > 0.01


def grasp(simulation):
    """Put a loose thing between the fingers and close them."""
    truth, world = simulation.truth(), simulation.world
    name = next(name for name, entity in truth.world.entities.items() if entity.loose)
    joint = world.data.joint(truth.entity(name).joint)
    tool = world.data.site(simulation.robot.tool_site)
    for _ in range(12):
        joint.qpos[:3], joint.qvel[:] = tool.xpos, 0
        yaw = np.arctan2(tool.xmat[4], tool.xmat[1])  # the closing direction
        joint.qpos[3:] = [np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)]
        world.restore(world.state())
        simulation.step(rest(simulation, 0.0))
    assert truth.held() == name
    return name


def test_slipped_drops_what_is_held_once(disturbed):
    simulation, _, events = disturbed("slipped:earliest_s=0.5,latest_s=0.6", cameras=())
    thing = grasp(simulation)
    opened = [simulation.step(rest(simulation, 0.0))[4]["command"][-1] for _ in range(30)]
    assert [event.message for event in events] == [f"the {thing} slips out of the gripper", "the fingers obey again"]
    assert sorted(opened) == [0.0] * 26 + [1.0] * 4, "the log shows the command that the fingers got"
    assert simulation.truth().held() is None
    assert simulation.truth().target(thing).surface[2] < 0.1
    grasp(simulation)
    for _ in range(40):
        simulation.step(rest(simulation, 0.0))
    assert simulation.truth().held() == thing, "it slips only once"
    assert len(events) == 2


def test_frozen_camera_repeats_one_picture_whoever_looked_before(disturbed, wander):
    pictures = {}
    for looked in (True, False):
        simulation, _, events = disturbed("frozen_camera:earliest_s=1,latest_s=1,lasting_s=2")
        shots, others = [], []
        for k, action in enumerate(wander(simulation, 80)):
            observation, *_ = simulation.step(action)
            if looked or k % 7 == 0:
                shots.append((k, observation["image.front"], observation["depth.front"]))
                others.append(observation["image.wrist"])
        frozen = [(rgb, depth) for k, rgb, depth in shots if 19 <= k < 59]
        live = [rgb for k, rgb, _ in shots if not 19 <= k < 59]
        assert all(np.array_equal(rgb, frozen[0][0]) and np.array_equal(depth, frozen[0][1]) for rgb, depth in frozen)
        assert sum(np.array_equal(rgb, frozen[0][0]) for rgb in live) <= 1
        assert not np.array_equal(others[4], others[6]), "the other camera goes on"
        assert [round(event.time_s, 3) for event in events] == [1.0, 3.0]
        assert [event.message for event in events] == ["the front camera is frozen", "the front camera is live again"]
        pictures[looked] = frozen[0][0]
    assert np.array_equal(pictures[True], pictures[False])


def test_black_camera_is_black_for_its_time(disturbed):
    simulation, _, events = disturbed("black_camera:earliest_s=1,latest_s=1,lasting_s=2")
    dark = []
    for _ in range(80):
        observation, *_ = simulation.step(rest(simulation))
        dark.append((not observation["image.front"].any(), not observation["depth.front"].any()))
        assert observation["image.wrist"].any()
    assert dark == [(19 <= k < 59,) * 2 for k in range(80)]
    assert [event.message for event in events] == ["the front camera has gone black", "the front camera sees again"]


def test_a_camera_that_the_body_lacks_cannot_be_troubled(disturbed):
    for name in ("frozen_camera", "black_camera", "camera_shift", "dropped_frames"):
        with pytest.raises(UnknownName, match="wrist"):
            disturbed(f"{name}:camera=back")


def test_noise_has_the_declared_size_and_passes_the_contract(disturbed, make_simulation):
    simulation, observation, events = disturbed("noise:tool_m=0.002")
    quiet = make_simulation(cameras=CAMERAS)
    clean, _ = quiet.reset(seed=3)
    errors, depth_errors = [], []
    for _ in range(120):
        validate(observation, simulation.spec, images=True)
        errors.append({key: observation[key] - clean[key] for key in ("joint_position", "tool_pose", "time")})
        depth_errors.append((observation["depth.front"] - clean["depth.front"]) / clean["depth.front"] ** 2)
        levels = np.abs(observation["image.front"].astype(int) - clean["image.front"])
        observation, clean = simulation.step(rest(simulation))[0], quiet.step(rest(quiet))[0]
    assert np.std([error["joint_position"] for error in errors]) == pytest.approx(0.001, rel=0.15)
    assert np.std([error["tool_pose"][:3] for error in errors]) == pytest.approx(0.002, rel=0.15)
    assert np.std(depth_errors) == pytest.approx(0.0015, rel=0.05)
    assert 1 < levels.mean() < 4
    assert not np.any([error["time"] for error in errors])
    assert [event.message for event in events] == ["measurements and pictures are noisy"]


def test_noise_depends_on_the_seed_and_the_time_but_not_on_who_looked(disturbed):
    simulation, first, _ = disturbed("noise")
    state, kept = simulation.state(), {key: np.array(first[key]) for key in first}
    simulation.step(rest(simulation))
    again = simulation.restore(state)
    assert all(np.array_equal(kept[key], again[key]) for key in reversed(list(kept)))
    _, other, _ = disturbed("noise", seed=4)
    assert not np.array_equal(other["joint_position"], kept["joint_position"])


def test_delayed_carries_out_the_actions_of_some_steps_ago(disturbed, wander):
    simulation, _, events = disturbed("delayed:steps=3", cameras=())
    actions = list(wander(simulation, 20))
    commands = [simulation.step(action)[4]["command"] for action in actions]
    assert np.allclose(commands[:3], rest(simulation), atol=1e-12)
    assert np.array_equal(commands[3:], actions[:-3])
    assert [event.message for event in events] == ["commands arrive 3 control steps late"]


def test_nudged_leads_the_arm_aside_and_lets_it_go_again(disturbed):
    simulation, _, _ = disturbed("nudged:pause_s=0.5,most_rad=0.05", cameras=())
    commands = np.array([simulation.step(rest(simulation))[4]["command"] for _ in range(200)])
    aside = np.abs(commands - rest(simulation))
    assert (aside[:, -1] == 0).all()
    assert 0.01 < aside.max() <= 0.05 + 1e-9
    assert np.abs(np.diff(commands, axis=0)).max() < 0.02
    assert 20 < (aside.max(1) == 0).sum() < 150
    assert (np.diff((aside.max(1) == 0).astype(int)) == 1).sum() >= 3


@pytest.mark.parametrize("name", DISTURBANCES)
def test_an_episode_begins_in_the_state_that_it_had_without(disturbed, make_simulation, name):
    simulation, _, _ = disturbed(name)
    quiet = make_simulation(cameras=CAMERAS)
    quiet.reset(seed=3)
    assert np.array_equal(simulation.state(), quiet.state())


def both(disturbed, make_simulation, spec):
    """Observations of a disturbed body and an undisturbed one, at the start and after some steps."""
    simulation, first, events = disturbed(spec)
    quiet = make_simulation(cameras=CAMERAS)
    clean, _ = quiet.reset(seed=3)
    yield {key: first[key] for key in first}, {key: clean[key] for key in clean}
    for _ in range(3):
        seen, clean = simulation.step(rest(simulation))[0], quiet.step(rest(quiet))[0]
        yield {key: seen[key] for key in seen}, {key: clean[key] for key in clean}
    assert np.array_equal(simulation.state(), quiet.state()), "physics goes on as it would have"
    assert len(events) == 1


def test_a_shifted_camera_sees_another_picture_and_says_nothing_of_it(disturbed, make_simulation):
    simulation, _, events = disturbed("camera_shift:shift_m=0.03")
    straight = make_simulation(cameras=CAMERAS)
    straight.reset(seed=3)
    for camera, distance_m in (("front", 0.03), ("wrist", 0.0)):
        moved = simulation.world.data.camera(camera).xpos - straight.world.data.camera(camera).xpos
        assert np.linalg.norm(moved) == pytest.approx(distance_m, abs=1e-9)
    assert np.array_equal(simulation.spec.camera("front").T_mount_camera, straight.spec.camera("front").T_mount_camera)
    for seen, clean in both(disturbed, make_simulation, "camera_shift"):
        assert np.mean(np.abs(seen["depth.front"] - clean["depth.front"]) > 1e-3) > 0.5
        assert np.array_equal(seen["image.wrist"], clean["image.wrist"])
    simulation.step(rest(simulation))
    assert "front camera is shifted" in events[0].message


def test_other_light_changes_colours_and_no_depth(disturbed, make_simulation):
    for spec, brighter in (("lighting:darker=0.5,brighter=0.5", False), ("lighting:darker=1.6,brighter=1.6", True)):
        for seen, clean in both(disturbed, make_simulation, spec):
            assert np.array_equal(seen["depth.front"], clean["depth.front"])
            assert (seen["image.front"].mean() > 1.05 * clean["image.front"].mean()) == brighter
            assert (seen["image.front"].mean() < 0.95 * clean["image.front"].mean()) == (not brighter)


def test_lost_frames_show_the_last_that_came_whoever_looked(disturbed, make_simulation, wander):
    quiet = make_simulation(cameras=CAMERAS)
    clean = [quiet.reset(seed=3)[0]["image.front"], *(
        quiet.step(action)[0]["image.front"] for action in wander(quiet, 80))]
    shown = {}
    for every in (1, 7):
        simulation, first, events = disturbed("dropped_frames:p=0.3,steps=2")
        shown[every] = {0: first["image.front"]}
        for k, action in enumerate(wander(simulation, 80), start=1):
            observation, *_ = simulation.step(action)
            if k % every == 0:
                shown[every][k] = observation["image.front"]
        assert [event.message for event in events] == ["frames of the front camera get lost"]
    assert all(np.array_equal(picture, shown[1][k]) for k, picture in shown[7].items())
    late = [next(back for back in range(3) if np.array_equal(shown[1][k], clean[k - back])) for k in range(3, 81)]
    assert set(late) == {0, 1, 2}
    assert 0.2 < np.mean([back == 0 for back in late]) < 0.9
    simulation, *_ = disturbed("dropped_frames:p=0")
    assert all(np.array_equal(simulation.step(action)[0]["image.front"], picture)
               for action, picture in zip(wander(simulation, 80), clean[1:], strict=True))


@pytest.mark.parametrize("name", DISTURBANCES)
def test_a_seed_determines_a_disturbance_again_in_the_same_body(disturbed, wander, name):
    simulation, _, events = disturbed(name)
    traces = []
    for seed in (3, 8, 3):
        observation, _ = simulation.reset(seed=seed)
        trace, before = [], len(events)
        for action in wander(simulation, STEPS):
            trace.append((simulation.state(), {key: observation[key] for key in list(observation)[:5]}))
            observation, *_ = simulation.step(action)
        traces.append((trace, [(event.time_s, event.message) for event in events[before:]], observation["image.front"]))
    (one, said, picture), (_, other_said, _), (two, said_again, picture_again) = traces
    assert said == said_again
    assert bool(said) == (name != "slipped")
    assert said != other_said or name in ("slipped", "noise", "delayed", "lighting")
    assert np.array_equal(picture, picture_again)
    for (state, seen), (state_again, seen_again) in zip(one, two, strict=True):
        assert np.array_equal(state, state_again)
        assert all(np.array_equal(seen[key], seen_again[key]) for key in seen)


LATE = ("moved", "knocked", "frozen_camera", "black_camera", "camera_shift", "lighting", "nudged")


@pytest.mark.parametrize("name", LATE)
def test_what_begins_in_the_middle_of_an_episode_goes_wrong_from_then_on(make_simulation, name):
    """Also when the time at which it strikes has passed already, counted from the episode's begin."""
    simulation, events = make_simulation(cameras=CAMERAS), []
    simulation.on_event = events.append
    simulation.reset(seed=3)
    rest = np.append(simulation.spec.home, 1.0)
    for _ in range(140):
        simulation.step(rest)
    begun_s = float(simulation.world.data.time)
    simulation.disturb([disturbance_named(name)], np.random.default_rng(5))
    for _ in range(80):
        simulation.step(rest)
    assert events
    early_s = 0.0 if name in ("camera_shift", "lighting", "nudged") else 0.2
    assert begun_s + early_s < events[0].time_s < begun_s + 3.1


def test_what_goes_wrong_no_longer_leaves_no_trace(make_simulation):
    wrong = ("camera_shift:shift_m=0.05", "lighting", "camera_shift", "black_camera:earliest_s=0,latest_s=0")
    simulation = make_simulation(cameras=CAMERAS, disturbances=[disturbance_named(name) for name in wrong])
    plain = make_simulation(cameras=CAMERAS)
    expected, first = plain.reset(seed=3)[0]["image.front"].copy(), simulation.reset(seed=3)[0]["image.front"].copy()
    point, rng = plain.truth().visible_point("red bin"), np.random.default_rng(0)
    assert simulation.truth().visible_point("red bin") != point
    assert not np.array_equal(first, expected)
    assert np.array_equal(simulation.disturb([], rng)["image.front"], expected)
    assert simulation.truth().visible_point("red bin") == point
    lit = [simulation.disturb([disturbance_named("lighting")], np.random.default_rng(1))["image.front"] for _ in "12"]
    assert np.array_equal(*lit), "the light is another one, not another one of another one"
    assert np.array_equal(simulation.reset(seed=3)[0]["image.front"], first), "a reset is as it was told when made"


def test_words_become_disturbances():
    for name, kind in DISTURBANCES.items():
        assert isinstance(disturbance_named(name), kind)
    assert disturbance_named("moved:earliest_s=3,latest_s=4").options.latest_s == 4.0
    assert disturbance_named("delayed:steps=5").options.steps == 5
    assert disturbance_named("frozen_camera:camera=wrist").options.camera == "wrist"


@pytest.mark.parametrize(
    "words, error, told",
    [
        ("movd", UnknownName, "Did you mean 'moved'"),
        ("moved:when=3", InvalidOption, "earliest_s, latest_s"),
        ("moved:earliest_s", InvalidOption, "key=value"),
        ("delayed:steps=two", InvalidOption, "whole number"),
        ("delayed:steps=-1", InvalidOption, "at least 0"),
        ("noise:joint_rad=nan", InvalidOption, "joint_rad"),
        ("knocked:earliest_s=9", InvalidOption, "above latest_s"),
        ("knocked:slowest_m_s=2", InvalidOption, "above fastest_m_s"),
        ("moved:nearest_m=1", InvalidOption, "above furthest_m"),
        ("dropped_frames:p=1.5", InvalidOption, "probability"),
        ("dropped_frames:steps=0", InvalidOption, "at least 1"),
        ("delayed:steps=0", InvalidOption, "steps must be more than 0"),
        ("slipped:steps=0", InvalidOption, "steps must be more than 0"),
        ("nudged:excursion_s=0", InvalidOption, "excursion_s must be more than 0"),
        ("frozen_camera:lasting_s=0", InvalidOption, "lasting_s must be more than 0"),
    ],
)
def test_words_that_mean_nothing_are_refused(words, error, told):
    with pytest.raises(error, match=told):
        disturbance_named(words)
