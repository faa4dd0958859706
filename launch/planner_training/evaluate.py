"""The subcommand `evaluate`: what a checkpoint answers to questions of the held-out shards, as deployment asks them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from minds import Choice, load_model
from rich.console import Console
from rich.progress import track
from rich.table import Table

from tandem.agent.evaluation.statistics import wilson
from tandem.agent.planner.canvas import Canvas
from tandem.agent.planner.model import Model
from tandem.agent.planner.scene import Scene
from tandem.agent.planner.training import samples
from tandem.agent.planner.training.sources import Sources
from tandem.agent.planner.training.words import COLOURS
from tandem.bridge.contract import InvalidOption

NEAR_PX = 12.0  # a point that far from the truth is still on the thing


@dataclass(frozen=True)
class Evaluate:
    """Measure a checkpoint on pictures and records that training never used."""

    planner: str = "tiny"
    """Checkpoint: as for an episode."""
    data: Path = Path("data/planner")
    """What `data` generated."""
    count: int = 200
    """Questions of each kind."""
    device: str = "auto"
    """Where the model runs: auto, cuda, cpu, mps."""
    seed: int = 0
    """Of what is drawn."""

    def run(self, console: Console) -> None:
        if self.count < 1:
            raise InvalidOption(f"--count must be at least 1, got {self.count}")
        model = load_model(Choice(self.planner, device=self.device))
        sources, rng = Sources.of(self.data, held_out=True), np.random.default_rng(self.seed)
        console.print(_perceived(model, sources, self.count, rng, console))
        console.print(_answered(model, sources, self.count, rng, console))


def _perceived(model: Model, sources: Sources, count: int, rng: np.random.Generator, console: Console) -> Table:
    """Things of pictures: found under their names at their places, by kind."""
    canvas = samples.canvas_of(model.family, model.resized(*samples.SIZE))
    there, found, placed, made_up, off = Counter(), Counter(), Counter(), 0, []
    drawn = rng.integers(len(sources.pictures), size=count)
    for index in track(drawn, "perceive", console=console, transient=True):
        record = sources.pictures.record(int(index))
        sample = samples.perceive(sources.pictures.picture(int(index)), record["things"], canvas)
        seen = list(Scene.read(model.answer([sample.question])[0].value, canvas).things)
        for thing in samples.scene_of(record["things"]).things:
            kind = _kind(thing.name)
            there[kind] += 1
            near = [(np.hypot(o.point.u - thing.point.u, o.point.v - thing.point.v), k)
                    for k, o in enumerate(seen) if o.name == thing.name]
            if near and min(near)[0] < NEAR_PX:
                distance, which = min(near)
                found[kind] += 1
                placed[kind] += seen.pop(which).where == thing.where
                off.append(distance)
        made_up += len(seen)
    table = Table(title=f"perceive, {count} pictures", title_justify="left")
    for title in ("kind", "there", "found", "whereabouts right"):
        table.add_column(title, justify="left" if title == "kind" else "right")
    for kind, number in there.most_common():
        table.add_row(kind, str(number), f"{found[kind] / number:.1%}", f"{placed[kind] / max(1, found[kind]):.1%}")
    total, right = there.total(), found.total()
    table.add_section()
    table.add_row("all", str(total), f"{right / total:.1%}", f"{placed.total() / max(1, right):.1%}")
    px = f"{np.median(off):.1f} px (90 %: {np.quantile(off, 0.9):.1f})" if off else "-"
    table.caption = f"named what is not there, or elsewhere: {made_up}; points are off by {px}"
    return table


def _kind(name: str) -> str:
    colour, _, kind = name.partition(" ")
    return kind if colour in COLOURS[1:] else name


def _answered(model: Model, sources: Sources, count: int, rng: np.random.Generator, console: Console) -> Table:
    """Plans from scenes in words, and verdicts from pictures: answers that are right, coordinates apart."""
    canvas = samples.canvas_of(model.family, model.resized(*samples.SIZE))
    asked, right = Counter(), Counter()
    drawn = (*_plans(sources, canvas, count, rng), *_verdicts(sources, count, rng))
    for name, sample in track(drawn, "plan and judge", console=console, transient=True):
        value = model.answer([sample.question])[0].value
        asked[name] += 1
        right[name] += _meant(name, value) == _meant(name, json.loads(sample.answer))
    table = Table(title="plan and judge", title_justify="left")
    for title in ("question", "asked", "right", "95 % interval"):
        table.add_column(title, justify="left" if title == "question" else "right")
    for name, number in asked.most_common():
        low, high = wilson(right[name], number)
        table.add_row(name, str(number), f"{right[name] / number:.1%}", f"{low:.0%} .. {high:.0%}")
    return table


def _plans(
    sources: Sources, canvas: Canvas, count: int, rng: np.random.Generator
) -> Iterator[tuple[str, samples.Sample]]:
    made = 0
    while made < count:
        record = sources.any_record(rng)
        sample = samples.plan(record, canvas, rng)
        if sample is not None:
            made += 1
            yield ("refuse" if record["infeasible"] else f"plan {record['task']}"), sample


def _verdicts(sources: Sources, count: int, rng: np.random.Generator) -> Iterator[tuple[str, samples.Sample]]:
    pictures, made = sources.pictures, 0
    while made < count:
        index = int(rng.integers(len(pictures) - 1))
        record = pictures.record(index + 1)
        if record["seed"] != pictures.record(index)["seed"]:
            continue
        sample = samples.judge(record, pictures.picture(index), pictures.picture(index + 1), rng)
        if sample is not None:
            made += 1
            yield "judge", sample


def _meant(question: str, value: Mapping[str, Any]) -> Any:
    """What of an answer must be right."""
    if question == "judge":
        return value["verdict"]
    if not value["feasible"]:
        return value["reason"] if question == "refuse" else "refused"
    return [[step["skill"], *(_name(said) for key, said in step.items() if key != "skill")] for step in value["steps"]]


def _name(said: Any) -> str:
    return said["name"] if isinstance(said, Mapping) else said
