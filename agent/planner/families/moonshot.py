"""Kimi K2.5: DeepSeek-V3's text model with Moonshot's own vision tower."""

from __future__ import annotations

from tandem.agent.planner.family import Family

# No frame is documented, so the prompt's thousandths hold.
KIMI_K25 = Family(
    name="Kimi K2.5", maker="Moonshot", model_types=("kimi_k25",), think=("<think>", "</think>"),
    think_option="thinking",
)
