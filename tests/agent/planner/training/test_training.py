"""Training the embedded model from the first word to a checkpoint that plans, on drawn tables, in seconds."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tandem.agent.planner import prompting
from tandem.agent.planner.in_process.model import InProcessModel
from tandem.agent.planner.in_process.options import Options
from tandem.agent.planner.model import Picture, Question
from tandem.agent.planner.terse import Terse, terse
from tandem.agent.planner.training import chat, samples, stages, words
from tandem.agent.planner.training.architecture import CELL, CELLS, HEIGHT, WIDTH, patches
from tandem.agent.planner.training.export import average
from tandem.agent.planner.training.eyes import Eyes
from tandem.agent.planner.training.glimpse import Glimpse
from tandem.agent.planner.training.loop import Schedule, Training
from tandem.agent.planner.training.mind import Mind, places_of
from tandem.agent.planner.training.shards import Shards
from tandem.agent.planner.training.streams import side_by_side
from tandem.agent.planner.training.windows import whole_batches, window_batches
from tandem.bridge.contract import InvalidOption

COLOURS = {"red": (200, 30, 30), "blue": (30, 60, 200), "green": (30, 160, 60)}


def draw_shard(path, rng, worlds=4):
    """Squares on a table, two views of each."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path.with_suffix(".images"), "wb") as images, open(path, "w", encoding="utf-8") as lines:
        for seed in range(worlds):
            for view in range(2):
                picture, things = np.full((HEIGHT, WIDTH, 3), 150, np.uint8), []
                labels = np.full((HEIGHT // 4, WIDTH // 4), 255, np.uint8)
                for colour, rgb in COLOURS.items():
                    x, y = rng.integers(20, WIDTH - 20), rng.integers(60, HEIGHT - 20)
                    picture[y - 10 : y + 10, x - 10 : x + 10] = rgb
                    labels[(y - 10) // 4 : (y + 10) // 4, (x - 10) // 4 : (x + 10) // 4] = len(things)
                    thing = {"name": f"{colour} cube", "u": x / WIDTH, "v": y / HEIGHT, "where": "on the table"}
                    things.append(thing)
                data = cv2.imencode(".jpg", picture[..., ::-1])[1].tobytes()
                shown = cv2.imencode(".png", labels)[1].tobytes()
                record = {
                    "task": "stack", "seed": seed, "view": view, "things": things,
                    "instruction": "put the red cube on the blue cube", "infeasible": None, "at": images.tell(),
                    "steps": [{"skill": "pick", "object": "red cube"},
                              {"skill": "stack_on", "object": "red cube", "target": "blue cube"}],
                    "bytes": len(data), "label_bytes": len(shown),
                }
                lines.write(json.dumps(record) + "\n")
                images.write(data + shown)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A workshop in which every stage has taken two steps."""
    folder, rng = tmp_path_factory.mktemp("planner"), np.random.default_rng(0)
    for k in range(2):
        draw_shard(folder / "data" / "pictures" / f"shard-{k}.jsonl", rng)
    torch.set_num_threads(1)
    made = stages.Workshop(folder / "data", folder / "run")
    stages.learn_words(made, count=60, vocabulary=2000)
    told = []
    with pytest.MonkeyPatch.context() as fewer:
        fewer.setattr(stages, "CHECKED", 6)  # held-out samples: looking at all of them takes minutes
        for learn in (stages.learn_to_see, stages.learn_to_survey, stages.learn_to_think, stages.learn_to_look):
            learn(made, Schedule(2, warm=1, every=1, save=2), 2, told.append)
        assert any("check_perceive_token" in line for line in told)
        yield made


@pytest.fixture(scope="module")
def tiny(shop, tmp_path_factory):
    """The checkpoint that comes of it, loaded as any other."""
    folder = tmp_path_factory.mktemp("tiny")
    stages.export_model(shop, folder)
    assert (folder / "model.safetensors").stat().st_size < 25 * 2**20
    assert json.loads((folder / "tandem.json").read_text()) == {
        "show_picture": False, "terse": True, "glance_again": 40, "point_step": 5,
    }
    return InProcessModel(str(folder), Options(device="cpu"))


def test_training_goes_on_from_a_checkpoint_with_batches_made_elsewhere(shop, tiny, tmp_path):
    """The way that a GPU takes: no earlier stage here, processes that make the batches."""
    more = replace(shop, folder=tmp_path, start=Path(tiny.describe()["id"]), workers=1)
    stages.learn_words(more)
    stages.learn_to_look(more, Schedule(1, warm=1, every=1, save=1), 2, lambda words: None)
    before, learned = more.new_model().model.language_model, more.new_model().model.language_model
    more.take(("look",), tower=learned)
    before, after = before.state_dict(), learned.state_dict()
    assert any((before[name] != after[name]).any() for name in before)
    with pytest.raises(InvalidOption, match="see"):
        replace(more, start=None).take(("see",))


def test_an_average_lies_between_its_checkpoints_and_loads_as_they_do(shop, tiny, tmp_path):
    first, second = Path(tiny.describe()["id"]), tmp_path / "second"
    stages.export_model(shop, second)
    other = load_file(second / "model.safetensors")
    save_file({name: weight + 1 for name, weight in other.items()}, second / "model.safetensors", {"format": "pt"})
    average((first, second), tmp_path / "mean")
    ours, theirs = load_file(tmp_path / "mean" / "model.safetensors"), load_file(first / "model.safetensors")
    for name, weight in theirs.items():
        torch.testing.assert_close(ours[name].float(), weight.float() + 0.5, atol=0.02, rtol=0.01)
    assert InProcessModel(str(tmp_path / "mean"), Options(device="cpu")).family.name == tiny.family.name
    for wrong in ((first,), (first, tmp_path)):
        with pytest.raises(InvalidOption):
            average(wrong, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def question(shop, size=(480, 640)):
    picture = np.random.default_rng(0).integers(0, 255, (*size, 3), dtype=np.uint8)
    return terse(prompting.perceive(Picture("front", picture), shop.writer().canvas))


def test_a_question_has_the_same_tokens_in_training_and_in_deployment(shop, tiny):
    writer, asked = shop.writer(), question(shop)
    everything = Glimpse(np.arange(CELLS[0] * CELLS[1]), np.zeros((CELLS[0] * CELLS[1], 256), np.float32))
    laid = chat.lay_out(samples.Sample(asked, ""), (everything,), writer.tokenizer)
    stop = len(writer.tokenizer.encode("<|im_end|>").ids)
    assert laid.ids[:-stop] == tiny._chat.prompt(asked, thinking=False).ids[0].tolist()


def test_a_note_stands_at_the_last_token_of_its_name(shop):
    tokenizer = shop.tokenizer
    text = "Instruction: lift the red cube"
    sample = samples.Sample(Question("plan", "plan", (text,), {}), "{}", {len(text): "there"})
    laid = chat.lay_out(sample, (), tokenizer)
    (place,) = [k for k, note in enumerate(laid.noted) if note != chat.IGNORE]
    assert tokenizer.decode(laid.ids[: place + 1], skip_special_tokens=False).endswith("lift the red cube")
    assert laid.noted[place] == tokenizer.encode("there").ids[0]


def test_an_aside_tells_at_a_name_in_the_answer_how_far_down_the_thing_is(shop):
    things = [{"name": "gear", "u": 0.5, "v": 0.75, "where": "in the gear slot"},
              {"name": "gear slot", "u": 0.5, "v": 0.3, "where": "on the table"}]
    writer = shop.writer()
    sample = samples.perceive(np.zeros((2, 2, 3), np.uint8), things, writer.canvas, as_given=True)
    glimpse = Glimpse(np.arange(4), np.zeros((4, 256), np.float32))
    laid = chat.lay_out(sample, (glimpse,), writer.tokenizer)
    word = writer.tokenizer.id_to_token
    told = [(word(token), word(note)) for token, note in zip(laid.ids, laid.noted, strict=True) if note != chat.IGNORE]
    assert told == [("gear", "750"), ("gear slot", "300")]


def test_whole_pictures_become_the_same_tokens_in_training_and_in_deployment(tiny):
    tower = tiny._model.model.visual
    pictures = torch.from_numpy(np.random.default_rng(1).integers(0, 255, (2, HEIGHT, WIDTH, 3), dtype=np.uint8))
    with torch.no_grad():
        ours, _ = Eyes(tower)(pictures, torch.zeros(2, 2, dtype=torch.long))
        theirs = tower(*patches(pictures)).pooler_output
    assert torch.allclose(ours.flatten(0, 1), theirs, atol=1e-4)


def test_a_window_keeps_its_place_in_the_picture(tiny):
    eyes = Eyes(tiny._model.model.visual)
    window = torch.from_numpy(np.random.default_rng(1).integers(0, 255, (1, 160, 160, 3), dtype=np.uint8))
    with torch.no_grad():
        here, there = (eyes(window, torch.tensor([corner]))[0] for corner in ((1, 3), (7, 11)))
    assert not torch.allclose(here, there, atol=1e-3)


def test_the_text_tower_reads_pictures_the_same_in_training_and_in_deployment(shop, tiny):
    asked, model = question(shop), tiny._model
    prompt = tiny._chat.prompt(asked, thinking=False)
    with torch.no_grad():
        theirs = model.model(input_ids=prompt.ids, **prompt.others).last_hidden_state
        codes, _ = Eyes(model.model.visual)(torch.from_numpy(asked.parts[0].pixels)[None], torch.zeros(1, 2).long())
        image = model.config.image_token_id
        places = places_of(prompt.ids[0].numpy(), image, [np.arange(CELLS[0] * CELLS[1])])
        ours = Mind(model.model.language_model, image)(prompt.ids, torch.from_numpy(places)[:, None], codes[0])
    assert torch.allclose(ours, theirs, atol=1e-3)


def test_a_picture_of_the_models_size_has_the_same_pixels_in_training_and_in_deployment(shop, tiny):
    asked = question(shop, (HEIGHT, WIDTH))
    pixels, grid = patches(torch.from_numpy(asked.parts[0].pixels)[None])
    others = tiny._chat.prompt(asked, thinking=False).others
    assert torch.equal(grid, others["image_grid_thw"])
    assert torch.allclose(pixels, others["pixel_values"], atol=1e-5)
    assert tiny.resized(640, 480) == (WIDTH, HEIGHT)


def test_what_hardly_learned_answers_within_its_schema_all_the_same(shop, tiny):
    [answer] = Terse(tiny).answer([question(shop)])
    assert set(answer.value) == {"things"}
    assert answer.call["system"] == "perceive"


def test_the_exported_model_computes_what_the_trained_one_does(shop, tiny):
    trained = shop.new_model()
    saved = torch.load(shop.folder / "look" / "checkpoint.pt", weights_only=True)
    trained.model.language_model.load_state_dict(saved["tower"])
    for weight in trained.parameters():  # a checkpoint holds bfloat16
        weight.data = weight.data.bfloat16().to(tiny._model.dtype)
    ids = torch.tensor([shop.tokenizer.encode("- red cube at [500, 20], on the table").ids])
    with torch.no_grad():
        ours, theirs = (model(input_ids=ids).logits[0] for model in (trained, tiny._model))
    torch.testing.assert_close(ours, theirs)


def test_a_training_that_was_stopped_ends_as_if_it_had_not_been(tmp_path):
    def train(folder, stops):
        for steps in stops:
            torch.manual_seed(0)
            model = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.GELU(), torch.nn.Linear(8, 2))
            training = Training({"model": model}, Schedule(8, warm=2, save=100), folder)
            stream = (torch.Generator().manual_seed(k) for k in range(training.step, 100))
            batches = (torch.randn(4, 6, generator=generator) for generator in stream)
            taken = []

            def loss_of(batch, model=model, taken=taken, steps=steps):
                if steps is not None and len(taken) == steps:
                    raise KeyboardInterrupt
                taken.append(batch)
                return model(batch).square().mean(), {}

            if steps is None:
                training.run(batches, loss_of)
            else:
                with pytest.raises(KeyboardInterrupt):
                    training.run(batches, loss_of)
        return [weight.detach() for weight in model.parameters()]

    through = train(tmp_path / "a", [None])
    again = train(tmp_path / "b", [3, 2, None])
    assert all(torch.equal(a, b) for a, b in zip(through, again, strict=True))


def test_a_folder_without_shards_is_told(tmp_path):
    with pytest.raises(InvalidOption, match="holds no shards"):
        Shards(tmp_path)


def test_a_folder_without_words_or_checkpoints_is_told(shop, tmp_path):
    with pytest.raises(InvalidOption, match="json is missing"):
        stages.export_model(stages.Workshop(shop.data, tmp_path), tmp_path / "tiny")
    (tmp_path / "tokenizer.json").write_bytes((shop.folder / "tokenizer.json").read_bytes())
    with pytest.raises(InvalidOption, match="no checkpoint of survey or see"):
        stages.export_model(stages.Workshop(shop.data, tmp_path), tmp_path / "tiny")


def test_batches_made_by_processes_are_drawn_apart(shop):
    batches = side_by_side(partial(whole_batches, shop.data, 2), (0, 1), 2)
    pictures = [next(batches).pictures for _ in range(4)]
    assert all(picture.shape == (2, HEIGHT, WIDTH, 3) for picture in pictures)
    assert not torch.equal(pictures[0], pictures[1])


def test_what_a_window_shows_lies_where_it_is_said_to_lie(shop):
    drawn = next(window_batches(shop.data, 40, np.random.default_rng(0)))
    assert len(drawn.batch)
    for number, bins, (colour, kind, *_) in zip(drawn.batch, drawn.bins, drawn.words, strict=True):
        at = bins / 200 * torch.tensor([WIDTH, HEIGHT]) - drawn.corners[number].flip(0) * CELL
        x, y = at.round().int().tolist()
        shown = drawn.pictures[number, y, x].float()
        assert COLOURS[words.COLOURS[colour]][shown.argmax()] == max(COLOURS[words.COLOURS[colour]])
        assert words.KINDS[kind] == "cube"
    labelled = drawn.patches[..., 1] >= 0
    assert labelled.any()
    assert drawn.offsets[labelled].abs().max() < 20  # squares of 20 pixels around their points

