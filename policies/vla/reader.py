"""Observations in the model's form: pictures as normalised pixels, words as so many tokens, state as padded row."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from transformers import PI0Config, PI0Processor

from tandem.bridge.contract import FailureCode, ModelUnusable, SkillFailed

WORDS = 48  # tokens of an instruction with its beginning and end, as pi0 was trained


class Reader:
    """See the module. It does what `PI0Processor` does, with the padding after the pictures' tokens.

    Args:
        config: of the model.
        processor: of the checkpoint.

    Raises:
        ModelUnusable: processor and model are of different makes.
    """

    def __init__(self, config: PI0Config, processor: PI0Processor):
        vision = config.vlm_config.vision_config
        self.side, self.per_picture = vision.image_size, (vision.image_size // vision.patch_size) ** 2
        self._tokenizer, self._picture = processor.tokenizer, config.vlm_config.image_token_id
        self._sizes, eyes = {"state": config.max_state_dim, "action": config.max_action_dim}, processor.image_processor
        self._mean = torch.tensor(eyes.image_mean).view(3, 1, 1)
        self._deviation = torch.tensor(eyes.image_std).view(3, 1, 1)
        if processor.image_token_id != self._picture:
            raise ModelUnusable(f"its tokenizer has {processor.image_token_id} for a picture's place, its "
                                f"configuration {self._picture}: they belong to different models")
        self._words = lru_cache(maxsize=256)(self._encoded)

    def tokens(self, words: str, pictures: int) -> tuple[Tensor, Tensor]:
        """(1, P) tokens and (1, P) ones where there is one; P depends on the number of pictures alone.

        Raises `SkillFailed` for words that are too long: cut words may say something else.
        """
        encoded = self._words(words)
        if len(encoded) > WORDS:
            raise SkillFailed(FailureCode.INVALID_OBSERVATION, f"{words[:80]!r}... are {len(encoded)} tokens; the "
                              f"model was trained with at most {WORDS}: say it in fewer words")
        places = [self._picture] * (self.per_picture * pictures)
        padding = WORDS - len(encoded)
        row = [*places, *encoded, *[self._tokenizer.pad_token_id] * padding]
        told = [1] * (len(row) - padding) + [0] * padding
        return torch.tensor([row]), torch.tensor([told])

    def pixels(self, pictures: Sequence[np.ndarray] | Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
        """(..., 3, h, w) normalised on the device, of pictures uint8 (..., h, w, 3)."""
        stacked = pictures if isinstance(pictures, Tensor) else torch.from_numpy(np.stack(pictures))
        moved = stacked.to(device).movedim(-1, -3)
        mean, deviation = self._mean.to(device), self._deviation.to(device)
        return ((moved * (1 / 255) - mean) / deviation).to(dtype)

    def padded(self, values: np.ndarray, kind: str) -> Tensor:
        """(..., S) float32 of scaled values (..., D), zeros after them; `kind` is "state" or "action"."""
        row = torch.from_numpy(np.asarray(values, np.float32))
        return torch.nn.functional.pad(row, (0, self._sizes[kind] - row.shape[-1]))

    def _encoded(self, words: str) -> tuple[int, ...]:
        text = f"{self._tokenizer.bos_token}{words}\n"
        return tuple(self._tokenizer(text, add_special_tokens=False)["input_ids"])
