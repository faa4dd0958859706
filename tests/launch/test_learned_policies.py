"""Learned policies as people run them: collected, trained, driven by; bad ones are refused before anything moves."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from composition import Rig, System
from learned import is_learned
from serve_policy import Options as Serving
from serve_policy import agreed, make_policy

import tandem.policies.learned as learned_package
from tandem.bridge.contract import InvalidOption, ModelUnusable, SpecMismatch, UnknownName
from tandem.bridge.log import LogReader
from tandem.policies.executors import FlowPolicy
from tandem.policies.hybrid import HybridPolicy
from tandem.policies.learned import LearnedPolicy
from tandem.policies.learned.manifest import Manifest

LAUNCH = Path(__file__).parents[2] / "launch"
SHIPPED = Path(learned_package.__file__).parent / "trained" / "flow"
SMALL = json.dumps({"dim": 32, "heads": 2, "channels": [8, 8], "reading": 1, "writing": 1})


def run(script, *options, cwd):
    command = [sys.executable, LAUNCH / script, *map(str, options)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=600, check=False, env=environment)


def test_the_shipped_policy_is_small_and_drives_the_default_arm():
    assert sum(file.stat().st_size for file in SHIPPED.iterdir()) < 15e6
    rig = Rig(System(planner="scripted", policy=str(SHIPPED)))
    try:
        assert isinstance(rig.make_policy(), LearnedPolicy)
        assert set(rig.make_policy().skills) == {"pick", "place", "home"}
        told = rig.manifest(0, {})["policy"]
        assert len(told["digest"]) == 64
        observation, _ = rig.body.reset(seed=4)
        chunk = rig.make_policy().infer(observation, rig.truth.remaining()[0])
        assert np.isfinite(chunk.actions).all()
    finally:
        rig.close()


def test_hybrid_and_executors_are_put_together(tmp_path):
    for options, kind in (({"policy": f"hybrid:{SHIPPED}"}, HybridPolicy), ({"executor": "open_loop"}, None)):
        rig = Rig(System(**{"planner": "scripted", "policy": str(SHIPPED), **options}))
        try:
            made = rig.make_policy()
            assert isinstance(made, kind) if kind else isinstance(made.policy, FlowPolicy)
            assert "home" in made.skills or kind is None
        finally:
            rig.close()


@pytest.mark.parametrize("robot", ["ur5e", "so101"])
def test_another_arm_is_refused(robot):
    with pytest.raises(SpecMismatch, match=f"robot: the policy is made for panda, the body has {robot}"):
        Rig(System(planner="scripted", policy=str(SHIPPED), robot=robot))


def test_a_folder_without_a_policy_is_refused(tmp_path):
    with pytest.raises(UnknownName, match="folder of a learned policy"):
        System(policy=str(tmp_path))
    with pytest.raises(ModelUnusable, match=r"policy\.json"):
        Rig(System(planner="scripted", policy=f"hybrid:{tmp_path}"))
    assert not is_learned("motion")


def test_it_can_be_served():
    options = Serving(policy=str(SHIPPED))
    assert isinstance(make_policy(options, agreed(options)[0]), LearnedPolicy)
    with pytest.raises(UnknownName, match="hybrid:"):
        make_policy(replace(options, policy="nothing"), agreed(options)[0])
    with pytest.raises(SpecMismatch):
        make_policy(replace(options, robot="ur5e"), agreed(replace(options, robot="ur5e"))[0])


def test_bad_options_are_told(tmp_path):
    from train import Options

    with pytest.raises(InvalidOption, match="positive"):
        Options(data=(tmp_path,), folder=tmp_path, steps=0)
    with pytest.raises(InvalidOption, match="JSON"):
        Options(data=(tmp_path,), folder=tmp_path, settings="dim=3")
    for hold_out in (1, -20):  # would keep everything aside, or count backwards
        with pytest.raises(InvalidOption, match="--hold-out is 0"):
            Options(data=(tmp_path,), folder=tmp_path, hold_out=hold_out)
    with pytest.raises(InvalidOption, match="--seed"):
        Options(data=(tmp_path,), folder=tmp_path, seed=-1)
    done = run("train.py", "--data", tmp_path, "--folder", tmp_path / "run", cwd=tmp_path)
    assert done.returncode == 2
    assert "no episode logs" in done.stderr
    done = run("collect.py", "--tasks", "juggle", "--out", tmp_path / "data", cwd=tmp_path)
    assert done.returncode == 2
    assert "juggle" in done.stderr


def test_what_was_otherwise_is_named_where_a_training_cannot_go_on(tmp_path):
    from train import Options
    from training.setup import others

    made, common = Manifest.read(SHIPPED / "policy.json"), {"data": (tmp_path,), "folder": tmp_path}
    its = {name: getattr(made, name) for name in ("architecture", "layout", "horizon", "stride")}
    settings = json.dumps(dict(made.settings))
    assert others(made, Options(**common, **its)) == []
    assert others(made, Options(**common, **its, settings=settings)) == []
    assert others(made, Options(**common, **its, settings='{"dimm": 3}')) == [f"--settings '{settings}'"]
    asked = Options(**common, **its | {"architecture": "act", "layout": "joint", "stride": made.stride + 1})
    assert others(made, asked) == [f"--{name} {its[name]}" for name in ("architecture", "layout", "stride")]


@pytest.mark.slow
def test_from_demonstrations_to_an_episode(tmp_path):
    demonstrated = ("--tasks", "pick_place", "--episodes", 2, "--look-every", 10)
    done = run("collect.py", *demonstrated, "--out", "data", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    logs = sorted((tmp_path / "data" / "logs").glob("*.mcap"))
    assert len(logs) == 2
    log = LogReader(logs[0])
    assert log.result["privileged"]
    assert set(log.cameras) == {"front", "wrist"}
    assert not np.array_equal(log.actions()[1], log.commands()[1])  # what was wanted, what was carried out
    train = ("train.py", "--data", "data", "--folder", "run", "--cache", "cache", "--settings", SMALL, "--batch", 8)
    for steps in (4, 8):
        done = run(*train, "--steps", steps, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    there = {file.name for file in (tmp_path / "run").iterdir()}
    assert there >= {"curves.csv", "curves.png", "checkpoint.safetensors"}
    done = run(*train, "--steps", 2, "--start", "run/policy", "--folder", "further", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert Manifest.read(tmp_path / "further" / "policy" / "policy.json").about["start"]["steps"] == 8
    done = run("train.py", "--data", "data", "--folder", "run", "--cache", "cache", "--layout", "joint", cwd=tmp_path)
    assert done.returncode == 2
    assert "another one" in done.stderr
    done = run("episode.py", "--planner", "scripted", "--policy", "run/policy", "--horizon-s", 2, cwd=tmp_path)
    assert done.returncode == 1, done.stderr  # it has learned nothing, and says so
    (recorded,) = (tmp_path / "runs").rglob("*.mcap")
    manifest = LogReader(recorded).manifest
    assert manifest["policy"]["training"]["steps"] == 8
