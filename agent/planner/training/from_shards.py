"""Samples of the simulator's shards for any family: its own frame of points, pictures as large as the camera's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tandem.agent.planner.canvas import Canvas
from tandem.agent.planner.model import Picture, Question
from tandem.agent.planner.training import samples
from tandem.agent.planner.training.questions import MIX, SAMPLES
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
        kind = str(rng.choice(list(self.mix), p=list(self.mix.values())))
        if kind == "plan" and self.show_picture:
            return self._plan_by_sight(rng)
        sample = SAMPLES[kind](self._sources, self.canvas, rng, not self.held_out)
        return sample and replace(sample, question=_as_the_camera_saw(sample.question))

    def describe(self) -> dict[str, Any]:
        """Plain types only."""
        return {"shards": self.folder.name, "records": sum(map(len, self._sources.records)), "mix": dict(self.mix)}

    def _plan_by_sight(self, rng: np.random.Generator) -> Sample | None:
        pictures = self._sources.pictures
        index = int(rng.integers(len(pictures)))
        sample = samples.plan(pictures.record(index), self.canvas, rng)
        if sample is None:
            return None
        shown = Picture(self.canvas.camera, pictures.picture(index))
        question = replace(sample.question, parts=(shown, *sample.question.parts))
        return replace(sample, question=_as_the_camera_saw(question))


def _as_the_camera_saw(question: Question) -> Question:
    """Pictures are stored small; the model's own processor must find the size that it finds in deployment."""
    return replace(question, parts=tuple(part if isinstance(part, str) else _large(part) for part in question.parts))


def _large(picture: Picture) -> Picture:
    if picture.pixels.shape[1::-1] == samples.SIZE:
        return picture
    return Picture(picture.name, cv2.resize(picture.pixels, samples.SIZE, interpolation=cv2.INTER_CUBIC))
