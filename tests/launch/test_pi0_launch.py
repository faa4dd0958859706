"""pi0 from the command line: trained from a log, driven in an episode, benchmarked under a name of its own."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from tandem.bridge.contract import (
    Attempt,
    EpisodeResult,
    EpisodeStart,
    Event,
    EventKind,
    InvalidOption,
    Outcome,
    Step,
    Subgoal,
    UnknownName,
    Verdict,
)
from tandem.bridge.log import Recorder
from tandem.bridge.robots import load as load_robot
from tandem.sim.cameras import DEFAULT_CAMERAS
from tandem.sim.scene import Rates
from tandem.sim.simulation import body_spec

sys.path.insert(0, str(Path(__file__).parents[1] / "policies" / "vla"))
PICK = Subgoal("pick", {"object": "red cube"})
STEPS = 12


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    from small_pi0 import build

    return build(tmp_path_factory.mktemp("pi0"), statistics=8)


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """An episode of one subgoal in which a joint swings."""
    path = tmp_path_factory.mktemp("log") / "swing.mcap"
    spec, rng = body_spec(load_robot("panda"), Rates(), DEFAULT_CAMERAS), np.random.default_rng(0)

    def observe(step):
        pictures = {f"image.{camera.name}": rng.integers(0, 256, (camera.height, camera.width, 3), np.uint8)
                    for camera in spec.cameras}
        return {
            "joint_position": spec.home + 0.01 * step, "joint_velocity": np.zeros(7), "gripper_opening": np.ones(1),
            "tool_pose": np.array([0.4, 0, 0.3, 0, 1, 0, 0]), "time": np.array([step * spec.dt_s]), **pictures,
        }

    attempt = Attempt(PICK, True, Verdict(Outcome.SUCCESS, "held"), True, None, "", 0.0, 0.5)
    with Recorder(path) as recorder:
        now = observe(0)
        recorder.on_episode_start(EpisodeStart("pick up the red cube", spec, now, {"seed": 0}))
        for index in range(STEPS):
            after, action = observe(index + 1), np.append(spec.home + 0.01 * (index + 1), 1.0)
            recorder.on_step(Step(index, now, action, action, after, "reach", 0))
            now = after
        recorder.on_event(Event(EventKind.SUBGOAL_END, STEPS * spec.dt_s, "done", {"index": 0, **attempt.to_dict()}))
        recorder.on_episode_end(EpisodeResult(
            True, True, True, False, None, "done", 1.0, (attempt,), STEPS, 1, STEPS * spec.dt_s, 0.1, True))
    return path


def test_it_is_trained_from_a_log_and_goes_on(checkpoint, log, tmp_path):
    from train import Options, main

    options = Options(
        (log,), tmp_path / "run", policy=f"pi0:{checkpoint}", settings='{"rank": 2, "parts": 2}', steps=2, batch=2,
        rate=1e-2, hold_out=0, cache=tmp_path / "cache", device="cpu", threads=1,
    )
    assert main(options) == 0
    about = json.loads((tmp_path / "run" / "policy" / "adapter.json").read_text())
    assert about["skills"] == ["pick"]
    assert about["made"]["steps"] == 2
    assert main(replace(options, steps=3)) == 0
    assert json.loads((tmp_path / "run" / "policy" / "adapter.json").read_text())["made"]["steps"] == 3
    with pytest.raises(InvalidOption, match="no setting ranks"):
        main(replace(options, settings='{"ranks": 2}'))
    with pytest.raises(InvalidOption, match="has an adapter already"):
        main(replace(options, policy=f"pi0:{tmp_path / 'run' / 'policy'}", folder=tmp_path / "other"))


@pytest.mark.slow
def test_an_episode_is_driven_by_it(checkpoint):
    from composition import Rig, System

    system = System(
        planner="scripted", policy=f"pi0:{checkpoint}", policy_done_s=0.5, policy_skills=("pick", "place", "home"),
        horizon_s=2.0, executor="rtc:horizon=3",
    )
    rig = Rig(system)
    try:
        assert any("policy pi0" in line for line in rig.introduce())
        assert rig.describe()["policy"]["kind"] == "pi0"
        result = rig.run(3)
        assert result.steps > 0
    finally:
        rig.close()


def test_unknown_words_list_the_forms():
    from composition import System

    with pytest.raises(UnknownName, match="pi0:FOLDER_OR_HUB_ID"):
        System(policy="pi1:base")


def test_the_benchmark_on_a_cpu_says_what_it_is(capsys):
    from benchmarks.pi0 import pi0_figures

    figures = pi0_figures(Console(width=140), views=(1, 2), chunks=2)
    assert all(name.startswith("small_pi0_on_cpu_") for name in figures)
    assert figures["small_pi0_on_cpu_stock_2_views_ms"] > 0
    assert "not pi0" in capsys.readouterr().out
    with pytest.raises(InvalidOption, match="at least one"):
        pi0_figures(Console(), views=(), chunks=2)
