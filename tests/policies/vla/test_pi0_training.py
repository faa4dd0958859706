"""Adapters: they alone are trained, they learn, go on exactly, and act once loaded as before; what is refused."""

import json
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tandem.bridge.conformance import check_policy
from tandem.bridge.contract import SKILLS, InvalidOption, ModelUnusable, SpecMismatch, Subgoal, UnusableDataset
from tandem.policies.learned.layouts import pose_of
from tandem.policies.learned.training.cache import Cached
from tandem.policies.learned.training.checkpoint import FILE as CHECKPOINT
from tandem.policies.learned.training.loop import Schedule
from tandem.policies.motion.kinematics import Arm
from tandem.policies.vla import is_vla, named
from tandem.policies.vla.handshake import keymap_for
from tandem.policies.vla.load import Options, load
from tandem.policies.vla.policy import Pi0Flow, Pi0Policy, first_over
from tandem.policies.vla.training.lessons import Lessons, windows_of
from tandem.policies.vla.training.loop import ADAPTER, Teaching, Training
from tandem.policies.vla.training.lora import Lora

PICK = Subgoal("pick", {"object": "red cube"})
TIMES = (1.5, 1.0, 0.999, 0.001)
STEPS = 24


@pytest.fixture
def panda(spec_of):
    return spec_of("panda")


@pytest.fixture
def episode(panda):
    """What the cache holds of an episode of one subgoal: a joint swings, the gripper closes at its end."""
    rng, arm, steps = np.random.default_rng(0), Arm(panda), np.arange(STEPS)
    q = panda.home + np.outer(steps, np.eye(7)[0]) * 0.01
    actions = np.column_stack((q + 0.01 * np.eye(7)[0], np.where(steps < STEPS - 6, 1.0, 0.0)))
    frames = tuple(rng.integers(0, 256, (STEPS, 21, 28, 3), np.uint8) for _ in range(2))
    return Cached(
        "made", panda.to_dict(), ("pick",), (("red", "cube"),), actions, np.array([pose_of(arm, row) for row in q]), q,
        np.ones(STEPS), np.array([pose_of(arm, row) for row in q]), np.full((STEPS, 3), np.nan), steps,
        np.zeros(STEPS, int), np.array([STEPS]), frames, ("pick up the red cube",),
    )


@pytest.fixture
def training(loaded, panda, episode, tmp_path):
    """`training(folder, steps)`: of the small model on that episode."""
    def make(folder="run", steps=4, lora=None, **how):
        model = loaded()
        keymap = keymap_for(model, panda, None)
        lessons = Lessons([episode], keymap, model.reader, 8, 32, TIMES)
        schedule = Schedule(steps, batch=4, rate=3e-2, warm=1, every=1, save=1000)
        teaching = Teaching(schedule, lora or Lora(rank=4, alpha=8.0), **how)
        return Training(model, lessons, None, keymap, lessons.statistics(), teaching, tmp_path / folder)

    return make


def weights_of(folder):
    return load_file(folder / CHECKPOINT)


def test_the_cache_keeps_pictures_without_their_frame(loaded, panda):
    windows = windows_of(keymap_for(loaded(), panda, None), panda)
    sizes = [(window.camera, window.width, window.height) for window in windows]
    assert sizes == [("front", 28, 21), ("wrist", 28, 21)]


def test_lessons_are_in_the_models_terms(training, panda, episode, loaded):
    lessons, model = training()._lessons, loaded()
    scales = lessons.statistics()
    chunk, over = lessons._wanted(20)
    assert chunk.shape == (8, 8)
    assert np.allclose(chunk[:4, 0], 0.01 * np.arange(1, 5))  # offsets from the joints at that frame
    assert np.allclose(chunk[3:, 0], 0.04)  # held after the end
    assert over.tolist() == [False] * 3 + [True] * 5
    batch = lessons.batch(np.random.default_rng(0), 4, scales)
    again = lessons.batch(np.random.default_rng(0), 4, scales)
    assert torch.equal(batch.noise, again.noise)
    assert torch.equal(batch.actions, again.actions)
    assert batch.pixels.shape == (4, 2, 28, 28, 3)
    assert not batch.pixels[:, :, :3].any()  # the black frame
    assert set(batch.actions[:, :, 8].unique().tolist()) <= {-1.0, 1.0}
    assert not batch.actions[:, :, 9:].any()
    assert batch.times.min() > 0
    assert batch.times.max() <= 1
    text = model.reader.tokens("pick up the red cube", 2)
    assert torch.equal(batch.tokens[:1], text[0])


def test_only_adapters_are_trained_and_they_learn(training, tmp_path):
    one = training(steps=30)
    before = {name: weight.clone() for name, weight in one._model.named_parameters() if not weight.requires_grad}
    fixed = one._lessons.batch(np.random.default_rng(9), 16, one._scales)
    with torch.no_grad():
        first = float(one.loss(fixed))
    one.run()
    with torch.no_grad():
        last = float(one.loss(fixed))
    assert last < 0.95 * first
    after = dict(one._model.named_parameters())
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert all("lora_" in name for name, weight in after.items() if weight.requires_grad)
    assert not any("vision_tower" in name for name in one._named)
    assert any("vision_tower" in name for name in training("eyes", lora=Lora(eyes=True))._named)
    assert (tmp_path / "run" / "curves.png").is_file()


def test_the_loss_is_that_of_transformers(training):
    one = training()
    batch = one._lessons.batch(np.random.default_rng(1), 4, one._scales)
    pixels = one._loaded.reader.pixels(batch.pixels, torch.device("cpu"), torch.float32)
    with torch.no_grad():
        theirs = one._model(
            state=batch.state, noise=batch.noise, timestep=batch.times, input_ids=batch.tokens, pixel_values=pixels,
            pixel_attention_mask=torch.ones(4, 2, dtype=torch.bool), attention_mask=batch.told, actions=batch.actions,
        ).loss
        torch.testing.assert_close(one.loss(batch), theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("within", [False, True], ids=["between steps", "within a step"])
def test_it_goes_on_to_the_bit(within, training, tmp_path):
    through = training("through", steps=6, lora=Lora(rank=4, alpha=8.0, dropout=0.1), parts=2)
    through.run()
    part = training("part", steps=6, lora=Lora(rank=4, alpha=8.0, dropout=0.1), parts=2)

    take = part._optimiser.step

    def stop(step, figures):
        if step == 3:
            raise KeyboardInterrupt

    def taken():
        take()
        if part.step == 2:
            signal.raise_signal(signal.SIGINT)  # the weights have moved, and nothing else yet

    if within:
        part._optimiser.step = taken
    with pytest.raises(KeyboardInterrupt):
        part.run(stop)
    rest = training("part", steps=6, lora=Lora(rank=4, alpha=8.0, dropout=0.1), parts=2)
    assert rest.step == 3
    rest.run()
    whole, resumed = weights_of(tmp_path / "through"), weights_of(tmp_path / "part")
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_what_was_saved_acts_as_what_was_trained(training, tmp_path, loaded, panda, seen, checkpoint):
    one = training()
    one.run()
    folder, observation = tmp_path / "run" / ADAPTER, seen(panda)
    assert is_vla(str(folder))
    assert {path.name for path in folder.iterdir() if path.suffix not in {".md"}} == {
        "adapter.json", "adapter_config.json", "adapter_model.safetensors", "norm_stats.json"}
    made = Pi0Policy(panda, load_adapter(folder))
    in_memory = replace(loaded(), model=one._model.base_model.model.eval(), statistics=one._scales)
    still = Pi0Policy(panda, in_memory).infer(observation, PICK)
    again = made.infer(observation, PICK)
    length = len(again)
    np.testing.assert_allclose(again.actions, still.actions[:length], atol=1e-4)
    assert length == 8 or again.final
    plain = Pi0Policy(panda, loaded()).infer(observation, PICK)
    assert np.abs(again.actions - plain.actions[:length]).max() > 1e-3
    assert list(made.skills) == ["pick"]
    check_policy(lambda: Pi0Policy(panda, load_adapter(folder)), panda, observation, [PICK])
    both = Pi0Flow(panda, load_adapter(f"pi0:{checkpoint}+{folder}"))
    np.testing.assert_allclose(both.infer(observation, PICK).actions[:length], again.actions, atol=1e-6)


@pytest.mark.parametrize(("said", "first"), [
    ([-1, -1, -1, 1, 1, 1], 3), ([-1, 0.4, -1, 0.9, -0.2, 1], 3), ([-1, -1, -1], 3), ([1, 1], 0), ([0, 0], 2),
    ([-0.3, 0.1, -0.2, 0.1], 3),
])
def test_the_end_is_where_a_step_fits_best(said, first):
    """One number above 0 among many below is no end."""
    assert first_over(np.array(said, float)) == first


def load_adapter(words):
    return load(named(str(words)), Options(device="cpu"))


@pytest.fixture
def adapter(training, tmp_path):
    training(steps=1).run()
    return tmp_path / "run" / ADAPTER


def test_an_adapter_drives_the_robot_that_it_was_made_for(adapter, panda, spec_of):
    model = load_adapter(adapter)
    with pytest.raises(SpecMismatch, match="robot"):
        Pi0Policy(spec_of("ur5e"), model)
    with pytest.raises(SpecMismatch, match="action_dt_s"):
        Pi0Policy(replace(panda, control_hz=10.0), model)
    with pytest.raises(SpecMismatch, match="keys"):
        Pi0Policy(panda, model, replace(keymap_for(model, panda, None), use=3))
    with pytest.raises(InvalidOption, match="was not shown home"):
        Pi0Policy(panda, model, skills={"home": SKILLS["home"]})


def altered(folder):
    weights = load_file(folder / "adapter_model.safetensors")
    save_file({name: weight + 1 for name, weight in weights.items()}, folder / "adapter_model.safetensors")


def other_statistics(folder):
    told = json.loads((folder / "norm_stats.json").read_text())
    told["norm_stats"]["state"]["mean"][0] += 1
    (folder / "norm_stats.json").write_text(json.dumps(told))


def other_base(folder):
    told = json.loads((folder / "adapter.json").read_text())
    told["base"]["digest"] = "0" * 64
    (folder / "adapter.json").write_text(json.dumps(told))


@pytest.mark.parametrize(("spoil", "words"), [
    (altered, "is not what was trained"), (other_statistics, "is not what was trained"),
    (lambda f: (f / "norm_stats.json").unlink(), "is incomplete"),
    (lambda f: (f / "adapter_model.safetensors").rename(f / "adapter_model.bin"), "is incomplete"),
    (lambda f: (f / "adapter.json").write_text("{"), "damaged"),
    (other_base, "other weights than those"),
], ids=["weights", "statistics", "no statistics", "pickled", "about", "base"])
def test_a_spoilt_adapter_is_refused(adapter, spoil, words):
    spoil(adapter)
    with pytest.raises(ModelUnusable, match=words):
        load_adapter(adapter)


def test_trainings_that_make_no_sense_are_refused(training, episode, loaded, panda):
    training("taken", steps=1).run()
    with pytest.raises(InvalidOption, match="another adapter"):
        training("taken", lora=Lora(rank=2))
    with pytest.raises(InvalidOption, match="equal parts"):
        training("parts", parts=3)
    with pytest.raises(InvalidOption, match="rank"):
        Lora(rank=0)
    model = loaded()
    made = keymap_for(model, panda, None), model.reader, 8, 32, TIMES
    with pytest.raises(UnusableDataset, match="no episode"):
        Lessons([], *made)
    with pytest.raises(UnusableDataset, match="lacks its words"):
        Lessons([replace(episode, sentences=())], *made)
    with pytest.raises(UnusableDataset, match="another body"):
        Lessons([episode, replace(episode, spec=replace(panda, control_hz=10.0).to_dict())], *made)
