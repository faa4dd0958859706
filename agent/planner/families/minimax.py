"""MiniMax-M3-VL: sparse attention, sparse mixture, pictures between its own markers."""

from __future__ import annotations

from tandem.agent.planner.family import Family

# No frame is documented, so the prompt's thousandths hold.
MINIMAX_M3_VL = Family(
    name="MiniMax-M3-VL", maker="MiniMax", model_types=("minimax_m3_vl",), think=("<think>\n", "</think>\n\n"),
)
