"""The schemas as xgrammar understands them: what our own code writes is in the language, what is not offered is not."""

import json

import pytest

from tandem.agent.planner import prompting
from tandem.agent.planner.canvas import Canvas
from tandem.agent.planner.family import Family
from tandem.agent.planner.scene import Scene, Thing
from tandem.agent.planner.steps import write_plan, write_refusal
from tandem.bridge.contract import CameraPoint, Subgoal

xgrammar = pytest.importorskip("xgrammar")
from xgrammar.testing import _is_grammar_accept_string  # noqa: E402

CANVAS = Canvas(Family("A", "a", ("a",)), "front", (640, 480), (640, 480))
CUBE, BIN = CameraPoint("front", 100.5, 200.5), CameraPoint("front", 500.5, 300.5)
SCENE = Scene((
    Thing("red cube", CUBE, "on the table"), Thing("red cube", BIN, "on the table"), Thing("bin", BIN, "on the table"),
))
PLAN = [
    Subgoal("pick", {"object": "red cube", "point": CUBE}),
    Subgoal("place", {"object": "red cube", "target": "bin", "point": BIN}),
]


def _accepts(schema, value) -> bool:
    options = {"any_whitespace": False, "separators": (",", ":"), "strict_mode": True}
    grammar = xgrammar.Grammar.from_json_schema(json.dumps(schema), **options)
    return _is_grammar_accept_string(grammar, json.dumps(value, separators=(",", ":")))


def test_what_our_code_writes_is_in_the_language():
    known, free = prompting.plan("tidy", SCENE, CANVAS).schema, prompting.plan("tidy", None, CANVAS).schema
    for answer in (write_plan(PLAN, CANVAS, SCENE), write_plan((), CANVAS), write_refusal("there is no 2nd cube")):
        assert _accepts(known, answer)
        assert _accepts(free, answer)
    assert _accepts(prompting.perceive(None, CANVAS).schema, SCENE.value(CANVAS))
    verdict = {"evidence": "the red cube is in the blue bin", "verdict": "inconclusive"}
    assert _accepts(prompting.judge("x", None, None).schema, verdict)


@pytest.mark.parametrize("step", [
    {"skill": "explode"}, {"skill": "pick", "object": {"name": "gold bar", "point": CANVAS.write(CUBE)}},
    {"skill": "pick", "object": {"name": "red cube", "point": [1, 2]}}, {"skill": "pick", "object": "red cube"},
    {"skill": "place", "target": {"name": "bin", "point": CANVAS.write(BIN)}},
])
def test_what_is_not_there_cannot_be_said(step):
    assert not _accepts(prompting.plan("tidy", SCENE, CANVAS).schema, {"feasible": True, "steps": [step]})


def test_with_nothing_there_or_nothing_offered_only_the_honest_answers_remain():
    bare, idle = prompting.plan("tidy", Scene(), CANVAS).schema, prompting.plan("x", SCENE, CANVAS, catalogue={}).schema
    assert _accepts(bare, {"feasible": True, "steps": [{"skill": "home"}]})
    assert _accepts(idle, {"feasible": True, "steps": []})
    assert _accepts(idle, {"feasible": False, "reason": "nobody here can pick"})
    assert not _accepts(idle, {"feasible": True, "steps": [{"skill": "home"}]})


@pytest.mark.parametrize("scene", [None, Scene(), SCENE], ids=["free", "bare", "known"])
def test_every_schema_compiles_for_a_tokenizer(scene):
    letters = [chr(code) for code in range(32, 127)]
    info = xgrammar.TokenizerInfo([*letters, "red", "cube", "<end>"], stop_token_ids=[len(letters) + 2])
    compiler = xgrammar.GrammarCompiler(info, max_threads=1)
    questions = (
        prompting.perceive(None, CANVAS), prompting.plan("tidy", scene, CANVAS), prompting.judge("x", None, None),
        prompting.plan("tidy", scene, CANVAS, catalogue={}),
    )
    for question in questions:
        compiler.compile_json_schema(json.dumps(question.schema), any_whitespace=False, separators=(",", ":"))
