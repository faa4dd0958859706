"""The in-process backend: what it refuses and with which words, and that its shortcuts change no answer."""

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from small_questions import PICTURE, WORDS, plan

from tandem.agent.planner.in_process import device
from tandem.agent.planner.in_process.memory import estimate
from tandem.agent.planner.in_process.model import InProcessModel
from tandem.agent.planner.in_process.options import Options, Sampling
from tandem.agent.planner.model import Picture, Question
from tandem.bridge.contract import InvalidOption, MissingDependency, ModelUnusable, PlannerFailed, UnknownName


@pytest.fixture
def copy(checkpoint, tmp_path):
    """A small Qwen3-VL to be damaged."""
    return Path(shutil.copytree(checkpoint("qwen3_vl"), tmp_path / "copy"))


def _no_config(folder):
    (folder / "config.json").unlink()


def _no_weights(folder):
    (folder / "model.safetensors").unlink()


def _pickled(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def _cut_short(folder):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:2000])


def _shard_missing(folder):
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    shards = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))


def _deeper_than_its_weights(folder):
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["num_hidden_layers"] += 1
    (folder / "config.json").write_text(json.dumps(config))


def _no_processor(folder):
    for file in (*folder.glob("*processor*"), *folder.glob("tokenizer*")):
        file.unlink()


def _no_template(folder):
    (folder / "chat_template.jinja").unlink()


def _garbled(folder):
    (folder / "config.json").write_text("{")


@pytest.mark.parametrize("damage, words", [
    (_no_config, "no config.json"), (_garbled, "config.json is damaged"), (_no_weights, "has no weights"),
    (_pickled, "safetensors only"), (_cut_short, "model.safetensors is damaged"),
    (_shard_missing, "weights are missing: model-00002-of-00002"), (_deeper_than_its_weights, "another configuration"),
    (_no_processor, "processor"), (_no_template, "chat template"),
])
def test_a_checkpoint_that_is_not_whole_is_refused_with_the_reason(copy, damage, words):
    damage(copy)
    with pytest.raises(ModelUnusable, match=words):
        InProcessModel(str(copy))


def test_a_model_that_is_nowhere_is_refused(tmp_path):
    with pytest.raises(ModelUnusable, match="no such folder"):
        InProcessModel(str(tmp_path / "nothing"))


def test_a_family_that_is_not_known_is_named_with_those_that_are(copy):
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "model_type": "bert"}))
    with pytest.raises(UnknownName, match=r"'bert'.*qwen3_vl"):
        InProcessModel(str(copy))


def test_code_that_comes_with_a_checkpoint_is_not_run(copy):
    config = json.loads((copy / "config.json").read_text())
    config["auto_map"] = {"AutoConfig": "evil.Config", "AutoModelForImageTextToText": "evil.Model"}
    (copy / "config.json").write_text(json.dumps(config))
    (copy / "evil.py").write_text("raise SystemExit('it ran')")
    model = InProcessModel(str(copy))
    assert type(model._model).__module__.startswith("transformers.models.")


def test_what_does_not_fit_is_refused_with_the_numbers_before_any_weight_is_touched(copy):
    (copy / "model.safetensors").write_bytes(b"not read")
    free = device.free_bytes(torch.device("cpu")) / 1e9
    with pytest.raises(ModelUnusable, match=r"does not fit on cpu: .* billion parameters need .* GB are free"):
        InProcessModel(str(copy), Options(reserve_gb=free + 1))


def test_the_estimate_counts_what_the_model_has(checkpoint):
    model = InProcessModel(checkpoint("qwen3_vl"))
    need = estimate(model._model.config, True, torch.float32, model.options)
    assert need.parameters == sum(parameter.numel() for parameter in model._model.parameters())
    assert need.weights == 4 * need.parameters
    text = model._model.config.text_config
    row = 2 * text.num_key_value_heads * text.head_dim * 4
    assert need.cache == 2 * text.num_hidden_layers * row * model.context


def test_weights_in_few_bits_need_what_is_not_here(checkpoint, monkeypatch):
    with pytest.raises(InvalidOption, match="8-bit weights need CUDA"):
        InProcessModel(checkpoint("qwen3_vl"), Options(bits=8, device="cpu"))
    monkeypatch.setattr("transformers.utils.is_bitsandbytes_available", lambda: False)
    with pytest.raises(MissingDependency, match="pip install bitsandbytes"):
        device.check_bits(Options(bits=4), torch.device("cuda"))


def test_options_without_meaning_are_refused():
    for wrong in ({"device": "tpu"}, {"bits": 3}, {"dtype": "int8"}, {"reserve_gb": -1}):
        with pytest.raises(InvalidOption):
            Options(**wrong)
    for temperature in (-1, float("nan"), float("inf")):
        with pytest.raises(InvalidOption):
            Sampling(temperature=temperature)


def test_the_log_learns_which_weights_answered(checkpoint):
    folder = checkpoint("qwen3_vl")
    model = InProcessModel(folder)
    digest = hashlib.sha256((Path(folder) / "model.safetensors").read_bytes()).hexdigest()
    assert model.describe()["digest"] == digest
    assert model.answer([plan(model)])[0].call["model"]["digest"] == digest


def test_ten_thousand_words_are_refused_before_they_are_read(checkpoint):
    model = InProcessModel(checkpoint("qwen3_vl"))
    model._reader = None
    question = Question("plan", "You plan.", (PICTURE, "put the red cube away " * 2000), {"const": 1})
    with pytest.raises(PlannerFailed, match=r"the question has \d{5} tokens .* the context holds 4096"):
        model.answer([question])


def test_an_answer_that_does_not_fit_is_a_failure_with_its_exchange(checkpoint):
    model = InProcessModel(checkpoint("qwen3_vl"))
    question = dataclasses.replace(plan(model), max_tokens=6)
    with pytest.raises(PlannerFailed, match=r"does not fit: .* 6 are allowed") as failure:
        model.answer([question])
    assert failure.value.calls[0]["kind"] == "plan"
    assert failure.value.calls[0]["error"]


def test_the_kept_prefix_changes_no_logit(checkpoint):
    model = InProcessModel(checkpoint("qwen3_vl"))
    question = plan(model)
    prompt, shared = model._chat.prompt(question, thinking=False), model._chat.shared(question, thinking=False)
    assert len(shared) > 50
    with torch.inference_mode():
        model._reader.read(prompt, shared)
        again, fresh = model._reader.read(prompt, shared), model._reader.read(prompt, ())
    assert again.cached == len(shared)
    assert fresh.cached == 0
    assert torch.equal(again.position, fresh.position)
    torch.testing.assert_close(again.logits, fresh.logits, rtol=1e-4, atol=1e-5)
    for mine, theirs in zip(again.cache.layers, fresh.cache.layers, strict=True):
        torch.testing.assert_close(mine.keys, theirs.keys, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("model_type", ["qwen3_vl", "qwen2_5_vl", "deepseek_vl", "internvl", "qwen3"])
def test_the_cache_of_fixed_size_changes_no_answer(checkpoint, model_type):
    """The way that CUDA takes, without its graphs."""
    growing = InProcessModel(checkpoint(model_type), Options(context=2048))
    fixed = InProcessModel(checkpoint(model_type), Options(context=2048, accelerate_decoding=True))
    assert fixed.describe()["accelerated"]
    for words in WORDS:
        question = plan(growing, words)
        replies = [model.answer([question])[0].call["reply"] for model in (growing, fixed)]
        assert replies[0] == replies[1]


def test_models_that_cannot_be_fixed_say_so(checkpoint):
    for model_type in ("gemma3", "gpt_oss", "qwen3_moe"):
        model = InProcessModel(checkpoint(model_type), Options(accelerate_decoding=True))
        assert not model.describe()["accelerated"]


@pytest.mark.parametrize("model_type", ["qwen3", "qwen3_vl", "kimi_k25", "minimax_m3_vl", "gpt_oss", "deepseek_v3"])
def test_a_thinking_model_thinks_within_its_budget_and_then_answers(checkpoint, model_type):
    model = InProcessModel(checkpoint(model_type), Options(think_tokens=12, sampling=Sampling(temperature=1.0)))
    opens, closes = (words.strip() for words in model.family.think)
    question = plan(model)
    prompt = model._tokenizer.decode(model._chat.prompt(question, thinking=True).ids[0])
    assert prompt.rstrip().endswith(opens)
    for answer in model.answer([question] * 4):
        thoughts = model._chat.encode(answer.call["thinking"])
        assert len(thoughts) <= 12 * 4  # a token may be cut differently when its text is read again
        assert closes not in answer.call["thinking"]
        assert answer.value["feasible"] in (True, False)
    plain = model._chat.prompt(question, thinking=False)
    assert not model._tokenizer.decode(plain.ids[0]).rstrip().endswith(opens)


def test_sampling_repeats_itself_from_its_seed(checkpoint):
    def replies(seed):
        model = InProcessModel(checkpoint("qwen3_vl"), Options(sampling=Sampling(1.0, 0.9, seed)))
        return [answer.call["reply"] for answer in model.answer([plan(model, steps=4)] * 8)]

    assert replies(1) == replies(1) != replies(2)


def test_pictures_stand_where_they_were_put(checkpoint):
    """Two pictures, and the words around them, in order."""
    model = InProcessModel(checkpoint("qwen3_vl"))
    other = Picture("after", np.zeros((64, 64, 3), np.uint8))
    question = Question("judge", "You judge.", ("Before:", PICTURE, "After:", other, "Done?"), {"const": 1})
    prompt = model._chat.prompt(question, thinking=False)
    text = model._tokenizer.decode(prompt.ids[0])
    grids = [rows * columns // 4 for _, rows, columns in prompt.others["image_grid_thw"].tolist()]
    runs = [len(part.split("<|vision_end|>")[0]) // len("<|image_pad|>") for part in text.split("<|vision_start|>")[1:]]
    assert runs == grids == [12, 4]
    assert text.index("Before:") < text.index("<|image_pad|>") < text.index("After:") < text.index("Done?")


def test_a_text_only_model_is_shown_no_picture(checkpoint):
    model = InProcessModel(checkpoint("qwen3"))
    with pytest.raises(PlannerFailed, match="reads text only"):
        model.answer([Question("perceive", "You see.", (PICTURE, "What is there?"), {"const": 1})])
