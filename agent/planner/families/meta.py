"""Llama. No documented frame for points was found for either generation: the prompt's thousandths hold for both."""

from __future__ import annotations

from tandem.agent.planner.family import Family

# Cross-attention layers keep the keys of the picture, not of the text, in their part of the cache: a prefix that was
# read before there was a picture would leave them empty, so each question is read from its start.
LLAMA_VISION = Family(
    name="Llama 3.2 Vision", maker="Meta", model_types=("mllama",), system_turn=False, prefix_reuse=False,
)

LLAMA4 = Family(name="Llama 4", maker="Meta", model_types=("llama4",))
