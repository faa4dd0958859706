"""The folder of a running evaluation: one process at a time writes to it, and a kill leaves it fit to go on."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evaluating.crew import Outcome
from evaluating.worker import log_name

from tandem.agent.evaluation import results
from tandem.agent.evaluation.manifests import Difference, differences
from tandem.agent.evaluation.results import Address, Evaluation, Record
from tandem.bridge.contract import InvalidOption, LogUnwritable

LOCK, UNFINISHED = "evaluation.lock", "unfinished"
_REFUSED = frozenset({"arm", "models", "options", "episodes", "versions"})


class Folder:
    """See the module.

    Args:
        path: the folder; made if it is not there.
        resume: go on with the evaluation that is there, if there is one.

    Attributes:
        path: the folder.
        unfinished: where workers make the logs of episodes that still run.

    Raises `InvalidOption` when an evaluation is there that is not to be resumed, or that somebody else is running.
    """

    def __init__(self, path: Path, *, resume: bool):
        self.path, self.unfinished = path, path / results.LOGS / UNFINISHED
        self._there = self.begun
        if self._there and not resume:
            raise InvalidOption(f"{path} holds an evaluation already: --resume it, or choose another --out")
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock = (path / LOCK).open("w")
        except OSError as reason:
            raise LogUnwritable(f"cannot write to {path}: {reason.strerror}; choose another --out") from reason
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as reason:
            self._lock.close()
            raise InvalidOption(f"another process is writing to {path}: wait for it, or choose another --out"
                                ) from reason
        shutil.rmtree(self.unfinished, ignore_errors=True)

    def begin(self, plan: Mapping[str, Any]) -> tuple[Difference, ...]:
        """Write the plan, or check that the one that is there is the same.

        Returns what differs all the same and may explain outcomes (code, machine). Raises `InvalidOption` naming the
        first difference that makes it another evaluation.
        """
        if not self._there:
            results.begin(self.path, plan)
            return ()
        planned = {name: value for name, value in self.read().plan.items() if name != results.RESUMED}
        found = [one for one in differences(planned, json.loads(json.dumps(plan))) if one.explains]
        for one in found:
            if one.group in _REFUSED:
                was, now = one.words
                raise InvalidOption(f"{self.path} cannot be resumed with another {one.path}: it was {was}, now {now}. "
                                    "Give the same options, or choose another --out")
        if found and self.left():
            results.gone_on(self.path, {one.path: one.second for one in found})
        return tuple(found)

    @property
    def begun(self) -> bool:
        """Whether there is a plan."""
        return (self.path / results.PLAN_FILE).exists()

    def read(self) -> Evaluation:
        """What is there."""
        return results.load(self.path)

    def left(self) -> list[Address]:
        """What is planned and has not ended, in order."""
        evaluation = self.read()
        done = evaluation.episodes
        return [address for address in evaluation.planned if address not in done]

    def keep(self, outcome: Outcome) -> Record:
        """Write a try down: its log first, so that no line names a log that is not there."""
        try:
            if outcome.log is not None:
                self._keep_log(outcome.log, self.path / results.LOGS / log_name(outcome.record.address))
            results.append(self.path, outcome.record)
        except OSError as reason:
            raise LogUnwritable(f"cannot write to {self.path}: {reason.strerror}; make room and --resume") from reason
        return outcome.record

    def _keep_log(self, log: Path | bytes, target: Path) -> None:
        if isinstance(log, bytes):
            self.unfinished.mkdir(parents=True, exist_ok=True)
            draft = self.unfinished / target.name
            draft.write_bytes(log)
            log = draft
        log.replace(target)

    def close(self) -> None:
        """Let others write."""
        shutil.rmtree(self.unfinished, ignore_errors=True)
        self._lock.close()
