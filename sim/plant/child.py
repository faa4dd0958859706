"""A process of the driver's, as the driver sees it. It stands in a session of its own: Ctrl-C is not for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from tandem.sim.plant.line import Line

WORDS = 400  # characters of what a process said last
_WAIT_S = 2.0

# The same folders to import from, as a script's own folder is not among a new interpreter's.
_PROGRAM = """
import importlib, json, sys
order = json.loads(sys.argv[1])
sys.path[:] = order.pop("path")
importlib.import_module(order.pop("module")).main(**order)
"""


class Child:
    """Starts a process that runs a module's `main`; it ends by itself when this one is gone.

    Args:
        name: as people call it.
        module: name of the module.
        memory: descriptor that it inherits.
        order: further arguments of `main`, plain data.
        environment: variables that it gets unless they are set here.

    Attributes:
        name: as given.
        line: to it.
    """

    def __init__(self, name: str, module: str, memory: int, order: dict[str, Any], environment: dict[str, str]):
        self.name = name
        self.line, theirs = Line.pair()
        self._said = os.memfd_create(f"tandem-{name}")
        told = {
            **order, "path": sys.path, "module": module, "memory": memory, "line": theirs.fileno(),
            "parent": os.getpid(),
        }
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, json.dumps(told)], stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=self._said, pass_fds=(memory, theirs.fileno()),
                start_new_session=True, env={**environment, **os.environ},
            )

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def death(self) -> str:
        """What became of the process, "" while it runs."""
        status = self._process.poll()
        if status is None:
            return ""
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        return f"the {self.name} process {how}{self._last_words()}"

    def _last_words(self) -> str:
        size = os.fstat(self._said).st_size
        tail = os.pread(self._said, WORDS, max(0, size - WORDS)).decode(errors="replace").strip()
        return f": {tail}" if tail else ""

    def end(self) -> None:
        """Hang up if that has not been done, and wait until it is gone; kill it when it does not go."""
        self.line.close()
        try:
            self._process.wait(_WAIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._said)
