"""Which family a checkpoint belongs to, by the `model_type` of its configuration and by nothing else."""

from __future__ import annotations

from tandem.agent.planner.families.alibaba import QWEN2_5_VL, QWEN3, QWEN3_5, QWEN3_VL
from tandem.agent.planner.families.deepseek import DEEPSEEK_R1, DEEPSEEK_VL
from tandem.agent.planner.families.google import GEMMA3
from tandem.agent.planner.families.meta import LLAMA4, LLAMA_VISION
from tandem.agent.planner.families.minimax import MINIMAX_M3_VL
from tandem.agent.planner.families.moonshot import KIMI_K25
from tandem.agent.planner.families.openai import GPT_OSS
from tandem.agent.planner.families.opengvlab import INTERNVL
from tandem.agent.planner.family import Family
from tandem.bridge.contract import UnknownName

FAMILIES = (
    QWEN3_VL, QWEN3_5, QWEN2_5_VL, QWEN3, DEEPSEEK_VL, DEEPSEEK_R1, KIMI_K25, MINIMAX_M3_VL, LLAMA_VISION, LLAMA4,
    INTERNVL, GEMMA3, GPT_OSS,
)

_BY_MODEL_TYPE = {model_type: family for family in FAMILIES for model_type in family.model_types}


def family_of(model_type: str) -> Family:
    """The family of a model type, for example "qwen3_vl". Raises `UnknownName` for any other."""
    if model_type not in _BY_MODEL_TYPE:
        raise UnknownName("model type", model_type, sorted(_BY_MODEL_TYPE))
    return _BY_MODEL_TYPE[model_type]
