"""MiniMax-M3-VL: sparse attention, sparse mixture, pictures and thoughts between its own markers.

Its chat template makes a "developer" turn of the system text; its "system" turn is the template's own.
"""

from __future__ import annotations

from tandem.agent.planner.family import Family

# No frame is documented, so the prompt's thousandths hold.
MINIMAX_M3_VL = Family(
    name="MiniMax-M3-VL", maker="MiniMax", model_types=("minimax_m3_vl",), think=("<mm:think>", "</mm:think>"),
    think_option="thinking_mode", think_values=("enabled", "disabled"),
)
