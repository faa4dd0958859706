"""The stages of training the embedded model, each with its own folder, checkpoint and log.

1. `learn_words`: a tokenizer from the texts of the data.
2. `learn_shapes`: dense supervision of the vision tower on small cut-outs, where each patch counts.
3. `learn_to_see`: the same on whole pictures, with whereabouts and coordinates.
4. `learn_to_plan`: language alone, without pictures: plans from scenes in words. Cheap, and needs no eyes.
5. `learn_to_look`: everything together, with the eyes of 3 and the words of 4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import Qwen3VLForConditionalGeneration

from tandem.agent.planner.families.registry import family_of
from tandem.agent.planner.training import attention, samples
from tandem.agent.planner.training import tokenizer as words
from tandem.agent.planner.training.architecture import CELL, HEIGHT, WIDTH, build, configuration, patches
from tandem.agent.planner.training.dense import DenseHead, DenseTargets, dense_loss
from tandem.agent.planner.training.export import export
from tandem.agent.planner.training.language import language_loss
from tandem.agent.planner.training.loop import Schedule, Training
from tandem.agent.planner.training.questions import MIX, Writer, language_batches
from tandem.agent.planner.training.sources import Sources
from tandem.agent.planner.training.streams import cut_batches, dense_batches, held_out_pictures, side_by_side

CHECKED = 32  # held-out samples of each kind
Say = Callable[[str], None]


@dataclass(frozen=True)
class Workshop:
    """Where training happens.

    Attributes:
        data: folder of shards.
        folder: where stages put their checkpoints and logs.
        device: "cpu" or "cuda".
        seed: of what is drawn; the present step is added when one goes on.
        workers: processes that make batches; 0 makes them between steps.
    """

    data: Path
    folder: Path
    device: str = "cpu"
    seed: int = 0
    workers: int = 0

    @property
    def tokenizer(self) -> Tokenizer:
        """What `learn_words` wrote."""
        return Tokenizer.from_file(str(self.folder / "tokenizer.json"))

    def new_model(self) -> Qwen3VLForConditionalGeneration:
        """With random weights."""
        known = self.tokenizer
        config = configuration(known.get_vocab_size(), words.ids(known))
        model = build(config, [known.token_to_id(number) for number in words.NUMBERS], self.seed)
        model.set_attn_implementation(attention.NAME if self.device == "cpu" else "sdpa")
        return model.to(self.device)

    def grid(self) -> torch.Tensor:
        """Tokens of the numbers that coordinates are written with, in order."""
        known, step = self.tokenizer, 1000 // samples.GRID
        return torch.tensor([known.token_to_id(str(k * step)) for k in range(samples.GRID)], device=self.device)

    def writer(self) -> Writer:
        """Of this model's questions and answers."""
        known = self.tokenizer
        canvas = samples.canvas_of(family_of("qwen3_vl"), (WIDTH, HEIGHT))
        return Writer(known, canvas, (WIDTH // CELL) * (HEIGHT // CELL), words.ids(known)["pad"])


def learn_words(shop: Workshop, count: int = 2500, vocabulary: int = 2560) -> None:
    """Train the tokenizer, unless it is there."""
    path = shop.folder / "tokenizer.json"
    if path.exists():
        return
    rng, sources = np.random.default_rng(shop.seed), Sources.of(shop.data)
    canvas = samples.canvas_of(family_of("qwen3_vl"), (WIDTH, HEIGHT))
    texts: list[str] = []
    for _ in range(count):
        record = sources.any_record(rng)
        drawn = [samples.perceive(np.zeros((2, 2, 3), np.uint8), record["things"], canvas)]
        drawn += [sample for sample in (samples.plan(record, canvas, rng),) if sample]
        texts += [text for s in drawn for text in (*s.question.parts, s.answer) if isinstance(text, str)]
        texts += [drawn[0].question.system] if len(texts) < 20 else []
    shop.folder.mkdir(parents=True, exist_ok=True)
    words.train(texts, vocabulary).save(str(path))


def learn_shapes(shop: Workshop, schedule: Schedule, batch: int, say: Say) -> None:
    """What things are, from cut-outs; eight times as many in a batch as whole pictures."""
    _learn_densely(shop, "shapes", schedule, partial(cut_batches, shop.data, 8 * batch), say, whole=False)


def learn_to_see(shop: Workshop, schedule: Schedule, batch: int, say: Say) -> None:
    """What and where everything is, from whole pictures, after `learn_shapes`."""
    _learn_densely(shop, "see", schedule, partial(dense_batches, shop.data, batch), say, whole=True, after="shapes")


def _learn_densely(
    shop: Workshop, stage: str, schedule: Schedule, make: Callable[..., Iterator[Any]], say: Say, *, whole: bool,
    after: str | None = None,
) -> None:
    """The head is kept in the checkpoint and nowhere else."""
    model = shop.new_model()
    width = model.get_input_embeddings().weight.shape[1]
    head = DenseHead(width, width).to(shop.device)
    if after:
        before = torch.load(shop.folder / after / "checkpoint.pt", weights_only=True, map_location=shop.device)
        model.load_state_dict(before["model"])
        head.load_state_dict(before["head"])
    if shop.device == "cpu":
        attention.attend_evenly(model.model.visual)
    for name, weight in model.named_parameters():
        seen = "visual" in name and (whole or "pos_embed" not in name)  # a cut-out does not show where it is
        weight.requires_grad_(seen or (whole and "embed_tokens" in name))
    grid = shop.grid()

    def loss_of(drawn: tuple[torch.Tensor, DenseTargets], whole: bool = whole) -> tuple[torch.Tensor, dict[str, float]]:
        pixels, sizes = patches(drawn[0].to(shop.device))
        with torch.autocast(shop.device, dtype=torch.bfloat16):
            tokens = model.model.visual(pixels, sizes).pooler_output.view(len(drawn[0]), -1, width)
        table = model.get_input_embeddings().weight[grid]
        return dense_loss(head, tokens.float(), drawn[1].to(shop.device), table, whole=whole)

    @torch.no_grad()
    def check() -> dict[str, float]:
        return _mean([loss_of(drawn, whole=True)[1] for drawn in held_out_pictures(shop.data, 4 * CHECKED)])

    training = Training({"model": model, "head": head}, schedule, shop.folder / stage, say)
    training.run(side_by_side(make, (shop.seed, 1, training.step), shop.workers), loss_of, check)


def learn_to_plan(shop: Workshop, schedule: Schedule, batch: int, say: Say) -> None:
    """Plans from scenes in words; the eyes stay as they are."""
    mix = {"plan": 0.625, "recite": 0.375}
    _learn_language(shop, "plan", mix, schedule, batch, say, shop.new_model(), train_eyes=False)


def learn_to_look(shop: Workshop, schedule: Schedule, batch: int, say: Say, *, train_eyes: bool = False) -> None:
    """All four prompts, from the eyes of `learn_to_see` and, if it ran, the words of `learn_to_plan`."""
    model = shop.new_model()
    _graft(model, shop)
    _learn_language(shop, "look", MIX, schedule, batch, say, model, train_eyes=train_eyes)


def _graft(model: Qwen3VLForConditionalGeneration, shop: Workshop) -> None:
    """Eyes, and the embeddings of numbers that they were taught against, from one stage; the rest from the other."""
    seen = torch.load(shop.folder / "see" / "checkpoint.pt", weights_only=True, map_location="cpu")["model"]
    path = shop.folder / "plan" / "checkpoint.pt"
    said = torch.load(path, weights_only=True, map_location="cpu")["model"] if path.exists() else seen
    weights = {name: seen[name] if "visual" in name else said[name] for name in model.state_dict()}
    known = shop.tokenizer
    numbers = [known.token_to_id(number) for number in words.NUMBERS]
    for name in ("model.language_model.embed_tokens.weight", "lm_head.weight"):
        if name in weights:
            weights[name] = weights[name].clone()
            weights[name][numbers] = seen[name][numbers]
    model.load_state_dict(weights)


def _learn_language(
    shop: Workshop, stage: str, mix: Mapping[str, float], schedule: Schedule, batch: int, say: Say,
    model: Qwen3VLForConditionalGeneration, *, train_eyes: bool,
) -> None:
    for name, weight in model.named_parameters():
        weight.requires_grad_("visual" not in name or "merger" in name or train_eyes)
    writer, grid = shop.writer(), shop.grid()

    def loss_of(drawn):
        return language_loss(model, drawn.to(shop.device), grid)

    held = Sources.of(shop.data, held_out=True)
    rng = np.random.default_rng(0)
    checks = {kind: writer.several(kind, CHECKED, held, rng, vary=False) for kind in mix}

    @torch.no_grad()
    def check() -> dict[str, float]:
        figures: dict[str, float] = {}
        for kind, drawn in checks.items():
            parts = [loss_of(writer.batch(kind, drawn[k : k + 8]))[1] for k in range(0, CHECKED, 8)]
            figures |= {f"{kind}_{name}": value for name, value in _mean(parts).items()}
        return figures

    training = Training({"model": model}, schedule, shop.folder / stage, say)
    make = partial(language_batches, shop.data, writer, batch, mix)
    training.run(side_by_side(make, (shop.seed, 2, training.step), shop.workers), loss_of, check)


def _mean(figures: list[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([part[name] for part in figures if name in part])) for name in figures[0]}


def export_model(shop: Workshop, folder: Path) -> None:
    """Write what `learn_to_look` has reached as a checkpoint, with the settings that its prompts were taught with."""
    model = shop.new_model()
    saved = torch.load(shop.folder / "look" / "checkpoint.pt", weights_only=True, map_location="cpu")
    model.load_state_dict(saved["model"])
    export(model, shop.tokenizer, folder, {"show_picture": False, "terse": True})
