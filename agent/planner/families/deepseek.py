"""DeepSeek. R1 and V3 read text only; DeepSeek-VL sees."""

from __future__ import annotations

from tandem.agent.planner.family import Family

# No frame is documented for DeepSeek-VL (its successor VL2 writes 0 to 999), so the prompt's thousandths hold. Its
# processor pads the picture to a square: what it says of a wide picture's height is worth checking first.
DEEPSEEK_VL = Family(name="DeepSeek-VL", maker="DeepSeek", model_types=("deepseek_vl", "deepseek_vl_hybrid"))

# The chat template opens the thought itself. Its makers advise against a system turn for R1, but the template has one,
# and it is what keeps the prompt's prefix the same from question to question.
DEEPSEEK_R1 = Family(
    name="DeepSeek-R1", maker="DeepSeek", model_types=("deepseek_v3",), sees=False, think=("<think>\n", "</think>\n\n"),
)
