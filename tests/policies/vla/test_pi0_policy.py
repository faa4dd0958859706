"""pi0 as a policy: the laws of the interface, the handshake before motion, executors, and bad checkpoints."""

import json
import shutil
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tandem.bridge.conformance import check_policy
from tandem.bridge.contract import (
    SKILLS,
    ActionKind,
    InvalidObservation,
    InvalidOption,
    ModelUnusable,
    SkillFailed,
    SpecMismatch,
    Subgoal,
    UnknownName,
)
from tandem.policies.executors import EXECUTORS, FlowPolicy, executor_named
from tandem.policies.executors.guidance import sample
from tandem.policies.remote.presets import key_map
from tandem.policies.vla import is_vla, named
from tandem.policies.vla.handshake import in_sizes_of
from tandem.policies.vla.load import Options, load
from tandem.policies.vla.policy import Pi0Flow, Pi0Policy

PICK = Subgoal("pick", {"object": "red cube"})
PLACE = Subgoal("place", {"object": "red cube", "target": "blue bin"})
PICTURES = [f"observation.images.{name}" for name in ("base_0_rgb", "left_wrist_0_rgb", "right_wrist_0_rgb")]


@pytest.fixture
def panda(spec_of):
    return spec_of("panda")


@pytest.fixture
def policy(loaded, panda):
    return lambda kind=Pi0Policy, **more: kind(panda, loaded(), **more)


def test_it_satisfies_the_contract(policy, panda, seen):
    check_policy(policy, panda, seen(panda), [PICK, PLACE])
    check_policy(lambda: policy(Pi0Flow), panda, seen(panda), [PICK])


def test_actions_are_offsets_from_where_the_arm_is(policy, panda, seen):
    one, observation = policy(), seen(panda)
    chunk = one.infer(observation, PICK)
    assert chunk.actions.shape == (8, 8)
    assert not chunk.final
    elsewhere = dict(observation)
    elsewhere["joint_position"] = observation["joint_position"] + 0.05
    one.reset(1)
    moved = one.infer(elsewhere, PICK).actions[:, :-1] - chunk.actions[:, :-1]
    assert 0.02 < np.median(moved) < 0.08  # the state counts a little, the offset a lot


def test_words_are_those_of_the_subgoal(policy, panda, seen):
    one, observation = policy(), seen(panda)
    first = one.infer(observation, PICK).actions
    one.reset(0)
    other = one.infer(observation, replace(PICK, instruction="put the green cube into the blue bin")).actions
    assert np.abs(first - other).max() > 1e-4


def test_a_subgoal_ends_when_declared_or_fails(policy, panda, seen):
    one, observation = policy(done_s=0.6), seen(panda)
    assert not one.infer(observation, PICK).final
    later = observation | {"time": observation["time"] + 0.4}
    assert one.infer(later, PICK).final
    with pytest.raises(SkillFailed, match="TIMEOUT"):
        one.infer(observation | {"time": observation["time"] + PICK.timeout_s + 1}, PICK)
    with pytest.raises(InvalidOption, match="done_s"):
        policy(done_s=-1.0)


def test_it_introduces_itself_before_it_moves(policy):
    lines = "\n".join(policy().introduce())
    for words in ("policy pi0", "sha256", "image.front -> observation.images.base_0_rgb uint8 (28, 28, 3)",
                  "joint_offsets [rad from the pose observed]", "mean 0.1 0.101", "8 of a chunk are carried out"):
        assert words in lines


def test_it_tells_a_log_which_weights_it_has(policy, checkpoint):
    told = policy().describe()
    assert list(told["weights"]) == ["model.safetensors"]
    assert told["digest"] == told["weights"]["model.safetensors"]
    assert told["parameters"] == sum(w.numel() for w in load_file(checkpoint / "model.safetensors").values())
    json.dumps(told)


@pytest.mark.parametrize("name", EXECUTORS)
def test_every_executor_drives_by_it(policy, panda, seen, name):
    driven = executor_named(name).around(policy(Pi0Flow), panda)
    observation = seen(panda)
    for step in range(10):
        chunk = driven.infer(observation | {"time": np.array([0.05 * step])}, PICK)
        assert len(chunk) == 1


def test_its_field_is_the_one_it_samples_by(policy, panda, seen):
    one, observation = policy(Pi0Flow), seen(panda)
    assert isinstance(one, FlowPolicy)
    assert (one.horizon, one.stride, one.trained_prefix) == (8, 1, 0)
    plain = one.infer(observation, PICK)
    one.reset(0)
    again = one.infer_by(lambda drawing: sample(drawing.velocity, drawing.noise, drawing.steps), observation, PICK)
    assert np.array_equal(plain.actions, again.actions)


def test_what_it_encodes_is_what_it_would_have_drawn(policy, panda, seen):
    one, observation = policy(Pi0Flow), seen(panda)
    drawn = {}

    def sampler(drawing):
        drawn["points"] = sample(drawing.velocity, drawing.noise, drawing.steps)
        drawn["encode"] = drawing.encode
        return drawn["points"]

    chunk = one.infer_by(sampler, observation, PICK)
    back = drawn["encode"](chunk.actions)
    inside = (chunk.actions > panda.action.low + 1e-6) & (chunk.actions < panda.action.high - 1e-6)
    torch.testing.assert_close(
        back[:, :8][torch.from_numpy(inside)], drawn["points"][:, :8][torch.from_numpy(inside)], rtol=1e-4, atol=1e-4)
    assert not back[:, 8:].any()


def test_what_is_captured_is_shared_and_ready(loaded, panda, seen):
    model, plain = loaded(speed="graphs"), Pi0Policy(panda, loaded())
    one, other = Pi0Policy(panda, model), Pi0Policy(panda, model)
    assert one._field is other._field
    assert one._field._moving._inputs  # before the first chunk
    np.testing.assert_allclose(
        one.infer(seen(panda), PICK).actions, plain.infer(seen(panda), PICK).actions, atol=1e-5)


def test_two_that_think_at_once_do_not_draw_one_chunk(loaded, panda, seen):
    model, observed = loaded(speed="graphs"), [seen(panda, seed) for seed in (0, 1)]
    drawn: dict[int, list[np.ndarray]] = {0: [], 1: []}

    def think(number):  # as the last episode's thought still does when the next one begins
        policy = Pi0Policy(panda, model)
        for _ in range(5):
            policy.reset(1)
            drawn[number].append(policy.infer(observed[number], PICK).actions)

    for threads in ([0], [1], [0, 1]):
        at_work = [threading.Thread(target=think, args=(number,)) for number in threads]
        for thread in at_work:
            thread.start()
        for thread in at_work:
            thread.join()
    assert all(len(chunks) == 10 and all(np.array_equal(chunks[0], one) for one in chunks) for chunks in drawn.values())


def test_slower_actions_have_a_stride(loaded, panda, seen):
    model = loaded()
    slow = replace(in_sizes_of(key_map("pi0", panda), model.checkpoint.config), dt_s=0.1)
    one = Pi0Flow(panda, model, slow)
    assert (one.horizon, one.stride) == (16, 2)
    assert len(one.infer(seen(panda), PICK)) == 16
    with pytest.raises(InvalidOption, match="whole fraction"):
        Pi0Flow(panda, model, replace(slow, dt_s=1 / 15))
    assert len(Pi0Policy(panda, model, replace(slow, dt_s=1 / 15)).infer(seen(panda), PICK)) == 11


def test_wrong_maps_are_refused_before_motion(loaded, panda, spec_of):
    model = loaded()
    usual = in_sizes_of(key_map("pi0", panda), model.checkpoint.config)
    with pytest.raises(SpecMismatch, match=r"\(224, 224\) here, RGB of \(28, 28\)"):
        Pi0Policy(panda, model, key_map("pi0", panda))
    with pytest.raises(SpecMismatch, match="6 numbers here, 8 there"):
        Pi0Policy(spec_of("so101"), model)
    with pytest.raises(SpecMismatch, match="actions carried out: 9"):
        Pi0Policy(panda, model, replace(usual, use=9))
    with pytest.raises(SpecMismatch, match="camera 'top'"):
        Pi0Policy(panda, model, replace(usual, cameras=(replace(usual.cameras[0], ours="top"),)))
    with pytest.raises(SpecMismatch, match="pictures: none here"):
        Pi0Policy(panda, model, replace(usual, cameras=()))
    custom = replace(panda, action=replace(panda.action, kind=ActionKind.CUSTOM))
    with pytest.raises(SpecMismatch, match="joint positions and a gripper"):
        Pi0Policy(custom, model)


def test_bad_observations_are_refused(policy, panda, seen):
    one, observation = policy(), seen(panda)
    with pytest.raises(InvalidObservation, match="lacks 'image"):
        one.infer({key: value for key, value in observation.items() if key != "image.front"}, PICK)
    with pytest.raises(InvalidObservation, match="NaN"):
        one.infer(observation | {"joint_position": np.full(7, np.nan)}, PICK)


def test_numbers_out_of_all_bounds_are_refused(loaded, panda, seen, tmp_path):
    wild = {"norm_stats": {name: {"mean": [0.0] * 8, "std": [0.5 if name == "state" else 100.0] * 8}
                           for name in ("state", "actions")}}
    (tmp_path / "wild.json").write_text(json.dumps(wild))
    one = Pi0Policy(panda, loaded(statistics=tmp_path / "wild.json"))
    with pytest.raises(SkillFailed, match="INVALID_ACTION"):
        one.infer(seen(panda), PICK)


def test_skills_are_declared(policy, panda, seen):
    assert policy().skills == SKILLS
    one = policy(skills={"pick": SKILLS["pick"]})
    with pytest.raises(UnknownName, match="place"):
        one.infer(seen(panda), PLACE)


def test_lerobots_form_is_read(copied, checkpoint, panda, seen, policy):
    from small_pi0 import as_lerobot

    as_lerobot(copied, PICTURES, 8)
    with pytest.raises(ModelUnusable, match="--policy-tokenizer"):
        load(named(f"pi0:{copied}"), Options(device="cpu", tokenizer=str(copied / "nowhere")))
    theirs = load(named(f"pi0:{copied}"), Options(device="cpu", tokenizer=str(checkpoint)))
    assert theirs.statistics.origin == "policy_preprocessor_step_5_normalizer_processor.safetensors"
    ours = policy().loaded
    one = Pi0Policy(panda, replace(theirs, statistics=ours.statistics))
    plain = policy().infer(seen(panda), PICK).actions
    np.testing.assert_allclose(one.infer(seen(panda), PICK).actions, plain, atol=1e-5)


def test_a_checkpoint_that_names_other_keys_is_refused(copied, checkpoint, panda):
    from small_pi0 import as_lerobot

    as_lerobot(copied, ["observation.images.top"], 8)
    theirs = load(named(f"pi0:{copied}"), Options(device="cpu", tokenizer=str(checkpoint)))
    with pytest.raises(SpecMismatch, match=r"base_0_rgb.* here, observation\.images\.top in the checkpoint"):
        Pi0Policy(panda, theirs)


def without(folder, file):
    (folder / file).unlink()


def cut(folder, file):
    path = folder / file
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def pickled(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def missing_weight(folder):
    weights = load_file(folder / "model.safetensors")
    weights.pop("action_out_proj.weight")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def other_kind(folder):
    (folder / "config.json").write_text(json.dumps({"model_type": "qwen3_vl"}))


def nan(folder):
    told = json.loads((folder / "processor_config.json").read_text())
    told["state_mean"][2] = float("nan")
    (folder / "processor_config.json").write_text(json.dumps(told))


@pytest.mark.parametrize(("spoil", "words"), [
    (lambda f: without(f, "config.json"), "no config.json"),
    (lambda f: without(f, "model.safetensors"), "has no weights"),
    (pickled, "a format that can run code"),
    (missing_weight, "weights are not in its files"),
    (lambda f: cut(f, "model.safetensors"), "damaged"),
    (lambda f: cut(f, "config.json"), "damaged"),
    (lambda f: cut(f, "processor_config.json"), "cannot be loaded"),
    (other_kind, "is a 'qwen3_vl' model"),
    (nan, "NaN"),
], ids=["config", "weights", "pickled", "missing", "cut", "cut config", "cut processor", "kind", "nan"])
def test_a_spoilt_checkpoint_is_refused(copied, spoil, words):
    spoil(copied)
    with pytest.raises(ModelUnusable, match=words):
        load(named(f"pi0:{copied}"), Options(device="cpu"))


def test_a_model_that_does_not_fit_is_refused_with_numbers(checkpoint):
    with pytest.raises(ModelUnusable, match=r"billion parameters need .* GB are free"):
        load(named(f"pi0:{checkpoint}"), Options(device="cpu", reserve_gb=1e6))


def test_statistics_are_needed(copied, panda):
    told = json.loads((copied / "processor_config.json").read_text())
    told = {key: value for key, value in told.items() if not key.endswith(("_mean", "_std"))}
    (copied / "processor_config.json").write_text(json.dumps(told))
    with pytest.raises(SpecMismatch, match="--policy-statistics"):
        Pi0Policy(panda, load(named(f"pi0:{copied}"), Options(device="cpu")))


def test_words_of_a_command_line(tmp_path):
    assert is_vla("pi0:lerobot/pi0_base")
    assert not is_vla("openpi:ws://h:1")
    one = named("pi0:lerobot/pi0_base@abc123#mine.toml")
    assert (one.base, one.revision, one.adapter, one.map) == ("lerobot/pi0_base", "abc123", None, "mine.toml")
    odd = tmp_path / "a+b@c#d"
    odd.mkdir()
    assert named(f"pi0:{odd}").base == str(odd)
    assert named(f"pi0:lerobot/pi0_base+{tmp_path}").adapter == tmp_path
    with pytest.raises(InvalidOption, match="adapter"):
        named("pi0:lerobot/pi0_base+nowhere")
    with pytest.raises(InvalidOption, match="names no model"):
        named("pi0:")
    with pytest.raises(ModelUnusable, match="no such folder"):
        load(named(f"pi0:{tmp_path / 'nothing here'}"), Options(device="cpu"))
    shutil.rmtree(odd)


def test_options_that_mean_nothing_are_refused(checkpoint):
    for wrong in ({"speed": "fast"}, {"steps": 0}, {"device": "tpu"}, {"dtype": "int8"}):
        with pytest.raises((InvalidOption, UnknownName)):
            load(named(f"pi0:{checkpoint}"), Options(**{"device": "cpu", **wrong}))
