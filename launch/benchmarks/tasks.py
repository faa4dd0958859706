"""Success of the scripted planner with the motion policy: per task, per robot, under disturbances, and refusals.

Every episode has a seed of its own and is measured by the simulator's predicates. `truth` gives the policy target
positions from ground truth and lets the agent trust the predicates; `depth` gives it camera points that it lifts
through depth, and lets it trust only what it observes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from typing import Any, Literal

from benchmarks import insertion
from benchmarks.strikes import Strikes
from composition import Rig, System
from orphans import follow_parent
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tandem.agent.evaluation.statistics import wilson
from tandem.bridge.contract import InvalidOption, UnknownName
from tandem.sim.disturbances import DISTURBANCES
from tandem.sim.tasks import TASKS

SECTIONS = ("tasks", "robots", "disturbances", "infeasible", "insert")
ON_ROBOTS = {"ur5e": ("pick_place", "sort", "stack"), "so101": ("pick_place",)}
DISTURBED = ("pick_place", "sort")
MODES = {
    "truth": {"planner": "scripted", "policy": "demonstrator", "verifier": "predicate"},
    "depth": {"planner": "scripted", "policy": "motion", "verifier": "observation"},
}


@dataclass(frozen=True)
class Cell:
    """One row of the table: a name for its figure, a system, and whether it is asked for the impossible."""

    name: str
    section: str
    system: System
    feasible: bool = True
    search_m: float = insertion.FEEL_M


@dataclass(frozen=True)
class TasksBenchmark:
    """Success rates with Wilson intervals."""

    seeds: int = 10
    """Episodes for each row."""
    first_seed: int = 1000
    """Seeds count up from here."""
    mode: Literal["truth", "depth"] = "truth"
    """Where the policy's target positions come from."""
    sections: tuple[str, ...] = SECTIONS
    """Which parts of the table: tasks, robots, disturbances, infeasible, insert (one look or two; mode depth only)."""
    tasks: tuple[str, ...] = ()
    """Only these tasks; all when empty."""
    workers: int = 2
    """Processes that run episodes side by side."""
    verbose: bool = False
    """Also print why each failed episode failed, and the command that repeats it."""

    def run(self) -> dict[str, float]:
        """Run every episode, print the table, return the figures."""
        if self.seeds < 1:
            raise InvalidOption(f"seeds must be at least 1, got {self.seeds}")
        console, cells = Console(highlight=False, width=None if sys.stdout.isatty() else 120), list(self._cells())
        if not cells:
            raise InvalidOption("there is nothing to measure: section insert needs --mode depth and the task insert")
        results: dict[str, list[dict[str, Any]]] = {cell.name: [] for cell in cells}
        with ProcessPoolExecutor(self.workers, initializer=follow_parent) as pool, \
                Progress(console=console, transient=True) as progress:
            bar = progress.add_task("episodes", total=len(cells) * self.seeds)
            jobs = {pool.submit(_episode, cell, seed): cell for cell in cells for seed in self._seeds()}
            for job in as_completed(jobs):
                outcome = job.result()
                results[jobs[job].name].append(outcome)
                progress.advance(bar)
                if self.verbose and not outcome["success"]:
                    progress.console.print(_story(jobs[job], outcome))
        console.print(_table(cells, results, self.mode))
        if looks := _looks(cells, results):
            console.print(insertion.table(looks))
        return _figures(cells, results)

    def _seeds(self) -> range:
        return range(self.first_seed, self.first_seed + self.seeds)

    def _cells(self) -> Iterator[Cell]:
        for section in self.sections:
            if section not in SECTIONS:
                raise UnknownName("section", section, SECTIONS)
        for task in self.tasks:
            if task not in TASKS:
                raise UnknownName("task", task, TASKS)
        for cell in _every(System(**MODES[self.mode])):
            if cell.section in self.sections and (not self.tasks or cell.system.task in self.tasks):
                yield cell


def _every(base: System) -> Iterator[Cell]:
    """All rows of the table."""
    for task in TASKS:
        yield Cell(f"success_{task}", "tasks", replace(base, task=task))
    for robot, tasks in ON_ROBOTS.items():
        for task in tasks:
            yield Cell(f"success_{task}_{robot}", "robots", replace(base, task=task, robot=robot))
    for disturbance in DISTURBANCES:
        for task in DISTURBED:
            system = replace(base, task=task, disturb=(disturbance,))
            yield Cell(f"success_{task}_{disturbance}", "disturbances", system)
    for task in TASKS:
        yield Cell(f"refused_{task}", "infeasible", replace(base, task=task), feasible=False)
    if base.policy == "motion":
        for name, system, search_m in insertion.variants(base):
            yield Cell(f"success_insert_{name}", "insert", system, search_m=search_m)


def _episode(cell: Cell, seed: int) -> dict[str, Any]:
    """One episode in a worker process."""
    rig = Rig(cell.system, search_m=cell.search_m)
    meter, strikes = insertion.InsertionMeter(rig), Strikes()
    watchers = (strikes, meter) if cell.section == "insert" else (strikes,)
    try:
        result = rig.run(seed, feasible=cell.feasible, subscribers=watchers)
    finally:
        rig.close()
    return {"seed": seed, **result.to_dict(), "insertion": meter.figures, "struck": strikes.count > 0}


def _looks(cells: list[Cell], results: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """The results of section insert, by the names of its variants."""
    prefix = "success_insert_"
    return {cell.name.removeprefix(prefix): results[cell.name] for cell in cells if cell.section == "insert"}


def _story(cell: Cell, outcome: dict[str, Any]) -> str:
    system = cell.system
    options = f"--task {system.task} --robot {system.robot} --policy {system.policy} --verifier {system.verifier}"
    options += "" if system.second_look else " --no-second-look"
    options += "".join(f" --disturb {name}" for name in system.disturb) + ("" if cell.feasible else " --infeasible")
    failures = [f"{a['failure']}: {a['detail']}" for a in outcome["attempts"] if a["failure"]]
    lines = [f"[red]{cell.name}[/] seed {outcome['seed']}: {outcome['failure']} {outcome['reason']}"[:300]]
    lines += [f"    {line}"[:200] for line in failures[:6]]
    return "\n".join([*lines, f"    python launch/episode.py {options} --seed {outcome['seed']}"])


def _table(cells: list[Cell], results: dict[str, list[dict[str, Any]]], mode: str) -> Table:
    table = Table(title=f"scripted planner, motion policy, targets from {mode}", title_justify="left")
    titles = ("figure", "success", "95 % interval", "false success", "body time", "wall time", "retries", "struck")
    for name in titles:
        table.add_column(name, justify="left" if name == "figure" else "right")
    for cell in cells:
        rows = results[cell.name]
        n, good = len(rows), sum(bool(row["success"]) for row in rows)
        low, high = wilson(good, n)
        retries = sum(attempt["failure"] is not None for row in rows for attempt in row["attempts"])
        table.add_row(
            cell.name, f"{good}/{n}", f"{low:.0%} .. {high:.0%}", str(sum(bool(row["false_success"]) for row in rows)),
            f"{sum(row['body_s'] for row in rows) / n:.1f} s", f"{sum(row['wall_s'] for row in rows) / n:.1f} s",
            f"{retries / n:.2f}", _struck(cell, rows),
        )
    return table


def _struck(cell: Cell, rows: list[dict[str, Any]]) -> str:
    """In how many episodes the disturbance struck: in the others nothing was disturbed."""
    return f"{sum(row['struck'] for row in rows)}/{len(rows)}" if cell.section == "disturbances" else ""


def _figures(cells: list[Cell], results: dict[str, list[dict[str, Any]]]) -> dict[str, float]:
    rate = {name: sum(bool(row["success"]) for row in rows) / len(rows) for name, rows in results.items()}
    refused = [bool(row["success"]) for cell in cells if not cell.feasible for row in results[cell.name]]
    every = [row for rows in results.values() for row in rows]
    figures: dict[str, float] = dict(rate)
    if refused:
        figures["infeasible_recognised"] = sum(refused) / len(refused)
    for cell in cells:
        if cell.section == "disturbances":
            rows = results[cell.name]
            figures[cell.name.replace("success", "struck", 1)] = sum(row["struck"] for row in rows) / len(rows)
    for name, rows in _looks(cells, results).items():
        figures |= insertion.summary(name, [row["insertion"] for row in rows])
    false = sum(bool(row["false_success"]) for row in every)
    return {**figures, "false_success": false / len(every), "false_success_count": false, "episodes": len(every)}
