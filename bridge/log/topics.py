"""The names of everything in an episode log. Writer and reader agree on them here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tandem.bridge.contract.errors import LogUnreadable

FORMAT = 1  # a reader refuses a log of a newer format

ACTION, COMMAND, MEASURED = "/action", "/command", "/measured"
STATE = "/sim/state"
SEEN = "/seen"
EVENT, EVENT_DATA = "/event", "/event/data"
PLAN, SCORE = "/plan", "/score"
MANIFEST_FILE = "manifest.json"
RECOVERY = "recovery"  # record of a log that `rescue` made of another
_OURS = frozenset((ACTION, COMMAND, MEASURED, STATE, SEEN, EVENT, EVENT_DATA, PLAN, SCORE))


def picture_topic(key: str) -> str:
    """Topic of an observation key: `image.front` is `/obs/front`, `depth.front` is `/obs/front/depth`."""
    kind, camera = key.split(".", 1)
    return f"/obs/{camera}" if kind == "image" else f"/obs/{camera}/depth"


def known(topic: str) -> bool:
    """Whether this version of the package knows what a channel holds."""
    return topic in _OURS or topic.startswith("/obs/")


def check_format(path: Path, found: Any) -> None:
    """Raise `LogUnreadable` for the log format of a newer version, or one that is no number."""
    if not isinstance(found, int):
        raise LogUnreadable(f"{path} is damaged: its log format is {found!r}")
    if found > FORMAT:
        raise LogUnreadable(f"{path} has log format {found}, this version reads up to {FORMAT}: install a newer one")
