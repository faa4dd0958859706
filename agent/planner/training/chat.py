"""Lays a question and its answer out as tokens: the embedded model's chat template, in training.

A test holds it against the template that the checkpoint carries, so that both write the same tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from tokenizers import Tokenizer

from tandem.agent.planner.model import Picture
from tandem.agent.planner.training.samples import Sample
from tandem.agent.planner.training.tokenizer import IMAGE, START, STOP, VISION_END, VISION_START

IGNORE = -100


@dataclass(frozen=True, eq=False)
class Tokens:
    """A sample as a model reads it.

    Attributes:
        ids: of the whole exchange.
        wanted: the same, with -100 before the answer.
        pictures: uint8 (H, W, 3) in order.
    """

    ids: list[int]
    wanted: list[int]
    pictures: tuple[np.ndarray, ...]


def lay_out(sample: Sample, tokenizer: Tokenizer, cells: int) -> Tokens:
    """Tokens of a sample.

    Args:
        sample: question and answer.
        tokenizer: of the model.
        cells: visual tokens of a picture.
    """
    question = sample.question
    image = VISION_START + IMAGE * cells + VISION_END
    user = "".join(image if isinstance(part, Picture) else part for part in question.parts)
    head = (
        f"{START}system\n{question.system}{STOP}\n{START}user\n{user}{STOP}\n{START}assistant\n"
    )
    asked = tokenizer.encode(head).ids
    answer = tokenizer.encode(sample.answer + STOP).ids
    pictures = tuple(part.pixels for part in question.parts if isinstance(part, Picture))
    return Tokens(asked + answer, [IGNORE] * len(asked) + answer, pictures)
