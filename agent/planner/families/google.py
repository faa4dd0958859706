"""Gemma 3. Its chat template has no system turn: a system text opens the user's turn, as the template itself does."""

from __future__ import annotations

from tandem.agent.planner.family import Family

# No frame is documented for Gemma 3; its makers' larger models write thousandths (y first, which the prompt overrules).
GEMMA3 = Family(name="Gemma 3", maker="Google", model_types=("gemma3",), system_turn=False)
