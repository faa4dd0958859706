"""What goes into a log comes out of it: numbers bit for bit, pictures as they were seen."""

import json
import tracemalloc

import numpy as np
import pytest
from dummy_recording import ATTEMPT, DT, PICK, Episode, body_spec, observe, result
from mcap.reader import make_reader

from tandem.bridge.contract import (
    EpisodeStart,
    Event,
    EventKind,
    LazyObservation,
    LogUnreadable,
    LogUnwritable,
    StaleObservation,
    Step,
)
from tandem.bridge.log import LogReader, PicturePolicy, Recorder, next_free
from tandem.bridge.log.pictures import digest


def record(path, steps=20, **options):
    episode = Episode()
    with Recorder(path, state=episode.state, **options) as recorder:
        episode.play(recorder, steps)
    return episode, LogReader(path)


def test_a_whole_episode_comes_back(tmp_path):
    episode, log = record(tmp_path / "e.mcap", state_layout={"bits": 8191, "size": 50}, model=lambda: b"\0mjb\xff")
    times, states = log.states()
    np.testing.assert_array_equal(states, episode.states)  # float64, every bit
    np.testing.assert_array_equal(times, np.round(np.arange(21) * DT, 9))
    np.testing.assert_array_equal(log.actions()[1], [step.action for step in episode.steps])
    np.testing.assert_array_equal(log.commands()[1], [step.command for step in episode.steps])
    assert list(log.events()) == episode.events
    assert [plan for _, plan in log.plans()] == [episode.events[0].data]
    assert log.recovered is None
    assert log.attempts == [ATTEMPT.to_dict()]
    assert log.score["claimed"]
    assert log.score["measured"] is False
    assert log.score["false_success"]
    assert log.result == {**result(20).to_dict(), "attempts": [ATTEMPT.to_dict()], "dropped": log.result["dropped"]}
    assert log.result["dropped"] == {"steps": 0, "pictures": 0}
    assert log.manifest["seed"] == 0
    assert log.manifest["instruction"] == "put the red cube in the bin"
    assert log.spec.digest() == body_spec().digest()
    assert log.model() == ("model.mjb", b"\0mjb\xff")
    assert log.state_layout() == {"bits": 8191, "size": 50}


@pytest.mark.parametrize("key", ["front", "image.elsewhere", "rgb.front", "depth.elsewhere", ""])
def test_a_picture_by_a_key_that_no_body_has_is_told_those_that_there_are(tmp_path, key):
    _, log = record(tmp_path / "e.mcap")
    for look in (lambda: log.picture_at(key, 0.5), lambda: log.picture(key, 0)):
        with pytest.raises(LogUnreadable, match=r"has no pictures .*its body delivers: image\.front"):
            look()
    assert log.picture_at("image.front", 0.5) is not None
    assert log.picture_at("image.front", -1.0) is None


def test_steps_come_back_with_what_was_measured_after_them(tmp_path):
    episode, log = record(tmp_path / "e.mcap")
    steps = list(log.steps())
    assert len(steps) == 20
    for want, have in zip(episode.steps, steps, strict=True):
        assert (have.index, have.phase, have.subgoal, have.held) == (want.index, want.phase, want.subgoal, want.held)
        assert have.time_s == want.before["time"][0].round(9)
        np.testing.assert_array_equal(have.command, want.command)
        for key in ("joint_position", "joint_velocity", "gripper_opening", "tool_pose"):
            np.testing.assert_array_equal(getattr(have.measured, key), want.observation[key])
    first = next(log.measurements())
    assert first.index == -1
    assert first.time_s == 0.0


def test_exactly_the_pictures_that_were_looked_at_are_kept(tmp_path):
    episode, log = record(tmp_path / "e.mcap")
    seen = [step.before for step in episode.steps if "image.front" in step.before.read]
    assert len(seen) == 7
    assert log.cameras == ("front",)
    for observation, image, depth in zip(seen, log.images("front"), log.depths("front"), strict=True):
        assert image.time_s == depth.time_s == observation["time"][0].round(9)
        assert image.digest == digest(observation["image.front"]).hex()
        assert depth.digest == digest(observation["depth.front"]).hex()
        assert np.abs(image.array.astype(int) - observation["image.front"]).mean() < 3
        np.testing.assert_allclose(depth.array, observation["depth.front"], atol=0.51e-4)


def test_png_is_exact_and_fewer_pictures_can_be_asked_for(tmp_path):
    episode, log = record(tmp_path / "e.mcap", pictures=PicturePolicy(every=2, format="png", depth=False))
    images = list(log.images("front"))
    kept = [step.before for step in episode.steps[::2] if "image.front" in step.before.read]
    assert len(images) == len(kept) == 4
    assert "/obs/front/depth" not in log.channels
    for image, observation in zip(images, kept, strict=True):
        np.testing.assert_array_equal(image.array, observation["image.front"])


def test_a_still_of_each_subgoals_end_is_kept_once_though_nobody_looked(tmp_path):
    episode, log = record(tmp_path / "e.mcap", stills=True, pictures=PicturePolicy(every=6))
    looked = [image.time_s for image in log.images("front")]
    looked_every_third = [0, 6 * DT, 12 * DT, 18 * DT]  # and kept of every sixth step
    assert looked == pytest.approx([*looked_every_third, 20 * DT])
    assert [depth.time_s for depth in log.depths("front")] == looked[:-1]
    assert log.manifest["stills"] == "image.front"
    assert log.picture("image.front", 4).digest == digest(episode.steps[-1].observation["image.front"]).hex()
    _, without = record(tmp_path / "without.mcap")
    assert without.manifest["stills"] is None
    assert [image.time_s for image in without.images("front")][-1] < 20 * DT
    episode, none = record(tmp_path / "none.mcap", stills=True, pictures=PicturePolicy(every=0))
    assert none.cameras == ()
    assert not episode.steps[-1].observation.read


def test_a_still_that_no_camera_gives_is_noted_and_the_episode_goes_on(tmp_path):
    def stale():
        raise StaleObservation("camera gave no 'image.front' within 3 s")

    path = tmp_path / "e.mcap"
    dead = LazyObservation(observe(np.random.default_rng(0), 0.0)._arrays, {"image.front": stale})
    with Recorder(path, stills=True) as recorder:
        recorder.on_episode_start(EpisodeStart("look", body_spec(), dead))
        recorder.on_event(Event(EventKind.SUBGOAL_END, 0.0, "done", {"index": 0, **ATTEMPT.to_dict()}))
        recorder.on_episode_end(result(1))
    log = LogReader(path)
    assert log.cameras == ()
    assert log.result is not None
    assert [(event.kind, event.message) for event in log.events()][1:] == [
        (EventKind.NOTE, "no picture of this moment: camera gave no 'image.front' within 3 s")
    ]


def test_what_was_looked_at_before_the_first_and_after_the_last_step_is_kept_once(tmp_path):
    rng, path = np.random.default_rng(0), tmp_path / "e.mcap"
    first, last = observe(rng, 0.0), observe(rng, DT)
    with Recorder(path) as recorder:
        _ = first["image.wrist"]  # the planner looks
        recorder.on_episode_start(EpisodeStart("look", body_spec(), first))
        recorder.on_step(Step(0, first, np.zeros(8), np.zeros(8), last))
        _ = last["image.wrist"]  # the verifier looks
        recorder.on_episode_end(result(1))
    assert [image.time_s for image in LogReader(path).images("wrist")] == [0.0, DT]


def test_all_pictures_of_a_plain_observation_are_kept(tmp_path):
    observation = observe(np.random.default_rng(0), 0.0)
    plain = {key: observation[key] for key in observation}
    with Recorder(tmp_path / "e.mcap") as recorder:
        recorder.on_episode_start(EpisodeStart("look", body_spec(), plain))
        recorder.on_step(Step(0, plain, np.zeros(8), np.zeros(8), observe(np.random.default_rng(1), DT)))
    assert LogReader(tmp_path / "e.mcap").cameras == ("front", "wrist")


def test_arrays_that_the_body_reuses_are_copied(tmp_path):
    episode, action, state = Episode(), np.zeros(8), np.zeros(3)
    observation = dict(observe(np.random.default_rng(0), 0.0))
    with Recorder(tmp_path / "e.mcap", state=lambda: state) as recorder:
        recorder.on_episode_start(EpisodeStart("reuse", body_spec(), observation))
        for index in range(5):
            action += 1
            state += 1
            recorder.on_step(Step(index, observation, action, action, observation))
    log = LogReader(tmp_path / "e.mcap")
    assert log.actions()[1][:, 0].tolist() == [1, 2, 3, 4, 5]
    assert log.states()[1][:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert not episode.steps


def test_an_episode_that_is_broken_off_leaves_a_whole_log_without_result(tmp_path):
    episode, path = Episode(), tmp_path / "e.mcap"
    with pytest.raises(ZeroDivisionError), Recorder(path, state=episode.state) as recorder:
        episode.play(recorder, 10, end=False)
        _ = 1 / 0
    log = LogReader(path)
    assert log.result is None
    assert log.recovered is None
    assert log.score is None
    assert len(list(log.steps())) == 10
    assert log.attempts == [ATTEMPT.to_dict()]


def test_two_recorders_at_once_do_not_mix(tmp_path):
    episodes = [Episode(seed=1), Episode(seed=2, size=30)]
    recorders = [Recorder(tmp_path / f"{i}.mcap", state=episode.state) for i, episode in enumerate(episodes)]
    for episode, recorder in zip(episodes, recorders, strict=True):
        episode.play(recorder, 12, end=False)
    for recorder in reversed(recorders):
        recorder.on_episode_end(result(12))
    for i, episode in enumerate(episodes):
        log = LogReader(tmp_path / f"{i}.mcap")
        np.testing.assert_array_equal(log.states()[1], episode.states)
        assert log.manifest["seed"] == i + 1
        assert log.channels["/action"] == 12


def test_any_mcap_reader_can_read_it_with_foxgloves_schemas(tmp_path):
    record(tmp_path / "e.mcap")
    with (tmp_path / "e.mcap").open("rb") as stream:
        reader = make_reader(stream, validate_crcs=True)
        found = {channel.topic: schema.name for schema, channel, _ in reader.iter_messages()}
        data = [json.loads(m.data) for _, _, m in reader.iter_messages(topics="/event/data")]
        layout = [c.metadata for c in reader.get_summary().channels.values() if c.topic == "/obs/front/depth"]
    assert found["/obs/front"] == found["/obs/front/depth"] == "foxglove.CompressedImage"
    assert found["/event"] == "foxglove.Log"
    assert found["/action"] == "tandem.Action"
    assert data[0]["kind"] == "plan"
    assert data[0]["wall_time"] > 1e9
    assert layout == [{"unit_m": "0.0001"}]


def test_a_log_is_never_overwritten(tmp_path):
    path = tmp_path / "e.mcap"
    path.write_bytes(b"precious")
    with pytest.raises(LogUnwritable, match=r"e-2\.mcap"):
        Recorder(path)
    assert path.read_bytes() == b"precious"
    (tmp_path / "e-2.mcap").touch()
    assert next_free(tmp_path, "e") == tmp_path / "e-3.mcap"
    assert next_free(tmp_path / "new" / "folder", "e").parent.is_dir()


def test_a_recorder_that_never_began_leaves_nothing(tmp_path):
    with Recorder(tmp_path / "e.mcap") as recorder:
        with pytest.raises(LogUnwritable, match="on_episode_start comes first"):
            recorder.on_event(Event(EventKind.NOTE, 0.0, "too early"))
    assert not list(tmp_path.iterdir())


def test_one_recorder_holds_one_episode(tmp_path):
    episode = Episode()
    with Recorder(tmp_path / "e.mcap") as recorder:
        episode.play(recorder, 2)
        with pytest.raises(LogUnwritable, match="new Recorder"):
            episode.play(recorder, 2)
        with pytest.raises(LogUnwritable, match="closed"):
            recorder.on_step(episode.steps[0])


def test_an_event_that_holds_an_object_is_refused_where_it_is_raised(tmp_path):
    with Recorder(tmp_path / "e.mcap") as recorder:
        Episode().play(recorder, 1, end=False)
        with pytest.raises(TypeError, match="plain types"):
            recorder.on_event(Event(EventKind.NOTE, 0.0, "what", {"subgoal": PICK}))


def test_pictures_are_read_one_by_one(tmp_path):
    record(tmp_path / "e.mcap", steps=300, pictures=PicturePolicy(format="png"))
    log = LogReader(tmp_path / "e.mcap")
    tracemalloc.start()
    count = sum(1 for _ in log.images("front"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 100
    assert peak < log.path.stat().st_size / 3
