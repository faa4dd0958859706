"""Qwen. The frame of its points has changed with each generation, which is why it is written down here.

Qwen2-VL wrote thousandths, Qwen2.5-VL pixels of the image that the model saw (the resized one), Qwen3-VL thousandths
again (QwenLM/Qwen3-VL issues 940, 1485, 1741).
"""

from __future__ import annotations

from functools import partial

from tandem.agent.planner.family import Family, Frame

_THINK = ("<think>\n", "</think>\n\n")


def resize_to_grid(width: int, height: int, *, step: int, fewest: int, most: int) -> tuple[int, int]:
    """Both sides rounded to multiples of `step` pixels, and the area brought between `fewest` and `most` pixels.

    The rule of Qwen's own processor (`smart_resize`): same aspect ratio as nearly as the grid allows.
    """
    across, down = round(width / step) * step, round(height / step) * step
    if across * down > most:
        shrink = (width * height / most) ** 0.5
        return max(step, int(width / shrink / step) * step), max(step, int(height / shrink / step) * step)
    if across * down < fewest:
        grow = (fewest / (width * height)) ** 0.5
        return -int(-width * grow // step) * step, -int(-height * grow // step) * step
    return across, down


# The "Thinking" checkpoints open the thought in their chat template, the "Instruct" ones never think.
QWEN3_VL = Family(
    name="Qwen3-VL", maker="Alibaba", model_types=("qwen3_vl", "qwen3_vl_moe"), think=_THINK,
    resize=partial(resize_to_grid, step=32, fewest=65_536, most=16_777_216),
)

QWEN3_5 = Family(
    name="Qwen3.5", maker="Alibaba", model_types=("qwen3_5", "qwen3_5_moe"), think=_THINK,
    think_option="enable_thinking", resize=partial(resize_to_grid, step=32, fewest=65_536, most=16_777_216),
)

QWEN2_5_VL = Family(
    name="Qwen2.5-VL", maker="Alibaba", model_types=("qwen2_5_vl",), frame=Frame.RESIZED_PIXELS,
    resize=partial(resize_to_grid, step=28, fewest=3_136, most=12_845_056),
)

QWEN3 = Family(
    name="Qwen3", maker="Alibaba", model_types=("qwen3", "qwen3_moe"), sees=False, think=_THINK,
    think_option="enable_thinking",
)
