"""Grammars over many plans in one process: every scene has one of its own, and only the last are kept."""

from pathlib import Path

import psutil
from transformers import AutoTokenizer

from tandem.agent import planner
from tandem.agent.planner import prompting
from tandem.agent.planner.babbler import BABBLE
from tandem.agent.planner.canvas import Canvas
from tandem.agent.planner.in_process import grammar
from tandem.agent.planner.scene import Scene, Thing
from tandem.bridge.contract import CameraPoint

CANVAS = Canvas(BABBLE, "front", (640, 480), (640, 480))
NAMES = ("red cube", "blue bin", "green cube", "yellow cube", "white tray", "drawer handle", "gear", "button")
PLANS = 50


def schema(n):
    """Of the plan for a scene that no other number has."""
    points = [CameraPoint("front", 70.0 * i + 1, 5.0 * n + 1) for i in range(len(NAMES))]
    things = [Thing(name, point, "on the table") for name, point in zip(NAMES, points, strict=True)]
    return prompting.plan("tidy up", Scene(tuple(things)), CANVAS).schema


def test_plans_of_many_scenes_take_no_more_memory_than_those_of_a_few(monkeypatch):
    monkeypatch.setattr(grammar, "_KEPT_BYTES", 2**20)
    tokenizer = AutoTokenizer.from_pretrained(Path(planner.__file__).parent / "tiny")
    grammars, process = grammar.Grammars(tokenizer, len(tokenizer)), psutil.Process()
    sizes = []
    for n in range(PLANS):
        grammar.Guide(grammars, schema(n)).forced()
        sizes.append(process.memory_info().rss)
    assert sizes[-1] - sizes[PLANS // 4] < 10e6  # each is 0.7 MB: all of them would be 26 more
