"""A question and its right answer as any family reads them: what deployment would read, and then write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional as F

from tandem.agent.planner.in_process.chat import Chat, Prompt
from tandem.agent.planner.in_process.load import Loaded
from tandem.agent.planner.training.samples import Sample


@dataclass(frozen=True, eq=False)
class Exchange:
    """A sample as a model reads it.

    Attributes:
        whole: question and answer.
        wanted: how many tokens at its end are the answer, the stop token among them.
    """

    whole: Prompt
    wanted: int


class Clerk:
    """Writes samples down for one model, in its own chat template.

    Args:
        loaded: the model.
    """

    def __init__(self, loaded: Loaded):
        self._family, self._processor, self._tokenizer = loaded.checkpoint.family, loaded.processor, loaded.tokenizer
        self.chat = Chat(self._family, loaded.processor, loaded.tokenizer)
        self.stop = self._stop(loaded)

    def write(self, sample: Sample) -> Exchange:
        """The tokens of a sample; the answer in the tokens that a grammar would let the model write."""
        prompt = self.chat.prompt(sample.question, thinking=False)
        answer = self._tokenizer.encode(sample.answer, add_special_tokens=False, split_special_tokens=True)
        return Exchange(self.chat.followed_by(prompt, [*answer, self.stop]), len(answer) + 1)

    def resized(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of a picture after the family's own resizing."""
        return self.chat.resized(width, height) if self._family.sees else (width, height)

    def _stop(self, loaded: Loaded) -> int:
        """The token that ends a turn of the model: what its template writes, if deployment stops at that."""
        ends = loaded.model.generation_config.eos_token_id
        stops = {*(ends if isinstance(ends, list) else [ends]), self._tokenizer.eos_token_id} - {None}
        turns = [{"role": role, "content": self._content(text)} for role, text in (("user", "a"), ("assistant", "7"))]
        written = self._processor.apply_chat_template(
            turns, tokenize=True, return_dict=True, return_tensors="pt",
            **self._family.template_arguments(thinking=False),
        )["input_ids"][0].tolist()
        return next((token for token in reversed(written) if token in stops), self._tokenizer.eos_token_id)

    def _content(self, text: str) -> str | list[dict[str, str]]:
        return [{"type": "text", "text": text}] if self._family.sees else text


def answer_loss(model: torch.nn.Module, exchange: Exchange) -> tuple[torch.Tensor, dict[str, float]]:
    """Mean cross-entropy of the answer's tokens given all before, and the share of them that is the likeliest."""
    place = next(model.parameters())
    inputs = {name: _moved(value, place) for name, value in exchange.whole.others.items()}
    ids = exchange.whole.ids.to(place.device)
    out = model(input_ids=ids, use_cache=False, logits_to_keep=exchange.wanted + 1, **inputs)
    logits, wanted = out.logits[0, -exchange.wanted - 1 : -1].float(), ids[0, -exchange.wanted :]
    right = (logits.detach().argmax(-1) == wanted).float().mean()
    return F.cross_entropy(logits, wanted), {"right": float(right)}


def _moved(value: Any, place: torch.Tensor) -> Any:
    if not isinstance(value, torch.Tensor):
        return value
    return value.to(place.device, place.dtype if value.is_floating_point() else value.dtype)
