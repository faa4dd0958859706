"""What a user's own words name. A task that wants one thing refuses two: half of what was asked is no success."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tandem.sim.vocabulary import listed


def named(words: str, pattern: str) -> list[str]:
    """What a pattern finds in words, each once, in order."""
    return list(dict.fromkeys(match.group() for match in re.finditer(pattern, words)))


def found(*names: Sequence[str]) -> str:
    """'red cube and blue bin', for a refusal; 'none' where there is nothing."""
    return listed([name for some in names for name in some]) if any(names) else "none"
