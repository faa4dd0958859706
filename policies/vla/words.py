"""What the words of a command line name: "pi0:BASE+ADAPTER#MAP". No model is imported to read them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tandem.bridge.contract import InvalidOption

FORMS = ("pi0:FOLDER_OR_HUB_ID", "pi0:BASE+ADAPTER_FOLDER", "ADAPTER_FOLDER")
ABOUT = "adapter.json"  # says what the adapter in its folder is
DEFAULT_MAP = "pi0"
_KIND = "pi0:"
_FORM = re.compile(r"(?P<base>[^#+]+)(?:\+(?P<adapter>[^#]+))?(?:#(?P<map>.+))?")


@dataclass(frozen=True)
class Named:
    """What was named.

    Attributes:
        base: folder or hub id of the model, or the folder of an adapter that names its base.
        revision: branch, tag or commit of a hub id, None for its default branch.
        adapter: folder of an adapter on top of it, if one is named.
        map: name or file of the key map, None where an adapter brings its own or the usual one will do.
    """

    base: str
    revision: str | None = None
    adapter: Path | None = None
    map: str | None = None


def is_vla(words: str) -> bool:
    """Whether the words name a model for this process."""
    return words.startswith(_KIND) or (Path(words).expanduser() / ABOUT).is_file()


def named(words: str) -> Named:
    """The parts of the words. Raises `InvalidOption`; a folder whose name holds "+", "#" or "@" is taken as it is."""
    rest = words.removeprefix(_KIND)
    if rest and is_vla(words) and Path(rest).expanduser().is_dir():
        return Named(rest)
    found = _FORM.fullmatch(rest) if is_vla(words) else None
    if found is None:
        raise InvalidOption(f"{words!r} names no model; write {', '.join(FORMS)}, @REVISION after a hub id, #MAP last")
    base, adapter = found["base"], found["adapter"] and Path(found["adapter"]).expanduser()
    if adapter is not None and not adapter.is_dir():
        raise InvalidOption(f"there is no folder {found['adapter']!r} with an adapter")
    revision = None
    if not Path(base).expanduser().is_dir() and "@" in base:
        base, _, revision = base.partition("@")
    return Named(base, revision or None, adapter, found["map"])
