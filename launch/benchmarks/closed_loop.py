"""Whole episodes planned by a model: success by task, false successes, refusals; and what its safeguards are worth.

Every episode has a seed of its own, and instructions are the tasks' own phrasings, which training never uses. With
--ablations the same seeds are run again without verification, without the grammar, and with the scripted planner.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.closed_loop_report import Cell, ablation_table, figures, table
from benchmarks.journal import Journal
from composition import Rig, System, load_models
from minds import settings_of
from orphans import follow_parent
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from tandem.bridge.contract import Event, EventKind, InvalidOption, UnknownName
from tandem.sim.tasks import TASKS

ABLATED = ("pick_place", "sort", "stack")
NO_GRAMMAR = ("babble", "scripted", "openai:", "cassette:")  # planners whose grammar cannot be switched off here


@dataclass(frozen=True)
class ClosedLoopBenchmark:
    """Success of a model's plans, with Wilson intervals."""

    planner: str = "tiny"
    """Planner: as for an episode."""
    perceiver: str | None = None
    """A second model that looks, for a planner that reads text only."""
    device: str = "auto"
    """Where a model runs: auto, cuda, cpu, mps."""
    episodes: int = 20
    """Episodes of each task."""
    impossible: int | None = None
    """Episodes of each task whose instruction cannot be carried out; a quarter of the others if left out."""
    first_seed: int = 20_000
    """Seeds count up from here; training uses none near."""
    tasks: tuple[str, ...] = ()
    """Only these tasks; all when empty."""
    robot: str = "panda"
    """Arm: panda, ur5e, so101."""
    policy: str = "motion"
    """Policy: motion (camera points lifted through depth), demonstrator (targets from ground truth)."""
    verifier: str = "observation"
    """Verifier: observation, judge, both, none."""
    ablations: bool = False
    """Also run the same seeds without verification, without the grammar, and with the scripted planner."""
    workers: int = 1
    """Processes that run episodes side by side; each loads the model."""
    journal: Path | None = None
    """Write each result to this file, and leave out what it already holds."""
    verbose: bool = False
    """Also print why each failed episode failed, and the command that repeats it."""

    def run(self) -> dict[str, float]:
        """Run every episode, print the tables, return the figures."""
        self._check()
        console = Console(highlight=False, width=None if sys.stdout.isatty() else 130)
        cells, journal = list(self._cells()), Journal(self.journal)
        who = _who(cells[0].system)
        jobs = [(cell, seed) for cell in cells for seed in self._seeds(cell)]
        results: dict[str, list[dict[str, Any]]] = {cell.name: [] for cell in cells}
        with Progress(console=console, transient=True) as progress:
            bar = progress.add_task("episodes", total=len(jobs))
            for cell, seed, outcome in self._outcomes(jobs, journal, who):
                results[cell.name].append(outcome)
                progress.advance(bar)
                if self.verbose and not outcome["success"]:
                    progress.console.print(_story(cell, seed, outcome))
        for rows in results.values():
            rows.sort(key=lambda row: row["seed"])  # variants are compared seed by seed
        console.print(table(self.planner, cells, results))
        if self.ablations:
            console.print(ablation_table(cells, results))
        return figures(cells, results)

    def _check(self) -> None:
        if self.episodes < 1 or self.workers < 1 or (self.impossible or 0) < 0:
            raise InvalidOption("--episodes and --workers must be at least 1, --impossible not negative")
        for task in self.tasks:
            if task not in TASKS:
                raise UnknownName("task", task, TASKS)

    def _seeds(self, cell: Cell) -> range:
        return range(self.first_seed, self.first_seed + cell.episodes)

    def _cells(self) -> Iterator[Cell]:
        base = System(
            planner=self.planner, perceiver=self.perceiver, device=self.device, robot=self.robot, policy=self.policy,
            verifier=self.verifier,
        )
        impossible = self.impossible if self.impossible is not None else max(1, self.episodes // 4)
        for task in self.tasks or TASKS:
            yield Cell(f"success_{task}", replace(base, task=task), True, self.episodes)
        for task in self.tasks or TASKS:
            if impossible:
                yield Cell(f"refused_{task}", replace(base, task=task), False, impossible)
        if self.ablations:
            for variant, change in _variants(self.planner):
                for task in [task for task in ABLATED if not self.tasks or task in self.tasks]:
                    yield Cell(f"success_{task}|{variant}", replace(base, task=task, **change), True, self.episodes)

    def _outcomes(
        self, jobs: list[tuple[Cell, int]], journal: Journal, who: dict[str, Any]
    ) -> Iterator[tuple[Cell, int, dict[str, Any]]]:
        """Every outcome: those that the journal has first, then the others as they come."""
        left = []
        for cell, seed in jobs:
            known = journal.find(_key(cell, seed, who))
            if known is None:
                left.append((cell, seed))
            else:
                yield cell, seed, known
        for cell, seed, outcome in _run_here(left) if self.workers == 1 else _run_apart(left, self.workers):
            journal.add(_key(cell, seed, who), outcome)
            yield cell, seed, outcome


def _variants(planner: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "no verification", {"verifier": "none"}
    if not planner.startswith(NO_GRAMMAR):
        yield "no grammar", {"grammar": False}
    yield "scripted planner", {"planner": "scripted", "perceiver": None, "verifier": "observation"}


def _who(system: System) -> dict[str, Any]:
    """What answers: other weights or settings under the same name are another planner."""
    models = {str(k): model for k, model in enumerate(load_models(system)) if model is not None}
    digests = {k: model.describe().get("digest") for k, model in models.items()}
    return {**digests, "settings": settings_of(system.planner)}


def _key(cell: Cell, seed: int, who: dict[str, Any]) -> dict[str, Any]:
    who = {} if cell.system.planner == "scripted" else who
    return {"system": asdict(cell.system), "feasible": cell.feasible, "seed": seed, "models": who}


def _run_here(jobs: list[tuple[Cell, int]]) -> Iterator[tuple[Cell, int, dict[str, Any]]]:
    for cell, seed in jobs:
        yield cell, seed, episode(cell, seed)


def _run_apart(jobs: list[tuple[Cell, int]], workers: int) -> Iterator[tuple[Cell, int, dict[str, Any]]]:
    context = get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_share_cores, initargs=(workers,)) as pool:
        running = {pool.submit(episode, *job): job for job in jobs}
        for done in as_completed(running):
            yield *running[done], done.result()


def _share_cores(workers: int) -> None:
    """Before the model's libraries are loaded: as many threads as there are cores for each process, not for all."""
    follow_parent()
    os.environ["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // workers))


class Plans:
    """A subscriber that notes how long each plan took.

    Attributes:
        seconds: of each planner call.
    """

    def __init__(self):
        self.seconds: list[float] = []

    def on_episode_start(self, start: Any) -> None:
        """Nothing to note."""

    def on_step(self, step: Any) -> None:
        """Nothing to note."""

    def on_event(self, event: Event) -> None:
        """The latency of a plan."""
        if event.kind is EventKind.PLAN:
            self.seconds.append(event.data["latency_s"])

    def on_episode_end(self, result: Any) -> None:
        """Nothing to note."""


def episode(cell: Cell, seed: int) -> dict[str, Any]:
    """One episode, as plain types."""
    rig, plans = Rig(cell.system), Plans()
    try:
        result = rig.run(seed, feasible=cell.feasible, subscribers=[plans])
    finally:
        rig.close()
    if result.failure == "INTERRUPTED":
        raise KeyboardInterrupt
    fields = result.to_dict()
    kept = ("success", "false_success", "claimed", "infeasible", "failure", "reason", "body_s", "wall_s", "plans")
    tried = [f"{a['failure']}: {a['detail']}"[:200] for a in fields["attempts"] if a["failure"]]
    return {"seed": seed, **{name: fields[name] for name in kept}, "failures": tried, "plan_s": plans.seconds}


def _story(cell: Cell, seed: int, outcome: dict[str, Any]) -> str:
    system, ask = cell.system, "" if cell.feasible else " --infeasible"
    options = f"--task {system.task} --robot {system.robot} --planner {system.planner} --policy {system.policy}"
    options += f" --verifier {system.verifier}{'' if system.grammar else ' --no-grammar'}{ask} --seed {seed}"
    lines = [f"[red]{escape(cell.name)}[/] seed {seed}: {outcome['failure']} {escape(outcome['reason'])}"[:300]]
    lines += [f"    {escape(line)}" for line in outcome["failures"][:4]]
    return "\n".join([*lines, f"    python launch/episode.py {options}"])
