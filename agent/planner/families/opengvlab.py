"""InternVL: the picture is cut into tiles, points are thousandths of the whole (its documented box format)."""

from __future__ import annotations

from tandem.agent.planner.family import Family

INTERNVL = Family(name="InternVL", maker="OpenGVLab", model_types=("internvl",))
