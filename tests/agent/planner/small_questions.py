"""Questions for small models, and the plain way of answering them that the fast way must agree with."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import numpy as np
import torch
import xgrammar

from tandem.agent.planner import prompting
from tandem.agent.planner.canvas import Canvas
from tandem.agent.planner.in_process.chat import Prompt
from tandem.agent.planner.in_process.grammar import apply
from tandem.agent.planner.in_process.model import InProcessModel
from tandem.agent.planner.model import Picture, Question
from tandem.agent.planner.scene import Scene, Thing
from tandem.bridge.contract import CameraPoint

PICTURE = Picture("front", np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8))
WORDS = ("put the red cube in the blue bin", "go home", "tidy up 12 things, please", "stack all that is red")


def plan(model: InProcessModel, words: str = WORDS[0], steps: int = 2) -> Question:
    """The real prompt of a plan with few steps; with a picture for a model that sees."""
    canvas = Canvas(model.family, "front", (128, 96), model.resized(128, 96))
    scene = Scene(tuple(
        Thing(name, CameraPoint("front", x, 40.5), "on the table")
        for name, x in (("red cube", 20.5), ("red bin", 70.5), ("blue bin", 100.5))
    ))
    question = prompting.plan(words, scene, canvas, picture=PICTURE if model.family.sees else None)
    schema = copy.deepcopy(dict(question.schema))
    schema["anyOf"][0]["properties"]["steps"]["maxItems"] = steps
    return replace(question, schema=schema, max_tokens=400)


def generated(model: InProcessModel, question: Question) -> str:
    """The reply of transformers' own `generate` under xgrammar's own processor, with nothing of ours but the prompt."""
    prompt = model._chat.prompt(question, thinking=False)
    grammar = xgrammar.contrib.hf.LogitsProcessor(model._desk._grammars.compiled(question.schema))
    end = model._tokenizer.eos_token_id
    out = model._model.generate(
        input_ids=prompt.ids, attention_mask=torch.ones_like(prompt.ids), **_cast(model, prompt), do_sample=False,
        max_new_tokens=question.max_tokens, logits_processor=[grammar], eos_token_id=end, pad_token_id=end,
    )
    return model._tokenizer.decode([token for token in out[0, prompt.ids.shape[1]:].tolist() if token != end])


def surprises(model: InProcessModel, question: Question, tokens: list[int]) -> list[int]:
    """Places where a reply's token was neither forced nor the likeliest, judged by one pass without any cache."""
    prompt = model._chat.prompt(question, thinking=False)
    whole = model._chat.followed_by(prompt, tokens)
    with torch.inference_mode():
        logits = model._model(input_ids=whole.ids, **_cast(model, whole), use_cache=False).logits[0].float()
    grammars = model._desk._grammars
    matcher = xgrammar.GrammarMatcher(grammars.compiled(question.schema), terminate_without_stop_token=True)
    mask, places, forced = xgrammar.allocate_token_bitmask(1, grammars.vocabulary), [], ""
    for place, token in enumerate(tokens):
        text = model._tokenizer.decode([token])
        forced = forced or matcher.find_jump_forward_string()
        row = logits[prompt.ids.shape[1] - 1 + place]
        matcher.fill_next_token_bitmask(mask)
        apply(torch.bitwise_and(mask, grammars.text_only), row)
        if not forced.startswith(text) and int(row.argmax()) != token:
            places.append(place)
        forced = forced.removeprefix(text) if forced.startswith(text) else ""
        assert matcher.accept_token(token)
    assert matcher.is_terminated()
    return places


def _cast(model: InProcessModel, prompt: Prompt) -> dict:
    """Pixels in the number format of the weights, which some processors do not know."""
    return {
        name: value.to(model._model.dtype) if isinstance(value, torch.Tensor) and value.is_floating_point() else value
        for name, value in prompt.others.items()
    }


def compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
