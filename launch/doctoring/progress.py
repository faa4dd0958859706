"""How far a long measurement has got: drawn between two samples, never beside them.

A thread that redraws takes the interpreter for milliseconds at any moment, and those would be read as the network's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import Progress

Show = Callable[[str, float], None]
"""What is being done, and which share of it (1.0: over)."""
REDRAWS = 20


def nowhere(what: str, share: float) -> None:
    """Nobody looks."""


class Bar:
    """A `Show` on a terminal that leaves nothing behind, whatever interrupts it.

    Args:
        console: to draw on; on anything but a terminal nothing is drawn.
    """

    def __init__(self, console: Console):
        self._console = console
        self._progress: Progress | None = None

    def __call__(self, what: str, share: float) -> None:
        """Draw, or wipe away when it is over."""
        if not self._console.is_terminal:
            return
        if share >= 1.0:
            self.close()
            return
        if self._progress is None:
            self._progress = Progress(console=self._console, transient=True, auto_refresh=False)
            self._progress.add_task(what, total=1.0)
            self._progress.start()
        self._progress.update(self._progress.task_ids[0], description=what, completed=share, refresh=True)

    def close(self) -> None:
        """Wipe away; the cursor is visible again. Allowed twice."""
        progress, self._progress = self._progress, None
        if progress is not None:
            progress.stop()


def steps(count: int, show: Show, what: str) -> Iterator[int]:
    """0 to count - 1, shown as they go."""
    for k in range(count):
        if k % max(1, count // REDRAWS) == 0:
            show(what, k / count)
        yield k
    show(what, 1.0)


def pause(seconds: float, show: Show, what: str) -> None:
    """Wait."""
    for _ in steps(REDRAWS, show, what):
        time.sleep(seconds / REDRAWS)
