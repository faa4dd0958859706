"""Workers of a pool that end with the process that started them.

A pool's own workers wait for ever for work when that process was killed: each holds the other end of the others' pipe.
"""

from __future__ import annotations

import os
import threading
from multiprocessing import parent_process


def follow_parent() -> None:
    """Call once in a worker, as the pool's initializer: from then on it ends when its parent has."""
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()


def _end_with_parent() -> None:
    parent_process().join()
    os._exit(1)
