"""Workers on this computer, each a fresh process: OpenGL and CUDA survive no fork."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from evaluating.crew import WorkerDied
from evaluating.worker import Order

LAUNCH = Path(__file__).parents[1]
_LAST_WORDS = 400  # bytes
_PROGRAM = (sys.executable, "-P", "-m", "evaluating.local_worker")


class LocalCrew:
    """See `Crew`.

    Args:
        order: what the workers are for.
        folder: where they make logs, each in a folder of its own.
        threads: of each worker, for sums of a model on the CPU.
    """

    def __init__(self, order: Order, folder: Path, threads: int):
        self._order, self._folder, self._hired = order, folder, 0
        paths = [str(LAUNCH), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": str(threads)}

    def hire(self) -> LocalHand:
        """Start one."""
        self._hired += 1
        folder = self._folder / f"{os.getpid()}-{self._hired}"
        folder.mkdir(parents=True, exist_ok=True)
        hand = LocalHand(self._environment)
        hand.ask({"order": self._order.to_dict(), "folder": str(folder)})
        return hand

    def wait(self, hands: Sequence[LocalHand], timeout_s: float) -> list[LocalHand]:
        """Those that answered or died."""
        ready = set(wait([hand.answers for hand in hands], timeout_s))
        return [hand for hand in hands if hand.answers in ready]

    def close(self) -> None:
        """Nothing is held."""


class LocalHand:
    """One process; see `Hand`.

    Attributes:
        answers: the stream that its answers come through.
    """

    def __init__(self, environment: Mapping[str, str]):
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 closed in dismiss
        self._process = subprocess.Popen(
            _PROGRAM, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said, env=environment,
            start_new_session=True,  # a Ctrl-C is for the one who gives out the work
        )
        self.answers = self._process.stdout

    def ask(self, request: Mapping[str, Any]) -> None:
        """One line. That nobody reads it will show when the answer does not come."""
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return

    def answer(self) -> dict[str, Any]:
        """One line, or how it died."""
        line = self.answers.readline()
        if not line.endswith(b"\n"):
            raise WorkerDied(self._obituary())
        told = json.loads(line)
        return told | {"log": Path(told["log"])} if told.get("log") else told

    def dismiss(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self.answers, self._said):
            _close(stream)

    def _obituary(self) -> str:
        code = self._process.wait()
        how = f"by signal {-code}" if code < 0 else f"with code {code}"
        self._said.seek(max(0, self._said.seek(0, os.SEEK_END) - _LAST_WORDS))
        words = " ".join(self._said.read().decode(errors="replace").split())
        return f"the worker ended {how}" + (f"; it last said: {words}" if words else "")


def _close(stream: Any) -> None:
    try:
        stream.close()
    except BrokenPipeError:
        return  # what was not read when it died
