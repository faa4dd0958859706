"""One evaluation from beginning to end: a plan, workers, results as they come."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from composition import System
from evaluating.crew import Crew
from evaluating.folder import Folder
from evaluating.foreman import Foreman
from evaluating.local_crew import LocalCrew
from evaluating.progress import Bar
from evaluating.ray_crew import RayCrew
from evaluating.schedule import Schedule
from evaluating.worker import Keep, Order
from rich.console import Console

from tandem.agent.evaluation.manifests import Difference
from tandem.agent.evaluation.results import Address
from tandem.agent.evaluation.summary import Summary
from tandem.bridge.log import manifest


@dataclass(frozen=True)
class Effort:
    """Who works, and for how long a worker is waited for: nothing that a result depends on.

    Attributes:
        workers: at a time; 0 for as many as there are cores.
        threads: of each worker; sums of a model on the CPU are rounded in another order with more.
        patience_s: wall time for one episode, loading included.
        ray: address of a cluster, "auto", or None for processes here.
        gpus: share of a GPU for each worker on a cluster.
    """

    workers: int = 1
    threads: int = 1
    patience_s: float = 1800.0
    ray: str | None = None
    gpus: float = 0.0


@dataclass(frozen=True)
class Evaluation:
    """What is evaluated; see `evaluate.py` for the meaning of each."""

    system: System
    tasks: tuple[str, ...]
    episodes: int
    first_seed: int
    folder: Path
    keep: Keep
    resume: bool
    arm: Mapping[str, Any] = field(default_factory=dict)
    look_every: int = 0

    def run(self, effort: Effort, console: Console) -> Ended:
        """All of it, or what can be done before Ctrl-C."""
        folder = Folder(self.folder, resume=self.resume)
        schedule, interrupted = Schedule(()), False
        try:
            foreman = self._foreman(effort, folder)
            try:
                _note(console, folder.begin(self._plan(foreman.describe(self.tasks), effort)))
                schedule = Schedule(folder.left())
                self._work(foreman, schedule, folder, console)
            finally:
                foreman.close()
        except KeyboardInterrupt:
            interrupted = True
        finally:
            folder.close()
        return Ended(folder, tuple(schedule.hopeless), interrupted)

    def _foreman(self, effort: Effort, folder: Folder) -> Foreman:
        order = Order(self.system, self.keep, self.look_every)
        if effort.ray is not None:
            crew: Crew = RayCrew(order, effort.ray, effort.threads, effort.gpus)
            cores = crew.cores
        else:
            crew, cores = LocalCrew(order, folder.unfinished, effort.threads), os.cpu_count() or 1
        return Foreman(crew, effort.workers or cores, effort.patience_s)

    def _plan(self, about: Mapping[str, Any], effort: Effort) -> dict[str, Any]:
        system = {name: value for name, value in asdict(self.system).items() if name != "task"}
        known = manifest()
        environment = known["environment"] | {"OMP_NUM_THREADS": str(effort.threads)}
        return {
            "system": system, "tasks": list(self.tasks), "episodes": self.episodes, "first_seed": self.first_seed,
            "arm": dict(self.arm), **known, "environment": environment, **about,
        }

    def _work(self, foreman: Foreman, schedule: Schedule, folder: Folder, console: Console) -> None:
        there = folder.read()
        with Bar(console, folder.path.name, len(there.planned), there.episodes.values()) as bar:
            for outcome in foreman.outcomes(schedule):
                bar.show(folder.keep(outcome))


@dataclass(frozen=True)
class Ended:
    """How an evaluation ended.

    Attributes:
        folder: its results.
        hopeless: episodes that broke every time.
        interrupted: by Ctrl-C.
    """

    folder: Folder
    hopeless: tuple[Address, ...]
    interrupted: bool

    @property
    def summary(self) -> Summary | None:
        """Of what is there; None when it was stopped before it had a plan."""
        return Summary.of(self.folder.read()) if self.folder.begun else None


def _note(console: Console, found: tuple[Difference, ...]) -> None:
    for one in found:
        was, now = one.words
        console.print(f"[yellow]resumed although {one.path} differs:[/] it was {was}, now {now}", highlight=False)
