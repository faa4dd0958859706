"""Plain types as JSON text. Nothing executable, and nothing that only this process understands, lands in a log."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import numpy as np


def plain_json(value: Any) -> str:
    """Compact JSON; numpy values become numbers and lists, paths text. Raises `TypeError` for anything else."""
    return json.dumps(value, default=_plain, separators=(",", ":"), ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"a log holds plain types only, got {type(value).__name__}: {value!r}")
