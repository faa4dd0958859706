"""A question as the tensors that a family's model reads: its chat template, its pictures, the words that lead over.

What people write is read as plain text, never as control tokens: an instruction cannot close its own turn and open
another one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from jinja2 import TemplateError
from PIL import Image

from tandem.agent.planner.family import Family
from tandem.agent.planner.model import Picture, Question
from tandem.bridge.contract import PlannerFailed


@dataclass(frozen=True, eq=False)
class Prompt:
    """A question, ready to be read.

    Attributes:
        ids: tokens, int64 (1, T).
        others: what else the model takes with them: pixels, grids, types of tokens.
    """

    ids: torch.Tensor
    others: dict[str, Any]


class Chat:
    """Renders questions for one model.

    Args:
        family: of the model.
        processor: of the model; for a text-only family its tokenizer.
        tokenizer: of the processor.
    """

    def __init__(self, family: Family, processor: Any, tokenizer: Any):
        self._family, self._processor, self._tokenizer = family, processor, tokenizer
        self._shared = lru_cache(maxsize=64)(self._read_shared)

    def prompt(self, question: Question, *, thinking: bool) -> Prompt:
        """The question up to where the model goes on, its thoughts or its answer."""
        rendered = self._render(_turns(question, self._family), thinking)
        ids = rendered.pop("input_ids")
        rendered.pop("attention_mask", None)
        opening = self._opening(ids, thinking)
        return self.followed_by(Prompt(ids, dict(rendered)), opening)

    def shared(self, question: Question, *, thinking: bool) -> tuple[int, ...]:
        """Tokens with which every question of this system text begins."""
        return self._shared(question.system, thinking)

    def encode(self, text: str) -> list[int]:
        """Tokens of a text of ours, control tokens included."""
        return self._tokenizer.encode(text, add_special_tokens=False)

    @staticmethod
    def followed_by(prompt: Prompt, ids: list[int]) -> Prompt:
        """The prompt and then these tokens of text; what the model takes token by token grows with it."""
        if not ids:
            return prompt
        length = prompt.ids.shape[1]
        others = {
            name: _longer(name, value, len(ids)) if _is_aligned(value, length) else value
            for name, value in prompt.others.items()
        }
        return Prompt(torch.cat([prompt.ids, torch.tensor([ids])], dim=1), others)

    def resized(self, width: int, height: int) -> tuple[int, int]:
        """Size that the family's image processor gives to a picture; as given when it pads or cuts it into tiles."""
        blank = Image.new("RGB", (width, height))
        out = self._processor.image_processor(blank, return_tensors="pt")
        patch = getattr(self._processor.image_processor, "patch_size", None)
        if "image_grid_thw" in out and isinstance(patch, int):
            _, rows, columns = out["image_grid_thw"][0].tolist()
            return columns * patch, rows * patch
        return self._family.resize(width, height)

    def _read_shared(self, system: str, thinking: bool) -> tuple[int, ...]:
        """The tokens that two questions with nothing else in common have in common."""
        first, second = (
            self._render(_turns(Question("", system, (text,), {}), self._family), thinking)["input_ids"][0].tolist()
            for text in ("a", "7")
        )
        same = next((i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), 0)
        return tuple(first[:same])

    def _render(self, turns: list[dict[str, Any]], thinking: bool) -> dict[str, Any]:
        options = self._family.template_arguments(thinking=thinking)
        try:
            return dict(self._processor.apply_chat_template(
                turns, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt",
                sanitize_control_tokens=True, **options,
            ))
        except (TemplateError, ValueError, TypeError, KeyError) as error:
            raise PlannerFailed(f"{self._family.name}: the question cannot be rendered: {error}") from error

    def _opening(self, ids: torch.Tensor, thinking: bool) -> list[int]:
        """What the chat template does not write: some open the thought themselves, some do not."""
        if self._family.think is None:
            return self.encode(self._family.plain_opening)
        opens, closes = self._family.think
        tail = self._tokenizer.decode(ids[0, -8:].tolist()).rstrip()
        is_open = tail.endswith(opens.rstrip())
        if thinking:
            return [] if is_open else self.encode(opens)
        return self.encode(closes) if is_open else self.encode(self._family.plain_opening)


def _turns(question: Question, family: Family) -> list[dict[str, Any]]:
    if not family.sees:
        text = "\n".join(part for part in question.parts if isinstance(part, str))
        if not family.system_turn:
            return [{"role": "user", "content": f"{question.system}\n\n{text}"}]
        return [{"role": "system", "content": question.system}, {"role": "user", "content": text}]
    parts = [_part(part) for part in question.parts]
    system = {"type": "text", "text": question.system}
    if not family.system_turn:
        return [{"role": "user", "content": [{"type": "text", "text": question.system + "\n\n"}, *parts]}]
    return [{"role": "system", "content": [system]}, {"role": "user", "content": parts}]


def _part(part: str | Picture) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    return {"type": "image", "image": Image.fromarray(part.pixels)}


def _is_aligned(value: Any, length: int) -> bool:
    return isinstance(value, torch.Tensor) and value.ndim >= 2 and value.shape[:2] == (1, length)


def _longer(name: str, value: torch.Tensor, more: int) -> torch.Tensor:
    """Types of tokens go on as text (0); which pictures a token attends to goes on as for the last one."""
    last = value[:, -1:] if name == "cross_attention_mask" else torch.zeros_like(value[:, -1:])
    return torch.cat([value, last.expand(-1, more, *value.shape[2:])], dim=1)
