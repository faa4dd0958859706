"""The person who stands by the arm, asked before it is moved."""

from __future__ import annotations

import sys

from rich.console import Console


class Person:
    """Agrees by typing the joint's name at a terminal, or has agreed beforehand.

    Args:
        console: to ask on.
        joint: what is to be typed.
        yes: somebody stands by, and is not to be asked.
    """

    def __init__(self, console: Console, joint: str | None, yes: bool):
        self._console, self._joint, self._yes = console, joint, yes

    def __call__(self, question: str) -> bool:
        """Whether it may be moved; nobody at a terminal is no."""
        if self._yes:
            return True
        if not sys.stdin.isatty():
            return False
        try:
            return self._console.input(question, markup=False).strip() == self._joint
        except EOFError:
            return False
