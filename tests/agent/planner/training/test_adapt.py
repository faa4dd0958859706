"""Adapters learn, go on where they were stopped, and become checkpoints; of episodes they learn what proved right."""

import dataclasses
import json
from collections import Counter

import numpy as np
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from small_checkpoints import build

from tandem.agent.loop import Agent
from tandem.agent.planner.babbler import Babbler
from tandem.agent.planner.families.registry import family_of
from tandem.agent.planner.family import Frame
from tandem.agent.planner.in_process.load import load
from tandem.agent.planner.in_process.model import InProcessModel
from tandem.agent.planner.in_process.options import Options
from tandem.agent.planner.model import Picture, Question
from tandem.agent.planner.planner import ModelPlanner
from tandem.agent.planner.record import picture_digest
from tandem.agent.planner.training.adapt import Adaptation, adapt
from tandem.agent.planner.training.exchange import Clerk, answer_loss
from tandem.agent.planner.training.from_logs import Wanted, from_logs
from tandem.agent.planner.training.loop import Schedule
from tandem.agent.planner.training.lora import Lora, targets
from tandem.agent.planner.training.samples import Sample
from tandem.agent.verify.judge import JudgeVerifier
from tandem.bridge.conformance import DummyBody, DummyPolicy, dummy_spec
from tandem.bridge.contract import EventKind, InvalidOption
from tandem.bridge.log import LogReader, PicturePolicy, Recorder

CPU = Options(device="cpu", dtype="float32")
SHOWN = Picture("front", np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
WORDS = {"type": "object", "properties": {"say": {"enum": ["left", "right"]}}, "required": ["say"],
         "additionalProperties": False}


class Two:
    """Two questions with opposite answers."""

    def __init__(self, sees):
        shown = (SHOWN,) if sees else ()
        self.samples = [
            Sample(Question("plan", "Answer.", (*shown, f"the {cube} cube"), WORDS, 64), f'{{"say":"{side}"}}')
            for cube, side in (("red", "left"), ("blue", "right"))
        ]

    def draw(self, rng):
        return self.samples[rng.integers(2)]

    def describe(self):
        return {"fixed": 2}


def how(steps=20, **changes):
    schedule = Schedule(steps, rate=5e-2, muon=0.0, warm=1, decay=0.0, every=5, save=100)
    return Adaptation(**{"schedule": schedule, "lora": Lora(8, 16, 0.1), "batch": 2, "longest": 600, **changes})


def taught(base, folder, options, say=lambda words: None):
    loaded = load(base, CPU)
    return adapt(loaded, {"two": (1.0, Two(loaded.checkpoint.family.sees))}, options, folder, say)


@pytest.fixture(scope="module", params=["qwen3_vl", "qwen3"])
def done(request, tmp_path_factory):
    """A small checkpoint, what it became, and what was said on the way."""
    torch.set_num_threads(1)
    folder, said = tmp_path_factory.mktemp(f"adapt_{request.param}"), []
    base = str(build(request.param, folder / "base"))
    settings = {"show_picture": False}
    taught(base, folder / "out", how(settings=settings), said.append)
    return base, folder / "out", said


def losses(model, base):
    """Of the two samples, as the base's own template lays them out."""
    loaded = load(base, CPU)
    clerk = Clerk(loaded)
    with torch.inference_mode():
        return [float(answer_loss(model, clerk.write(one))[0]) for one in Two(loaded.checkpoint.family.sees).samples]


def test_a_few_steps_lower_the_loss_and_the_merged_checkpoint_answers_like_base_and_adapter(done):
    base, out, said = done
    before = losses(load(base, CPU).model, base)
    adapted = PeftModel.from_pretrained(load(base, CPU).model, out / "adapter").eval()
    with_adapter = losses(adapted.get_base_model(), base)
    merged = InProcessModel(str(out / "merged"), CPU)
    assert losses(merged._model, base) == pytest.approx(with_adapter, rel=1e-3, abs=1e-4)
    assert max(with_adapter) < min(before) - 0.1  # random embeddings that stay as they are allow little more
    questions = [one.question for one in Two(merged.family.sees).samples]
    fresh = InProcessModel(base, CPU)
    fresh._model = fresh._reader._model = adapted.get_base_model()
    assert [a.value for a in merged.answer(questions)] == [a.value for a in fresh.answer(questions)]
    assert any(line.startswith("step 20/20") for line in said)
    assert (out / "training" / "log.csv").read_text().startswith("5,loss,")


def test_what_is_written_says_where_it_comes_from(done):
    base, out, _ = done
    about = json.loads((out / "merged" / "adapted.json").read_text())
    assert about["adapted_from"]["id"] == base
    assert len(about["adapted_from"]["digest"]) == 64
    assert about["data"] == {"two": {"share": 1.0, "fixed": 2}}
    assert (about["steps"], bool(about["versions"]["peft"])) == (20, True)
    assert json.loads((out / "merged" / "tandem.json").read_text()) == {"show_picture": False}
    config = json.loads((out / "adapter" / "adapter_config.json").read_text())
    assert (config["base_model_name_or_path"], config["r"], config["inference_mode"]) == (base, 8, True)


def test_eyes_and_output_stay_as_they_are(done):
    base, out, _ = done
    model = load(base, CPU).model
    names = targets(model, eyes=False)
    assert {name.rsplit(".", 1)[-1] for name in names} == {
        "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
    }
    assert not any("visual" in name or "lm_head" in name for name in names)
    assert set(names) <= set(targets(model, eyes=True))
    before, after = load_file(f"{base}/model.safetensors"), load_file(out / "merged" / "model.safetensors")
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {f"{name}.weight" for name in names}


def test_going_on_is_the_same_as_going_through(done, tmp_path):
    base, out, _ = done

    def stop(words):
        if words.startswith("step 10/"):
            raise KeyboardInterrupt

    options = how(settings={"show_picture": False})
    with pytest.raises(KeyboardInterrupt):
        taught(base, tmp_path, options, stop)
    assert not (tmp_path / "merged").exists()
    said = []
    taught(base, tmp_path, options, said.append)
    assert "going on from step 10" in said
    once, twice = (load_file(folder / "adapter" / "adapter_model.safetensors") for folder in (out, tmp_path))
    assert all(torch.equal(once[name], twice[name]) for name in once)
    with pytest.raises(InvalidOption, match="another adapter: its lora"):
        taught(base, tmp_path, how(lora=Lora(4), settings={"show_picture": False}))


def test_a_mixture_of_experts_gets_adapters_where_all_tokens_pass(tmp_path):
    names = targets(load(str(build("deepseek_v3", tmp_path)), CPU).model, eyes=False)
    assert {name.rsplit(".", 1)[-1] for name in names} == {
        "q_a_proj", "q_b_proj", "kv_a_proj_with_mqa", "kv_b_proj", "o_proj",
    }


def test_what_is_too_long_is_an_error_that_says_so(done, tmp_path):
    with pytest.raises(InvalidOption, match="no sample of at most 10 tokens"):
        taught(done[0], tmp_path, how(longest=10))


SPEC = dummy_spec()
QWEN = family_of("qwen3_vl")
ANY = Wanted(QWEN, lambda width, height: (width, height), outcome="any", excluded=range(0))


class Sure:
    """A model that plans one step at first and none afterwards, and judges as it is told."""

    def __init__(self, verdict="success", steps=1):
        self._babbler, self._verdict, self._steps = Babbler(seed=0), verdict, steps
        self.family, self.resized, self.describe = QWEN, self._babbler.resized, self._babbler.describe

    def answer(self, questions):
        return [self._one(question) for question in questions]

    def _one(self, question):
        value = {"perceive": {"things": []}, "judge": {"evidence": "seen", "verdict": self._verdict}}.get(question.kind)
        if value is None:
            value = {"feasible": True, "steps": [{"skill": "home"}] * self._steps}
            self._steps = 0
        [answer] = self._babbler.answer([question])
        call = {**answer.call, "reply": json.dumps(value)}
        return dataclasses.replace(answer, value=value, call=call)


def record(path, *, verdict="success", measured=True, seed=None, pictures=None):
    model = Sure(verdict)
    with Recorder(path, pictures=pictures or PicturePolicy(format="png")) as recorder:
        agent = Agent(
            DummyBody(SPEC), ModelPlanner(model), DummyPolicy(SPEC), JudgeVerifier(model, SPEC),
            measure=lambda subgoal: measured, score=lambda: (measured, 1.0), subscribers=[recorder],
        )
        agent.run("go home", seed=1, manifest={"seed": seed})
    return path


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """The log of an episode that went well, with a seed of evaluation."""
    return record(tmp_path_factory.mktemp("good") / "good.mcap", seed=7)


def calls_of(path):
    kinds = (EventKind.PLAN, EventKind.CALLS)
    return [call for event in LogReader(path).events() if event.kind in kinds for call in event.data.get("calls", ())]


def test_an_episode_gives_samples_with_the_very_pictures_that_were_looked_at(good):
    found = from_logs([good], dataclasses.replace(ANY, outcome="measured"))
    assert Counter(one.kind for one in found.recorded) == {"perceive": 2, "plan": 1, "replan": 1, "judge": 1}
    recorded = {json.dumps([c["kind"], c["system"], *[p if isinstance(p, str) else p["sha256"] for p in c["parts"]]])
                for c in calls_of(good)}
    for one in found.recorded:
        sample = one.sample()
        parts = [part if isinstance(part, str) else picture_digest(part.pixels) for part in sample.question.parts]
        assert json.dumps([sample.question.kind, sample.question.system, *parts]) in recorded
        assert " " not in sample.answer.replace("seen", "")
    assert found.draw(np.random.default_rng(0)).answer
    assert found.describe()["used"] == 1


def test_only_what_proved_right_is_learnt(tmp_path):
    wrong = from_logs([record(tmp_path / "wrong.mcap", measured=False)], ANY)
    assert {one.kind for one in wrong.recorded} <= {"perceive", "replan"}
    assert wrong.left_out["calls that led to a failed attempt"] == 2
    assert wrong.left_out["judgements that nothing proves"] == 1
    strict = from_logs([tmp_path / "wrong.mcap"], dataclasses.replace(ANY, outcome="measured"))
    assert (len(strict), strict.left_out) == (0, {"logs of episodes that did not succeed": 1})


def test_seeds_of_evaluation_are_passed_over(good):
    found = from_logs([good], Wanted(QWEN, ANY.resized))
    assert (len(found), found.left_out) == (0, {"logs of seeds 0:100000, which are left to evaluation": 1})
    assert len(from_logs([good], ANY)) == 5


def test_what_cannot_be_learnt_is_counted(good, tmp_path):
    blind = from_logs([good], dataclasses.replace(ANY, family=family_of("qwen3")))
    assert blind.left_out == {"calls with a picture, for a model that reads text only": 5}
    pixels = dataclasses.replace(QWEN, frame=Frame.RESIZED_PIXELS)
    other = from_logs([good], dataclasses.replace(ANY, family=pixels))
    assert other.left_out == {"calls with points in another frame": 5}
    bare = record(tmp_path / "bare.mcap", pictures=PicturePolicy(every=0))
    assert from_logs([bare], ANY).left_out == {"calls whose picture is not in their log": 5}
    (tmp_path / "none.mcap").write_bytes(b"no log")
    assert from_logs([tmp_path / "none.mcap"], ANY).left_out == {"logs that cannot be read": 1}
    with pytest.raises(InvalidOption, match="measured, seen, any"):
        dataclasses.replace(ANY, outcome="lucky")
