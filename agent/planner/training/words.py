"""The closed vocabulary that dense supervision speaks of: colours, kinds of things, and where a thing can be.

Names outside it are no mistake of the data: they are simply not supervised densely.
"""

from __future__ import annotations

COLOURS = ("", "red", "green", "blue", "yellow", "purple", "orange")
KINDS = (
    "cube", "cylinder", "brick", "bin", "peg", "socket", "parcel", "drawer", "drawer handle", "cabinet", "mat", "tray",
    "conveyor", "fixture", "start button", "gear", "hex nut", "bushing", "pin", "bracket", "plate", "gear slot",
    "hex nut slot", "bushing slot", "pin slot", "bracket slot", "plate slot",
)
PLACES = ("on the table", "out of reach", "in the gripper", "in", "on", "open", "shut", "half open")


def split_name(name: str) -> tuple[int, int] | None:
    """Indices of colour and kind, None for a name of other words."""
    first, _, rest = name.partition(" ")
    colour, kind = (first, rest) if first in COLOURS[1:] else ("", name)
    return (COLOURS.index(colour), KINDS.index(kind)) if kind in KINDS else None


def name_rank(name: str) -> tuple[int, int]:
    """A fixed order of names: by kind, then by colour; unknown names last."""
    colour, kind = split_name(name) or (len(COLOURS), len(KINDS))
    return kind, colour


def split_where(where: str) -> tuple[int, int, int] | None:
    """Indices of the place, and of colour and kind of what a thing is in or on (0, -1 when there is none)."""
    if where in PLACES:
        return PLACES.index(where), 0, -1
    word, _, rest = where.partition(" the ")
    support = split_name(rest)
    return (PLACES.index(word), *support) if word in ("in", "on") and support else None
