"""How fast a plan is written, against plain `generate` under the same grammar and against the memory's bandwidth.

Both answer the same question with the same weights in the same process. Ours keeps the prefix of the system text, does
not decode what the grammar forces, and decodes from captured graphs; theirs is `model.generate` with xgrammar's own
logits processor. A decoding step has to read every weight of the text model once: that is the floor.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import numpy as np
import torch
import xgrammar.contrib.hf

from tandem.agent.planner import prompting
from tandem.agent.planner.canvas import Canvas
from tandem.agent.planner.in_process.model import InProcessModel
from tandem.agent.planner.model import Picture, Question
from tandem.agent.planner.scene import Scene, Thing
from tandem.bridge.contract import CameraPoint

STEPS = 4
_LONG, _SHORT = 120, 20  # letters of two free texts, whose difference is decoding alone
_COLOURS = ("red", "green", "blue", "yellow")


@dataclass(frozen=True)
class Generation:
    """What was measured.

    Attributes:
        plan_s: median seconds of a plan, ours.
        generate_s: the same question by plain `generate`.
        tokens: of the prompt, cached, sampled, forced.
        step_s: seconds of one decoding step.
        floor_s: seconds that reading the weights once takes at the measured bandwidth; 0 without a GPU.
        peak_bytes: of GPU memory; 0 without a GPU.
    """

    plan_s: float
    generate_s: float
    tokens: dict[str, int]
    step_s: float
    floor_s: float
    peak_bytes: int

    @property
    def speedup(self) -> float:
        """How many times faster than `generate`."""
        return self.generate_s / self.plan_s

    @property
    def bandwidth_fraction(self) -> float:
        """How near decoding comes to the floor; 1 is on it."""
        return self.floor_s / self.step_s


def measure(model: InProcessModel, *, size: tuple[int, int] = (640, 480), repeats: int = 5) -> Generation:
    """Measure a model that is loaded. The first answers, which compile and keep prefixes, are not counted."""
    asked = plan_question(model, size)
    on_gpu = model._model.device.type == "cuda"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    for _ in range(2):
        [answer] = model.answer([asked])
    plan_s = _median_s(lambda: model.answer([asked]), repeats)
    peak = torch.cuda.max_memory_allocated() if on_gpu else 0
    step_s = _step_s(model, repeats)
    plain(model, asked)
    generate_s = _median_s(lambda: plain(model, asked), min(repeats, 3))
    floor_s = read_bytes(model._model) / bandwidth() if on_gpu else 0.0
    return Generation(plan_s, generate_s, dict(answer.call["tokens"]), step_s, floor_s, peak)


def plan_question(model: InProcessModel, size: tuple[int, int]) -> Question:
    """A picture, a scene of eight things, and a plan that has exactly four steps."""
    width, height = size
    things = [f"{colour} {kind}" for kind in ("cube", "bin") for colour in _COLOURS]
    scene = Scene(tuple(
        Thing(name, CameraPoint("front", (k + 0.5) * width / len(things), height / 2), "on the table")
        for k, name in enumerate(things)
    ))
    picture = Picture("front", np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))
    canvas = Canvas(model.family, "front", size, model.resized(*size))
    asked = prompting.plan("sort the cubes by colour", scene, canvas, picture=picture)
    schema = deepcopy(dict(asked.schema))
    planned = schema["anyOf"][0]
    planned["properties"]["steps"] |= {"minItems": STEPS, "maxItems": STEPS}
    return replace(asked, schema={**planned, "$defs": schema["$defs"]})


def plain(model: InProcessModel, asked: Question) -> str:
    """The reply of transformers' own `generate`, with nothing of ours but the prompt and the compiled grammar."""
    prompt = model._chat.prompt(asked, thinking=False)
    grammar = xgrammar.contrib.hf.LogitsProcessor(model._desk._grammars.compiled(asked.schema))
    device, end = model._model.device, model._tokenizer.eos_token_id
    others = {name: _moved(value, model._model) for name, value in prompt.others.items()}
    ids = prompt.ids.to(device)
    with torch.inference_mode():
        out = model._model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), **others, do_sample=False, eos_token_id=end,
            pad_token_id=end, max_new_tokens=asked.max_tokens, logits_processor=[grammar],
        )
    return model._tokenizer.decode([token for token in out[0, ids.shape[1]:].tolist() if token != end])


def read_bytes(network: Any) -> int:
    """What one decoding step reads: the weights of the text model and its head, not the eyes, not the embedding."""
    head = network.get_output_embeddings().weight
    left_out = {id(network.get_input_embeddings().weight)} - {id(head)}
    named = ((name, weight) for name, weight in network.named_parameters() if "visual" not in name)
    return sum(weight.nbytes for _, weight in named if id(weight) not in left_out)


def bandwidth() -> float:
    """Bytes per second that this GPU's memory was seen to give: the better of reading and copying 4 GB."""
    block = torch.zeros(2 * 2**30, dtype=torch.bfloat16, device="cuda")
    other = torch.empty_like(block)
    read_s = min(_timed(lambda: block.view(torch.int32).max()) for _ in range(5))
    copy_s = min(_timed(lambda: other.copy_(block)) for _ in range(5))
    return max(block.nbytes / read_s, 2 * block.nbytes / copy_s)


def _step_s(model: InProcessModel, repeats: int) -> float:
    """Seconds of a decoding step: the difference of a long and a short text, which read the same prompt."""
    seconds, steps = [], []
    for letters in (_LONG, _SHORT):
        schema = {
            "type": "object", "properties": {"text": {"type": "string", "pattern": f"^[a-z]{{{letters}}}$"}},
            "required": ["text"], "additionalProperties": False,
        }
        asked = Question("plan", "Write letters.", ("Letters, please.",), schema)
        [answer] = model.answer([asked])
        steps.append(answer.call["tokens"]["sampled"])
        seconds.append(_median_s(lambda asked=asked: model.answer([asked]), repeats))
    return (seconds[0] - seconds[1]) / max(1, steps[0] - steps[1])


def _median_s(run: Callable[[], Any], repeats: int) -> float:
    return median(_timed(run) for _ in range(repeats))


def _timed(run: Callable[[], Any]) -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    start_s = time.perf_counter()
    run()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start_s


def _moved(value: Any, network: Any) -> Any:
    if not isinstance(value, torch.Tensor):
        return value
    return value.to(network.device, network.dtype if value.is_floating_point() else value.dtype)
