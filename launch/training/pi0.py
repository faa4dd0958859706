"""From options to the fine-tuning of a pi0: the cache is filled, statistics are taken, adapters are put in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from rich.console import Console
from training.frames import apart, cached

from tandem.bridge.contract import BodySpec, InvalidOption, UnusableDataset
from tandem.bridge.datasets import open_dataset
from tandem.bridge.log import LogReader
from tandem.policies.learned.training.cache import Cache, Source, sources_of
from tandem.policies.learned.training.loop import Schedule
from tandem.policies.remote.mapping import KeyMap, Told
from tandem.policies.vla import named, statistics
from tandem.policies.vla.handshake import keymap_for
from tandem.policies.vla.load import Loaded, Options, load
from tandem.policies.vla.training.lessons import Lessons, windows_of
from tandem.policies.vla.training.loop import Teaching, Training
from tandem.policies.vla.training.lora import Lora

_LORA = ("rank", "alpha", "dropout", "eyes")
_OTHERS = ("parts", "tokenizer")


def prepared(options: Any, console: Console, processes: PartialState) -> Training:
    """A fine-tuning that begins, or goes on where the folder's ends; options of train.py."""
    torch.set_num_threads(options.threads)
    name, given = named(options.policy), options.given
    if unknown := sorted(set(given) - {*_LORA, *_OTHERS}):
        raise InvalidOption(f"adapters have no setting {', '.join(unknown)}; known: {', '.join((*_LORA, *_OTHERS))}")
    dtype = {"auto": "auto", "no": "float32", "bf16": "bfloat16"}[options.precision]
    loaded = load(name, Options(device=options.device, dtype=dtype, tokenizer=given.get("tokenizer")))
    if loaded.adapter is not None:
        raise InvalidOption(f"{options.policy} has an adapter already: name its base, {loaded.checkpoint.source.name}")
    sources = [source for path in options.data for source in sources_of(path)]
    spec = _spec_of(sources[0])
    keymap = keymap_for(loaded, spec, name.map)
    keymap.require(spec, Told())
    learned, held_out = _lessons(options, loaded, sources, spec, keymap, console)
    schedule = Schedule(options.steps, options.batch, options.rate, warm=min(150, max(1, options.steps // 20)))
    teaching = Teaching(
        schedule, Lora(**{key: given[key] for key in _LORA if key in given}), given.get("parts", 1), options.seed,
        tuple(path.name for path in options.data),
    )
    with processes.main_process_first():
        scales = _scales(options.folder, learned)
    training = Training(loaded, learned, held_out, keymap, scales, teaching, options.folder)
    console.print(f"pi0: {loaded.need.parameters / 1e6:.3g} M weights, {training.trained / 1e6:.3g} M of adapters are "
                  f"trained; {len(learned)} frames to learn from, {len(held_out) if held_out else 0} held out")
    for line in keymap.lines(spec):
        console.print(f"      {line}", markup=False)
    return training


def _spec_of(source: Source) -> BodySpec:
    if source.episode is None:
        return LogReader(source.path).spec
    spec = open_dataset(source.path).episode(source.episode).spec
    if spec is None:
        raise UnusableDataset(f"{source.path} has no specification of its body: export it from episode logs")
    return spec


def _lessons(
    options: Any, loaded: Loaded, sources: list[Source], spec: BodySpec, keymap: KeyMap, console: Console
) -> tuple[Lessons, Lessons | None]:
    cache, config = Cache(options.cache, windows_of(keymap, spec), options.skill), loaded.model.config
    kept, checked = apart(cached(cache, sources, console), options.hold_out)
    times = (config.time_sampling_beta_alpha, config.time_sampling_beta_beta, config.time_sampling_scale,
             config.time_sampling_offset)
    made = keymap, loaded.reader, config.chunk_size, config.max_action_dim, times
    return Lessons(kept, *made), Lessons(checked, *made) if checked else None


def _scales(folder: Path, learned: Lessons) -> statistics.Statistics:
    """Those that the folder's training began with, or of these lessons: they never change after the first step."""
    path = folder / statistics.FILE
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        learned.statistics().write(path)
    return statistics.read(path)
