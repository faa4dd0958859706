"""The stages of training the embedded model, each with its own folder, checkpoint and log.

1. `learn_words`: a tokenizer from the texts of the data.
2. `learn_to_see`: the vision tower learns to write the code (`codes`), on windows of pictures.
3. `learn_to_survey`: the same on whole pictures.
4. `learn_to_think`: the text tower learns all prompts; where they have pictures it imagines what eyes would write. It
   needs no eyes, so this can run beside 2 and 3.
5. `learn_to_look`: the text tower goes on with what the eyes make of real pictures.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import nn
from transformers import Qwen3VLForConditionalGeneration

from tandem.agent.planner.families.registry import family_of
from tandem.agent.planner.training import samples
from tandem.agent.planner.training import tokenizer as words
from tandem.agent.planner.training.architecture import CELL, CELLS, HEIGHT, WIDTH, build, configuration
from tandem.agent.planner.training.dense import PatchHead, dense_loss
from tandem.agent.planner.training.export import export
from tandem.agent.planner.training.eyes import Eyes
from tandem.agent.planner.training.language import Batch, language_loss
from tandem.agent.planner.training.loop import Schedule, Training
from tandem.agent.planner.training.mind import Mind
from tandem.agent.planner.training.precision import mixed
from tandem.agent.planner.training.questions import MIX, Writer, language_batches
from tandem.agent.planner.training.sources import Sources
from tandem.agent.planner.training.streams import side_by_side
from tandem.agent.planner.training.views import Either, Imagined, Remembered, Views, spread
from tandem.agent.planner.training.windows import Windows, held_out, whole_batches, window_batches
from tandem.bridge.contract import InvalidOption

NAME_WORTH, DECISION_WORTH = 2.0, 4.0
CHECKED = 96  # held-out samples of each kind
LOOKED_AT = {"cpu": 8, "cuda": 64}  # pictures at a time
REMEMBERED = {"cpu": 2400, "cuda": 12000}  # pictures, 98 kB each and half a second of a CPU
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
        compiled: fuse operations with `torch.compile`.
        start: folder of an exported checkpoint, whose words and weights training goes on from.
    """

    data: Path
    folder: Path
    device: str = "cpu"
    seed: int = 0
    workers: int = 0
    compiled: bool = False
    start: Path | None = None

    @property
    def tokenizer(self) -> Tokenizer:
        """What `learn_words` wrote; `InvalidOption` if it has not run."""
        path = self.folder / "tokenizer.json"
        if not path.exists():
            raise InvalidOption(f"{path} is missing; --folder is where `train` wrote its words and checkpoints")
        return Tokenizer.from_file(str(path))

    def new_model(self) -> Qwen3VLForConditionalGeneration:
        """With random weights, or those of `start`."""
        known = self.tokenizer
        config = configuration(known.get_vocab_size(), words.ids(known))
        model = build(config, [known.token_to_id(number) for number in words.NUMBERS], self.seed)
        if self.start is not None:
            _begin_with(model, self.start)
        return model.to(self.device)

    def eyes(self) -> Eyes:
        """As the last stage that taught them left them."""
        tower = self.new_model().model.visual
        self.take(("survey", "see"), tower=tower)
        return Eyes(tower).to(self.device).eval()

    def take(self, learned: Sequence[str], **parts: nn.Module) -> None:
        """Give these parts the weights that the first of these stages that has run left them.

        When none has, they stay as `start` has them; `InvalidOption` if there is no start either.
        """
        paths = [self.folder / stage / "checkpoint.pt" for stage in learned]
        path = next((path for path in paths if path.exists()), None)
        if path is None and self.start is None:
            raise InvalidOption(f"{self.folder} has no checkpoint of {' or '.join(learned)}; train that first")
        if path is not None:
            saved = torch.load(path, weights_only=True, map_location=self.device)
            for name, part in parts.items():
                part.load_state_dict(saved[name])

    def grid(self) -> torch.Tensor:
        """Tokens of the numbers that coordinates are written with, in order."""
        known, step = self.tokenizer, 1000 // samples.GRID
        return torch.tensor([known.token_to_id(str(k * step)) for k in range(samples.GRID)], device=self.device)

    def worth(self) -> torch.Tensor:
        """How much each word of an answer counts: choices more than what follows from them."""
        known = self.tokenizer
        worth = torch.ones(known.get_vocab_size(), device=self.device)
        worth[[known.token_to_id(name) for name in words.NAMES]] = NAME_WORTH
        worth[[known.token_to_id(word) for word in words.DECISIONS]] = DECISION_WORTH
        return worth

    def writer(self) -> Writer:
        """Of this model's questions and answers."""
        ids = words.ids(self.tokenizer)
        canvas = samples.canvas_of(family_of("qwen3_vl"), (WIDTH, HEIGHT))
        return Writer(self.tokenizer, canvas, ids["image"], ids["pad"])


def learn_words(shop: Workshop, count: int = 2500, vocabulary: int = 2560) -> None:
    """Train the tokenizer, unless it is there."""
    path = shop.folder / "tokenizer.json"
    if path.exists():
        return
    shop.folder.mkdir(parents=True, exist_ok=True)
    if shop.start is not None:
        shutil.copy(shop.start / "tokenizer.json", path)
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
    words.train(texts, vocabulary).save(str(path))


def _begin_with(model: Qwen3VLForConditionalGeneration, folder: Path) -> None:
    """Take the weights of an exported checkpoint; `InvalidOption` if it is of another architecture."""
    path = folder / "model.safetensors"
    try:
        model.load_state_dict({"lm_head.weight": model.lm_head.weight, **load_file(path)})
    except (OSError, RuntimeError) as reason:
        raise InvalidOption(f"{path} is no checkpoint to begin with: {str(reason)[:300]}") from reason


def learn_to_see(shop: Workshop, schedule: Schedule, batch: int, say: Say) -> None:
    """What things are and where, from windows; twice as many small ones in a batch."""
    _learn_densely(shop, "see", schedule, partial(window_batches, shop.data, 2 * batch), say)


def learn_to_survey(shop: Workshop, schedule: Schedule, batch: int, say: Say) -> None:
    """The same on whole pictures, after `learn_to_see`; a sixth as many in a batch."""
    make = partial(whole_batches, shop.data, max(1, batch // 6))
    _learn_densely(shop, "survey", _milder(schedule), make, say, after="see")


def _learn_densely(
    shop: Workshop, stage: str, schedule: Schedule, make: Callable[..., Iterator[Windows]], say: Say, *,
    after: str | None = None,
) -> None:
    """The head is kept in the checkpoint and nowhere else."""
    model = shop.new_model()
    tower = model.model.visual
    eyes = Eyes(tower, compiled=shop.compiled).to(shop.device)
    head = PatchHead(tower.config.hidden_size).to(shop.device)
    if after:
        shop.take((after,), tower=tower, head=head)

    def loss_of(drawn: Windows) -> tuple[torch.Tensor, dict[str, float]]:
        drawn = drawn.to(shop.device)
        with mixed(shop.device):
            tokens, hidden = eyes(drawn.pictures, drawn.corners)
        return dense_loss(head, tokens, hidden.float(), drawn)

    @torch.no_grad()
    def check() -> dict[str, float]:
        return _mean([loss_of(drawn)[1] for drawn in held_out(shop.data, CHECKED)])

    merger = tower.merger
    gentle = {merger.linear_fc1.weight: 0.1, merger.linear_fc2.weight: 0.02, head.read.weight: 1.0}
    training = Training({"tower": tower, "head": head}, schedule, shop.folder / stage, say, gentle)
    training.run(side_by_side(make, (shop.seed, 1, training.step), shop.workers), loss_of, check)


def learn_to_think(shop: Workshop, schedule: Schedule, batch: int, say: Say) -> None:
    """All prompts, with imagined pictures."""
    _learn_language(shop, "think", MIX, schedule, batch, say, _imagination)


def learn_to_look(shop: Workshop, schedule: Schedule, batch: int, say: Say) -> None:
    """All prompts, with what the eyes make of real pictures, after `learn_to_think`."""
    paths = {held: _remember(shop, held, say) for held in (False, True)}
    _learn_language(shop, "look", MIX, _milder(schedule), batch, say, partial(_memory, paths), after="think")


def _milder(schedule: Schedule) -> Schedule:
    """For weights that have learned already."""
    return replace(schedule.times(0.3), warm=min(20, schedule.warm))


def _imagination(folder: Path, held: bool) -> tuple[Sources, Views]:
    sources = Sources.of(folder, held_out=held)
    return sources, Imagined(sources, vary=not held)


def _memory(paths: Mapping[bool, Path], folder: Path, held: bool) -> tuple[Sources, Views]:
    sources, codes = Sources.of(folder, held_out=held), np.load(paths[held], mmap_mode="r")
    seen = Remembered(sources.pictures, codes, spread(len(sources.pictures), len(codes)), seek=not held)
    return sources, seen if held else Either((seen, Imagined(sources)))


def _learn_language(
    shop: Workshop, stage: str, mix: Mapping[str, float], schedule: Schedule, batch: int, say: Say,
    source: Callable[[Path, bool], tuple[Sources, Views]], *, after: str | None = None,
) -> None:
    model, writer, grid, worth = shop.new_model(), shop.writer(), shop.grid(), shop.worth()
    tower = model.model.language_model
    mind = Mind(tower, writer.image, compiled=shop.compiled)
    margin = nn.Linear(*reversed(model.lm_head.weight.shape), bias=False, device=shop.device)
    margin.load_state_dict(model.lm_head.state_dict())
    if after:
        shop.take((after,), tower=tower, margin=margin)

    def loss_of(drawn: Batch) -> tuple[torch.Tensor, dict[str, float]]:
        return language_loss(mind, model.lm_head, margin, drawn.to(shop.device), grid, worth)

    rng, size = np.random.default_rng(0), min(batch, CHECKED)
    held = source(shop.data, True)
    checks = {kind: writer.several(kind, CHECKED, *held, rng, vary=False) for kind in mix}

    @torch.no_grad()
    def check() -> dict[str, float]:
        figures: dict[str, float] = {}
        for kind, drawn in checks.items():
            parts = [loss_of(writer.batch(kind, drawn[k : k + size]))[1] for k in range(0, CHECKED, size)]
            figures |= {f"{kind}_{name}": value for name, value in _mean(parts).items()}
        return figures

    training = Training({"tower": tower, "margin": margin}, schedule, shop.folder / stage, say, {margin.weight: 1.0})
    make = partial(_exchanges, shop, batch, mix, source)
    training.run(side_by_side(make, (shop.seed, 2, training.step), shop.workers), loss_of, check)


def _exchanges(
    shop: Workshop, batch: int, mix: Mapping[str, float], source: Callable[[Path, bool], tuple[Sources, Views]],
    rng: np.random.Generator,
) -> Iterator[Batch]:
    """What a text tower is trained on; a process of its own can make it."""
    return language_batches(shop.writer(), batch, mix, partial(source, shop.data, False), rng)


def _remember(shop: Workshop, held: bool, say: Say) -> Path:
    """File with float16 (N, cells, width): what the trained eyes make of pictures, evenly chosen."""
    path, at_once = shop.folder / f"codes-{'held-out' if held else 'trained'}.npy", LOOKED_AT[shop.device]
    shards = Sources.of(shop.data, held_out=held).pictures
    eyes, chosen = shop.eyes(), spread(len(shards), REMEMBERED[shop.device])
    shape = (len(chosen), CELLS[0] * CELLS[1], eyes.tower.config.out_hidden_size)
    if path.exists() and np.load(path, mmap_mode="r").shape == shape:
        return path
    partial_path = path.with_suffix(".partial")
    codes = np.lib.format.open_memmap(partial_path, "w+", np.float16, shape)
    with ThreadPoolExecutor() as pool:
        for first in range(0, shape[0], at_once):
            if first % (100 * at_once) == 0:
                say(f"looking at pictures: {first}/{shape[0]}")
            decoded = list(pool.map(shards.picture, map(int, chosen[first : first + at_once])))
            pictures = torch.from_numpy(np.stack(decoded)).to(shop.device)
            with torch.no_grad(), mixed(shop.device):
                seen, _ = eyes(pictures, torch.zeros(len(pictures), 2, dtype=torch.long, device=shop.device))
            codes[first : first + at_once] = seen.float().cpu().numpy()
    codes.flush()
    partial_path.rename(path)
    return path


def _mean(figures: list[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([part[name] for part in figures if name in part])) for name in figures[0]}


def export_model(shop: Workshop, folder: Path) -> None:
    """Write eyes and mind as one checkpoint, with the settings that its prompts were taught with."""
    model = shop.new_model()
    shop.take(("survey", "see"), tower=model.model.visual)
    shop.take(("look", "think"), tower=model.model.language_model)
    step = 1000 // samples.GRID
    settings = {"show_picture": False, "terse": True, "glance_again": CELL, "point_step": step}
    export(model, shop.tokenizer, folder, settings)
