"""The logs of a folder: each once, and none that is still being made."""

from __future__ import annotations

from pathlib import Path

from tandem.bridge.log.parts import goes_on_from

_UNFINISHED = "unfinished"  # where an evaluation's workers make the logs of episodes that still run


def logs_below(folder: Path) -> list[Path]:
    """Every log (`*.mcap`) in a folder and below it, in the order of their names; of a log in parts the first.

    Neither what an evaluation has not finished nor what hides, such as the draft of a killed import.
    """
    return [file for file in sorted(folder.rglob("*.mcap"))
            if _is_made(file.relative_to(folder).parts[:-1]) and goes_on_from(file) is None]


def _is_made(folders: tuple[str, ...]) -> bool:
    return _UNFINISHED not in folders and not any(name.startswith(".") for name in folders)
