"""Samples of the simulator's shards for any family: its own frame of points, pictures as large as the camera's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tandem.agent.planner.canvas import Canvas
from tandem.agent.planner.model import Picture
from tandem.agent.planner.training import samples
from tandem.agent.planner.training.augment import augment, tone
from tandem.agent.planner.training.questions import MIX
from tandem.agent.planner.training.samples import Sample
from tandem.agent.planner.training.sources import Sources


@dataclass(frozen=True, eq=False)
class ShardSamples:
    """Satisfies `Source`.

    Attributes:
        folder: where the shards are.
        canvas: of the model that is taught (`samples.canvas_of` with the model's own resized size).
        show_picture: plans are made from the picture as well as from the scene in words.
        held_out: only of shards that are never trained on.
    """

    folder: Path
    canvas: Canvas
    show_picture: bool
    held_out: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "_sources", Sources.of(self.folder, held_out=self.held_out))

    @property
    def mix(self) -> Mapping[str, float]:
        """Shares of the kinds of questions; who does not see only plans."""
        return MIX if self.canvas.family.sees else {"plan": 1.0}

    def draw(self, rng: np.random.Generator) -> Sample | None:
        """A sample; None when what was drawn gives none."""
        match str(rng.choice(list(self.mix), p=list(self.mix.values()))):
            case "perceive":
                return self._perceive(rng)
            case "judge":
                return self._judge(rng)
        return self._plan(rng)

    def describe(self) -> dict[str, Any]:
        """Plain types only."""
        return {"shards": self.folder.name, "records": sum(map(len, self._sources.records)), "mix": dict(self.mix)}

    def _perceive(self, rng: np.random.Generator) -> Sample:
        pictures = self._sources.pictures
        index = int(rng.integers(len(pictures)))
        picture, things = pictures.picture(index), pictures.record(index)["things"]
        if not self.held_out:
            picture, things = _varied(picture, things, rng)
        return samples.perceive(picture, things, self.canvas)

    def _plan(self, rng: np.random.Generator) -> Sample | None:
        if not self.show_picture:
            return samples.plan(self._sources.any_record(rng), self.canvas, rng)
        pictures = self._sources.pictures
        index = int(rng.integers(len(pictures)))
        sample = samples.plan(pictures.record(index), self.canvas, rng)
        if sample is None:
            return None
        shown = Picture(self.canvas.camera, pictures.picture(index))
        return replace(sample, question=replace(sample.question, parts=(shown, *sample.question.parts)))

    def _judge(self, rng: np.random.Generator) -> Sample | None:
        """Two views of one world, one after the other."""
        pictures = self._sources.pictures
        index = int(rng.integers(len(pictures) - 1))
        record = pictures.record(index + 1)
        if record["seed"] != pictures.record(index)["seed"]:
            return None
        before, after = pictures.picture(index), pictures.picture(index + 1)
        if not self.held_out:
            before, after = tone(before, rng), tone(after, rng)
        return samples.judge(record, before, after, rng)


def _varied(
    picture: np.ndarray, things: Sequence[Mapping[str, Any]], rng: np.random.Generator
) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """A variant of a picture, and what is still in it."""
    points = np.array([[thing["u"], thing["v"]] for thing in things]).reshape(-1, 2)
    shown, moved = augment(picture, points, rng)
    kept = [{**t, "u": u, "v": v} for t, (u, v) in zip(things, moved, strict=True) if 0 <= u < 1 and 0 <= v < 1]
    return np.ascontiguousarray(shown), kept
