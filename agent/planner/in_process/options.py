"""What a person may choose about a model that runs in this process."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from tandem.bridge.contract import InvalidOption

DEVICES = ("auto", "cuda", "cpu", "mps")
DTYPES = ("auto", "bfloat16", "float16", "float32")


@dataclass(frozen=True)
class Sampling:
    """How a token is chosen from what the grammar allows.

    Attributes:
        temperature: 0 takes the likeliest token.
        top_p: keeps the likeliest tokens that together have this much probability; 1 keeps all.
        seed: of the generator, which lives as long as the model: a fresh model repeats itself.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < math.inf or not 0 < self.top_p <= 1:
            raise InvalidOption(f"sampling needs a finite temperature >= 0 and 0 < top_p <= 1, got {self}")


@dataclass(frozen=True)
class Options:
    """Where and how a model runs.

    Attributes:
        device: "auto" takes CUDA, then Apple's MPS, then the CPU.
        dtype: of the weights; "auto" is bfloat16 on CUDA and MPS, float32 on the CPU.
        bits: 16, or 8 or 4 to quantise the weights while loading (CUDA, needs bitsandbytes).
        revision: branch, tag or commit of a hub id; None takes the default branch. The commit goes to the log.
        reserve_gb: memory in gigabytes that is left for others, for example the policy.
        context: tokens that prompt and answer may take together; never more than the model was made for.
        think_tokens: how long a thinking model may think before it answers; 0 asks it not to think.
        sampling: how tokens are chosen.
        reuse_prefix: keep the keys and values of the system text from question to question.
        grammar: mask every choice with the grammar of the answer; without it many replies are none (to measure that).
        write_forced: append what the grammar forces without asking the model for it.
        accelerate_decoding: answer a single question from a cache of fixed size, on CUDA in captured graphs; None does
            so on CUDA. Models that cannot (`fixed.may_be_fixed`) and several questions at once take the other way.
    """

    device: str = "auto"
    dtype: str = "auto"
    bits: int = 16
    revision: str | None = None
    reserve_gb: float = 0.0
    context: int = 8192
    think_tokens: int = 0
    sampling: Sampling = field(default_factory=Sampling)
    reuse_prefix: bool = True
    grammar: bool = True
    write_forced: bool = True
    accelerate_decoding: bool | None = None

    def __post_init__(self) -> None:
        for name, value, known in (("device", self.device, DEVICES), ("dtype", self.dtype, DTYPES),
                                   ("bits", self.bits, (16, 8, 4))):
            if value not in known:
                raise InvalidOption(f"{name} is one of {', '.join(map(str, known))}, got {value!r}")
        if self.reserve_gb < 0 or self.context < 1 or self.think_tokens < 0:
            raise InvalidOption(f"reserve_gb, context and think_tokens are not negative, got {self}")
