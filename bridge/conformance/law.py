"""How a broken law is reported: an AssertionError that quotes the contract, also under `python -O`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from textwrap import shorten
from typing import Any

import numpy as np


def require(holds: bool, law: str, found: object = None) -> None:
    """Raise AssertionError with the law, and with what was found instead, unless it holds."""
    if not holds:
        raise AssertionError(law if found is None else f"{law} Found: {found!r}")


def refuses(error: type[Exception] | tuple[type[Exception], ...], call: Callable[[], Any], law: str) -> None:
    """Raise AssertionError with the law unless the call raises one of these errors."""
    try:
        answer = call()
    except error:
        return
    except Exception as other:
        raise AssertionError(f"{law} It raised {type(other).__name__} instead: {other}") from other
    raise AssertionError(f"{law} It was accepted and answered {shorten(repr(answer), 200, placeholder='...')}")


def same(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> str:
    """The first key in which two sets of arrays differ, empty when they are bit-identical."""
    for key in one:
        if key not in other or not np.array_equal(one[key], other[key]):
            return key
    return ""
