"""Every family of open models on a small checkpoint with its real architecture and random weights: does it plan?

The checkpoints are those of the tests, which build them on disk.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tandem.agent.planner import prompting
from tandem.agent.planner.canvas import Canvas
from tandem.agent.planner.in_process.model import InProcessModel
from tandem.agent.planner.in_process.options import Options, Sampling
from tandem.agent.planner.model import Picture, Question
from tandem.agent.planner.scene import Scene, Thing
from tandem.agent.planner.steps import read_plan
from tandem.bridge.contract import SKILLS, CameraPoint, PlannerFailed

_TESTS = Path(__file__).parents[2] / "tests" / "agent" / "planner"
_SIZE = (128, 96)
_PICTURE = Picture("front", np.random.default_rng(0).integers(0, 256, (*_SIZE[::-1], 3), np.uint8))
SCENE = Scene(tuple(
    Thing(name, CameraPoint("front", u, 40.5), "on the table")
    for name, u in (("red cube", 20.5), ("red bin", 70.5), ("blue bin", 100.5))
))


def build(model_type: str, folder: Path) -> Path:
    """Write the small checkpoint of a model type."""
    return _builder().build(model_type, folder)


def small_families(plans: int) -> Iterator[tuple[str, str, int]]:
    """Family, model type, and how many of so many plans at temperature 1 are valid; one after the other."""
    for model_type in sorted(_builder().BUILDERS):
        with tempfile.TemporaryDirectory() as folder:
            model = InProcessModel(str(build(model_type, Path(folder))), Options(sampling=Sampling(temperature=1.0)))
            yield model.family.name, model_type, sum(_is_planned(model) for _ in range(plans))


def question(model: InProcessModel) -> Question:
    """A plan for a small table; with a picture for a model that sees."""
    picture = _PICTURE if model.family.sees else None
    return prompting.plan("put the red cube in the blue bin", SCENE, canvas_of(model), picture=picture)


def canvas_of(model: InProcessModel) -> Canvas:
    """The small picture, as a model addresses it."""
    return Canvas(model.family, "front", _SIZE, model.resized(*_SIZE))


def _is_planned(model: InProcessModel) -> bool:
    try:
        [answer] = model.answer([question(model)])
        read_plan(answer.value, canvas_of(model), SKILLS, SCENE)
    except PlannerFailed:
        return False
    return True


def _builder():
    """The tests' module; tests are no package, so their folder goes on the path."""
    if str(_TESTS) not in sys.path:
        sys.path.append(str(_TESTS))
    import small_checkpoints

    return small_checkpoints
