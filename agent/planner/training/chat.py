"""Lays a question and its answer out as tokens: the embedded model's chat template, in training.

A test holds it against the template that the checkpoint carries, so that both write the same tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer

from tandem.agent.planner.model import Picture
from tandem.agent.planner.training.glimpse import Glimpse
from tandem.agent.planner.training.samples import Sample
from tandem.agent.planner.training.tokenizer import IMAGE, START, STOP, VISION_END, VISION_START

IGNORE = -100


@dataclass(frozen=True, eq=False)
class Tokens:
    """A sample as a model reads it.

    Attributes:
        ids: of the whole exchange.
        wanted: the same, with -100 before the answer.
        noted: what to note after a token, -100 where nothing is.
        glimpses: of its pictures, in order.
    """

    ids: list[int]
    wanted: list[int]
    noted: list[int]
    glimpses: tuple[Glimpse, ...]


def lay_out(sample: Sample, glimpses: Sequence[Glimpse], tokenizer: Tokenizer) -> Tokens:
    """Tokens of a sample.

    Args:
        sample: question and answer.
        glimpses: of the pictures in the question, in order.
        tokenizer: of the model.
    """
    question, shown = sample.question, iter(glimpses)
    user = "".join(_image(next(shown)) if isinstance(part, Picture) else part for part in question.parts)
    before = f"{START}system\n{question.system}{STOP}\n{START}user\n"
    asked = tokenizer.encode(f"{before}{user}{STOP}\n{START}assistant\n")
    answer = tokenizer.encode(sample.answer + STOP)

    def noted(notes: Mapping[int, str], ends: Iterable[int]) -> list[int]:
        return [tokenizer.encode(notes[end]).ids[0] if end in notes else IGNORE for end in ends]

    return Tokens(
        asked.ids + answer.ids, [IGNORE] * len(asked.ids) + answer.ids,
        noted(sample.notes, (end - len(before) for _, end in asked.offsets))
        + noted(sample.asides, (end for _, end in answer.offsets)), tuple(glimpses),
    )


def _image(glimpse: Glimpse) -> str:
    return VISION_START + IMAGE * len(glimpse.cells) + VISION_END
