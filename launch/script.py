"""How every script ends: mistakes that Tandem can name are one line and exit code 2, Ctrl-C is 130, others are bugs."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from tandem.bridge.contract import TandemError


def run(
    act: Callable[[], int | None], *, failures: tuple[type[TandemError], ...] = (), orderly: bool = False
) -> NoReturn:
    """Run a script's main function and end the process.

    Args:
        act: reads the command line and does the work; gives the exit code.
        failures: errors that are no mistake in the command line: exit code 1.
        orderly: a scheduler's stop (SIGTERM) is taken like Ctrl-C, which leaves everything readable.
    """
    if orderly:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.exit(act())
    except TandemError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(1 if isinstance(error, failures) else 2)
    except KeyboardInterrupt:
        sys.exit(130)
