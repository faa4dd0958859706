"""Learning: what a lesson is, that nothing is decoded twice, and that going on is going on to the bit."""

import signal
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from composition import Rig, System
from evaluating.onlooker import Onlooker
from safetensors.torch import load_file
from swing import record

from tandem.bridge.contract import CameraPoint, ModelUnusable, Subgoal, UnusableDataset
from tandem.bridge.datasets import export_logs
from tandem.bridge.log import Recorder
from tandem.policies.learned import load_policy, senses
from tandem.policies.learned.architectures import network_for
from tandem.policies.learned.eyes import GREY, About, Window
from tandem.policies.learned.layouts import Layout, pose_of
from tandem.policies.learned.training import checkpoint
from tandem.policies.learned.training.cache import Cache, Cached, sources_of
from tandem.policies.learned.training.curves import Curves
from tandem.policies.learned.training.episodes import read_log
from tandem.policies.learned.training.feed import Feed
from tandem.policies.learned.training.lessons import Augment, Lessons
from tandem.policies.learned.training.loop import POLICY, Schedule, Training
from tandem.policies.motion.kinematics import Arm

WINDOWS = (
    Window("front", About.ALL, 40, 30), Window("front", About.POINT, 24, 24, 0.005, margin=4),
    Window("wrist", About.TOOL, 24, 24, 0.005),
)
SETTINGS = {"dim": 32, "heads": 2, "channels": [8, 8], "reading": 1, "writing": 1}


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """One demonstration in simulation, with a picture at every tenth step."""
    path = tmp_path_factory.mktemp("logs") / "demonstration.mcap"
    rig = Rig(System(task="pick_place", planner="scripted", policy="demonstrator", verifier="predicate"))
    try:
        with Recorder(path, **{**rig.stage.keeps(), "certify": None}) as recorder:
            assert rig.run(1_000_000, subscribers=[Onlooker(10), recorder]).success
    finally:
        rig.close()
    return path


def invented(spec, seed=0, frames=12, steps=40):
    """An episode of noise in the cache's form."""
    rng, arm = np.random.default_rng(seed), Arm(spec)
    actions = np.column_stack([spec.home + rng.normal(0, 0.05, (steps, spec.dof)), rng.uniform(0, 1, steps)])
    tools = np.array([pose_of(arm, action[:-1]) for action in actions])
    step = np.sort(rng.choice(steps, frames, replace=False))
    q = actions[step, :-1] + rng.normal(0, 0.01, (frames, spec.dof))
    return Cached(
        f"invented {seed}", spec.to_dict(), ("pick", "place"), (("red", "cube"), ("blue", "bin")), actions, tools, q,
        rng.uniform(0, 1, frames), np.array([pose_of(arm, row) for row in q]),
        np.column_stack([rng.uniform(0.3, 0.5, (frames, 2)), np.full(frames, 0.02)]), step,
        (step >= 20).astype(int), np.array([20, steps]),
        tuple(rng.integers(0, 256, (frames, w.height + 2 * w.margin, w.width + 2 * w.margin, 3), np.uint8)
              for w in WINDOWS),
    )


@pytest.fixture
def lessons(spec_of):
    spec = spec_of("panda")
    return Lessons([invented(spec, 0), invented(spec, 1)], WINDOWS, Layout.TOOL, 4, 2)


def test_a_log_holds_its_stretches_pictures_and_wishes(log):
    episode, shown = read_log(log)
    assert [one.subgoal.skill for one in episode.stretches] == ["pick", "place"]
    assert episode.stretches[0].first == 0
    assert episode.stretches[1].end == len(episode.actions)
    steps = [step for step, pictures in shown if set(pictures) == {"front", "wrist"}]
    assert steps[:3] == [0, 10, 20]
    assert len(steps) >= len(episode.actions) // 10


@pytest.mark.parametrize(("measured", "lessons"), [(True, 1), (None, 1), (False, 0)])
def test_what_was_measured_not_to_be_done_is_no_lesson(measured, lessons, tmp_path):
    episode, _ = read_log(record(tmp_path / "swing.mcap", measured))  # the verifier saw it done
    assert len(episode.stretches) == lessons


def test_frames_are_decoded_once_and_a_stopped_cache_goes_on(log, tmp_path):
    told, cache = [], Cache(tmp_path / "cache", WINDOWS)
    (first,) = cache.fill(sources_of(log), told.append)
    (again,) = cache.fill(sources_of(log.parent), told.append)
    assert told == ["demonstration.mcap"]
    assert len(first) == len(again) > 10
    assert all(np.array_equal(a, b) for a, b in zip(first.frames, again.frames, strict=True))
    assert isinstance(again.frames[0], np.memmap)
    (tmp_path / "cache" / "abandoned.part").mkdir()
    list(Cache(tmp_path / "cache", WINDOWS[:1]).fill(sources_of(log), told.append))
    assert len(told) == 2  # other windows are other frames


def test_of_a_dataset_nothing_stale_is_read(log, tmp_path):
    data = tmp_path / "data"
    export_logs([log], data)
    shown = [next(Cache(tmp_path / "cache", WINDOWS, skill).fill(sources_of(data))) for skill in ("pick", "place")]
    assert [one.skills for one in shown] == [("pick",), ("place",)]
    digests = {sources_of(data)[0].digest}
    changed = [*data.glob("data/**/*.parquet"), *data.glob("videos/**/*.mp4")]
    for file in changed:  # such as other films of as many frames: what describes them stays the same
        file.write_bytes(file.read_bytes() + b" ")
        digests.add(sources_of(data)[0].digest)
    assert len(digests) == 1 + len(changed) == 4


def test_lessons_point_where_the_demonstrator_went(log, tmp_path):
    (cached,) = Cache(tmp_path, WINDOWS).fill(sources_of(log))
    lessons = Lessons([cached], WINDOWS, Layout.TOOL, 10, 2)
    points, remaining = lessons.targets(np.arange(len(lessons)))
    pick = np.flatnonzero(cached.stretch == 0)
    assert np.linalg.norm(points[..., :3], axis=-1).max() < 0.8
    assert points[pick[0], -1, -1] > 0.3  # the hand is open on its way
    assert points[pick[-1], -1, -1] < 0.05  # and closed at the end
    assert remaining[pick[0]] == 1
    assert remaining[pick[-1]] < 0.6
    aims = cached.aim[pick]
    assert np.isfinite(aims).all()
    grasp = cached.tools[: cached.ends[0], :3][cached.tools[: cached.ends[0], 2].argmin()]
    assert np.linalg.norm(aims[0, :2] - grasp[:2]) < 0.05  # the point's ray leads about there


def test_past_the_end_the_last_action_stays(lessons):
    rows = np.flatnonzero(lessons._ends[lessons._stretch] - lessons._step <= 2)
    points, remaining = lessons.targets(rows)
    assert (remaining <= 0.25).all()
    assert np.allclose(points[:, 1:], points[:, :1])


def test_augmentation_moves_window_and_point_together(lessons, spec_of):
    manifest, rows = lessons.manifest("flow", SETTINGS), np.arange(len(lessons))
    still = lessons.lesson(rows, manifest, None, Augment())
    moved = lessons.lesson(
        rows, manifest, np.random.default_rng(3), Augment(light=0.0, point=0.0, near=2.0, far=2.0, measured=0.0)
    )
    ahead = [manifest.state.restored(one.senses.state.numpy())[:, -6:-4] for one in (still, moved)]
    pixels = np.rint((ahead[1] - ahead[0]) / WINDOWS[1].pixel_m).astype(int)
    assert pixels.any()
    for i in rows:
        x, y = pixels[i]
        a, b = (one.senses.pictures[1][i].numpy() for one in (still, moved))
        height, width = a.shape[1:]
        assert np.allclose(
            a[:, max(0, y) : height + min(0, y), max(0, x) : width + min(0, x)],
            b[:, max(0, -y) : height + min(0, -y), max(0, -x) : width + min(0, -x)], atol=1e-6,
        )
    assert torch.allclose(still.senses.pictures[2], moved.senses.pictures[2], atol=1e-6)
    assert torch.equal(still.actions, moved.actions)


def test_a_point_that_is_taken_away_leaves_no_trace(lessons):
    manifest = lessons.manifest("flow", SETTINGS)
    lesson = lessons.lesson(np.arange(8), manifest, np.random.default_rng(0), Augment(light=0.0, point=1.0, measured=0))
    assert torch.allclose(lesson.senses.pictures[1], torch.tensor(GREY[0] / 255))
    assert np.allclose(manifest.state.restored(lesson.senses.state.numpy())[:, -7:], 0, atol=1e-5)


def test_what_is_no_lesson_is_refused(lessons, spec_of, tmp_path):
    with pytest.raises(UnusableDataset, match="no episode"):
        Lessons([], WINDOWS, Layout.TOOL, 4, 2)
    with pytest.raises(UnusableDataset, match="another body"):
        Lessons([invented(spec_of("panda")), replace(invented(spec_of("panda")), spec=spec_of("ur5e").to_dict())],
                WINDOWS, Layout.TOOL, 4, 2)
    with pytest.raises(UnusableDataset, match="without pick"):
        lessons.vocabulary(["place"], [])
    with pytest.raises(UnusableDataset, match="no episode logs"):
        sources_of(tmp_path)


def training(lessons, folder, steps=6, seed=0):
    torch.manual_seed(seed)
    manifest = lessons.manifest("flow", SETTINGS)
    network = network_for("flow", manifest.shapes, SETTINGS)
    return Training(network, manifest, lessons, lessons, Schedule(steps, 4, warm=2, every=2, save=3), folder, cpu=True)


def test_going_on_is_the_same_to_the_bit(lessons, tmp_path):
    training(lessons, tmp_path / "whole").run()
    stopped = training(lessons, tmp_path / "parts")

    def stop(step, figures):
        if step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped.run(stop)
    going_on = training(lessons, tmp_path / "parts")
    assert going_on.step == 2
    going_on.run()
    saved = [load_file(tmp_path / name / checkpoint.FILE) for name in ("whole", "parts")]
    assert all(torch.equal(saved[0][name], saved[1][name]) for name in saved[0])
    assert {name.split(".")[0] for name in saved[1]} == {"weight", "step", "exp_avg", "exp_avg_sq"}
    written = [(tmp_path / name / "curves.csv").read_text() for name in ("whole", "parts")]
    losses = [[line for line in text.splitlines() if ",loss," in line] for text in written]
    assert losses[0] == losses[1]
    assert (tmp_path / "whole" / "curves.png").stat().st_size > 1000


def test_a_step_is_not_torn_in_two(lessons, tmp_path):
    training(lessons, tmp_path / "whole").run()
    stopped = training(lessons, tmp_path / "parts")
    take = stopped._optimiser.step

    def taken():
        take()
        if stopped.step == 1:
            signal.raise_signal(signal.SIGINT)  # Ctrl-C when the weights have moved, and nothing else yet

    stopped._optimiser.step = taken
    with pytest.raises(KeyboardInterrupt):
        stopped.run()
    assert stopped.step == 2
    training(lessons, tmp_path / "parts").run()
    saved = [load_file(tmp_path / name / checkpoint.FILE) for name in ("whole", "parts")]
    assert all(torch.equal(saved[0][name], saved[1][name]) for name in saved[0])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_it_learns_and_what_it_stores_drives(lessons, tmp_path, spec_of, seen):
    spec, figures = spec_of("panda"), []
    train = training(lessons, tmp_path, steps=150)
    train.run(lambda step, told: figures.append(told))
    losses = [told["loss"] for told in figures if "loss" in told]
    assert losses[-1] < 0.8 * losses[0]
    assert {"held_out_flow", "held_out_left"} <= set().union(*figures)
    policy = load_policy(tmp_path / POLICY, spec)
    pick = Subgoal("pick", {"object": "cube", "point": CameraPoint("front", 9, 9)})
    chunk = policy.infer(seen(spec, Arm(spec)), pick)
    assert np.isfinite(chunk.actions).all()
    assert policy.describe()["training"]["steps"] == 150


def test_a_checkpoint_of_another_network_is_refused(lessons, tmp_path):
    training(lessons, tmp_path, steps=1).run()
    manifest = lessons.manifest("flow", SETTINGS | {"dim": 64})
    network = network_for("flow", manifest.shapes, manifest.settings)
    with pytest.raises(ModelUnusable, match="does not fit"):
        Training(network, manifest, lessons, None, Schedule(1, 4), tmp_path, cpu=True)


def test_a_damaged_checkpoint_is_refused(lessons, tmp_path):
    training(lessons, tmp_path, steps=1).run()
    path = tmp_path / checkpoint.FILE
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"not a checkpoint", b""):
        path.write_bytes(damaged)
        with pytest.raises(ModelUnusable, match="does not fit"):
            training(lessons, tmp_path, steps=1)


def test_batches_come_in_order_and_mistakes_are_told():
    def make(number):
        if number == 5:
            raise ValueError("five")
        return number

    feed = Feed(make, 3)
    assert [feed.next(), feed.next()] == [3, 4]
    with pytest.raises(ValueError, match="five"):
        feed.next()
    feed.close()
    assert not any(thread is feed._thread for thread in threading.enumerate())


def test_curves_forget_what_will_be_done_again(tmp_path):
    curves = Curves(tmp_path)
    for step in (10, 20, 30):
        curves.add(step, {"loss": 1 / step})
    again = Curves(tmp_path, until=20).curves()
    assert again["loss"][:, 0].tolist() == [10, 20]
    assert senses.RESERVED == 2
