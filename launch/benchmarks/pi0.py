"""How long pi0 thinks: transformers' own sampling, ours, captured, compiled, and the floor of the memory's bandwidth.

On a GPU the real configuration (PaliGemma of 2 billion weights, action expert of 300 million) in bfloat16 with random
weights, which cost the same time as trained ones. On a CPU a small configuration, whose figures say nothing of pi0's
speed and are named so: it shows that this runs.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from transformers import PI0Config, PI0ForConditionalGeneration

from tandem.bridge.contract import InvalidOption
from tandem.policies.executors import guidance
from tandem.policies.vla.network import Asked, Network
from tandem.policies.vla.reader import WORDS
from tandem.policies.vla.sampling import Field, field_of

PUBLISHED = "80-90 ms eager, 20 / 27 / 37 ms for 1 / 2 / 3 views in hand-written kernels (RTX 4090)"
_SMALL = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
_COPIED = 1 << 30  # bytes


@dataclass(frozen=True)
class Took:
    """How long chunks took, milliseconds.

    Attributes:
        median: of all.
        low: a tenth took less.
        high: a tenth took more.
    """

    median: float
    low: float
    high: float


def pi0_figures(
    console: Console, *, views: Iterable[int] | None = None, compiled: Iterable[int] = (2,), chunks: int = 30,
) -> dict[str, float]:
    """Measure, print a table, give flat figures: `pi0_*` of the real model, `small_pi0_on_cpu_*` of the small one.

    Args:
        console: where to.
        views: numbers of pictures; None takes 1, 2 and 3 on a GPU, 2 on a CPU.
        compiled: those of them for which torch.compile is tried, too, on a GPU; it takes a minute or more for each.
        chunks: timed ones of each kind.

    Raises:
        InvalidOption: nothing to time.
    """
    gpu = torch.cuda.is_available()
    views = ((1, 2, 3) if gpu else (2,)) if views is None else tuple(views)
    if chunks < 1 or not views or min(views) < 1:
        raise InvalidOption("give at least one chunk to time and one view")
    model = _model(gpu)
    prefix = "pi0" if gpu else "small_pi0_on_cpu"
    fused = frozenset(compiled) if gpu else frozenset()
    figures = {f"{prefix}_parameters_m": sum(weight.numel() for weight in model.parameters()) / 1e6}
    bandwidth = _bandwidth(model.device)
    figures |= {f"{prefix}_bandwidth_gb_s": bandwidth / 1e9, f"{prefix}_floor_ms": 1e3 * _read(model) / bandwidth}
    rows = {}
    for count in views:
        speeds = ("eager", "graphs", *(("compiled",) if count in fused else ()))
        rows[count] = _timed(model, count, speeds, chunks)
        figures |= {f"{prefix}_{name}_{count}_views_ms": took.median for name, took in rows[count].items()}
        fastest = min(took.median for took in rows[count].values())
        figures[f"{prefix}_floor_share_{count}_views"] = figures[f"{prefix}_floor_ms"] / fastest
    if gpu:
        figures["pi0_memory_gb"] = torch.cuda.max_memory_allocated() / 1e9
    console.print(_table(rows, figures, prefix, chunks))
    return figures


def _model(gpu: bool) -> PI0ForConditionalGeneration:
    """With random weights, without the expert's words, which nothing reads."""
    torch.manual_seed(0)
    config = PI0Config() if gpu else _small()
    with torch.device("cuda" if gpu else "cpu"):
        model = PI0ForConditionalGeneration._from_config(
            config, dtype=torch.bfloat16 if gpu else torch.float32, attn_implementation="sdpa")
    model.model.dit.embed_tokens = None
    return model.eval().requires_grad_(False)


def _small() -> PI0Config:
    text = {"model_type": "gemma", "vocab_size": 512, "num_key_value_heads": 1, "head_dim": 16, **_SMALL}
    vision = {
        "model_type": "siglip_vision_model", "image_size": 56, "patch_size": 14, "vision_use_head": False, **_SMALL}
    vlm = {"model_type": "paligemma", "text_config": text, "vision_config": vision, "projection_dim": 64,
           "image_token_id": 511}
    return PI0Config(vlm_config=vlm, dit_config={**text, "hidden_size": 32, "intermediate_size": 64})


def _timed(model: PI0ForConditionalGeneration, views: int, speeds: Iterable[str], chunks: int) -> dict[str, Took]:
    """By name: transformers' own sampling, and ours in each way of running it."""
    network, asked = Network(model), _asked(model, views)
    noise = torch.randn(network.horizon, network.width, device=model.device)
    shown = torch.ones(asked.pixels.shape[:2], dtype=torch.bool, device=model.device)

    def stock() -> Tensor:
        return model.sample_actions(
            state=asked.state, input_ids=asked.tokens, pixel_values=asked.pixels, attention_mask=asked.told,
            pixel_attention_mask=shown, noise=noise[None].to(model.dtype),
        )

    took = {"stock": _time(stock, chunks)}
    for speed in speeds:
        field = field_of(network, speed)
        took[speed] = _time(lambda field=field: _drawn(field, asked, noise), chunks)
    return took


def _drawn(field: Field, asked: Asked, noise: Tensor) -> Tensor:
    prefix = field.read(asked)
    return guidance.sample(lambda x, t: field.velocity(prefix, x, t[-1:]), noise, 10)


def _asked(model: PI0ForConditionalGeneration, views: int) -> Asked:
    """Noise for pictures, and an instruction of 12 tokens."""
    config, device = model.config, model.device
    vision, said = config.vlm_config.vision_config, 12
    places = views * (vision.image_size // vision.patch_size) ** 2
    tokens = torch.full((1, places + WORDS), config.vlm_config.image_token_id, device=device)
    tokens[:, places:] = torch.arange(WORDS, device=device) + 2
    told = torch.ones_like(tokens)
    told[:, places + said:] = 0
    pixels = torch.randn(1, views, 3, vision.image_size, vision.image_size, device=device, dtype=model.dtype)
    return Asked(tokens, told, pixels, torch.randn(1, config.max_state_dim, device=device, dtype=model.dtype))


def _time(act: Callable[[], Tensor], chunks: int) -> Took:
    """Until the actions are on the CPU, which is when an arm can have them."""
    for _ in range(3):
        act().cpu()
    spent = []
    for _ in range(chunks):
        begin = time.perf_counter()
        act().cpu()
        spent.append(1e3 * (time.perf_counter() - begin))
    spent.sort()
    return Took(statistics.median(spent), spent[len(spent) // 10], spent[-1 - len(spent) // 10])


def _read(model: PI0ForConditionalGeneration) -> int:
    """Bytes of weights that a chunk reads: eyes and language once, the action expert at each of its steps."""
    pi0 = model.model
    last = pi0.vlm.language_model.layers[-1]  # of which only keys and values are computed
    unread = _bytes(last) - _bytes(last.self_attn.k_proj) - _bytes(last.self_attn.v_proj)
    words = _bytes(pi0.vlm.get_input_embeddings())  # of which a few rows are read
    once = _bytes(pi0.vlm) - words - unread
    each = _bytes(pi0.dit) + _bytes(model.embed_action_time) + _bytes(model.action_out_proj)
    return once + model.config.num_inference_steps * each


def _bytes(part: nn.Module) -> int:
    return sum(weight.numel() * weight.element_size() for weight in part.parameters())


def _bandwidth(device: torch.device) -> float:
    """Bytes per second that a copy within the memory reads and writes."""
    size = _COPIED if device.type == "cuda" else _COPIED // 16
    source = torch.empty(size, dtype=torch.uint8, device=device)
    target, best = torch.empty_like(source), float("inf")
    for _ in range(10):
        begin = time.perf_counter()
        target.copy_(source)
        if device.type == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - begin)
    return 2 * size / best


def _table(rows: dict[int, dict[str, Took]], figures: dict[str, float], prefix: str, chunks: int) -> Table:
    real = prefix == "pi0"
    what = f"pi0, {torch.cuda.get_device_name()}, bfloat16" if real else "a small model like pi0, on a CPU: not pi0"
    title = f"{what}; ms per chunk, median of {chunks} (a tenth below, a tenth above)"
    table = Table(title=title, title_justify="left")
    kinds = tuple(dict.fromkeys(kind for took in rows.values() for kind in took))
    for name in ("views", *kinds, "floor", "of the floor"):
        table.add_column(name, justify="right")
    for count, took in rows.items():
        cells = [_cell(took.get(kind)) for kind in kinds]
        share = figures[f"{prefix}_floor_share_{count}_views"]
        table.add_row(str(count), *cells, f"{figures[f'{prefix}_floor_ms']:.1f}", f"{share:.0%}")
    speed = figures[f"{prefix}_bandwidth_gb_s"]
    table.caption = f"floor: what a chunk reads of the weights, at {speed:.0f} GB/s; published: {PUBLISHED}"
    return table


def _cell(took: Took | None) -> str:
    return "" if took is None else f"{took.median:.1f} ({took.low:.1f}-{took.high:.1f})"
