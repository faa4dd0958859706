"""Run many episodes on many workers, and say how often they succeed.

    python launch/evaluate.py --tasks sort stack --episodes 100 --workers 8 --out runs/base
    python launch/evaluate.py --tasks sort stack --episodes 100 --workers 8 --out runs/base --resume
    python launch/evaluate.py --tasks sort --episodes 100 --out runs/base --arms wording latency

Results are in the folder as soon as an episode has ended; whatever stops the rest, --resume goes on. Exit code: 0 when
every episode has a result, 3 when some broke every time, 2 for a bad option, 130 after Ctrl-C.
"""

import json
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import tyro
from compare import MOST
from comparison_tables import Report
from composition import System
from evaluating import closing
from evaluating.changes import OTHER_STATES, changed, folder_name
from evaluating.evaluation import Effort, Ended, Evaluation
from rich.console import Console
from rich.markup import escape
from script import run

from tandem.bridge.contract import InvalidOption, UnusableResults
from tandem.sim.tasks import task_named


@dataclass(frozen=True, kw_only=True)
class Options(System):
    """What to run, how often, by how many, and where the results go."""

    task: tyro.conf.Suppress[str] = "pick_place"
    tasks: tuple[str, ...]
    """Tasks: pick_place, sort, stack, kit, insert, drawer, machine, conveyor."""
    out: Path
    """Folder of the results; arms go to folders beside it, such as FOLDER-wording."""
    episodes: int = 100
    """How many episodes of each task."""
    first_seed: int = 0
    """Initial state k has the seed first_seed + k, whoever runs it."""
    workers: int = 1
    """How many episodes run side by side; 0 for as many as there are cores."""
    threads: int = 1
    """Of each worker, for a model on the CPU; other numbers round sums in another order."""
    patience_s: float = 1800.0
    """Wall time after which an episode that has not come back is given up and tried again, loading included."""
    resume: bool = False
    """Go on with what is missing in the folder, if anything is there."""
    record: Literal["all", "failures", "none"] = "failures"
    """Which episode logs are kept; failures: of failures and false successes."""
    json: Path | None = None
    """Also write the figures to this file."""
    ray: str | None = None
    """Spread the workers over a Ray cluster: its address, or auto to join the one here or start one."""
    ray_gpus: float = 0.0
    """Share of a GPU that each worker on a Ray cluster takes."""
    arm: tuple[str, ...] = ()
    """The one thing that is changed, as OPTION=VALUE of the system, for a comparison with another folder."""
    arms: tuple[str, ...] = ()
    """Also run these arms and print their effect: wording, distractors, camera_shift, latency, dropped_frames,
    lighting, or OPTION=VALUE."""


def main(options: Options) -> int:
    check(options)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 150)
    ended = []
    for evaluation in evaluations_of(options):
        effort = Effort(options.workers, options.threads, options.patience_s, options.ray, options.ray_gpus)
        ended.append(evaluation.run(effort, console))
        tell(console, ended[-1])
        if ended[-1].interrupted:
            break
    figures = ended[0].summary and ended[0].summary.to_dict()
    interrupted = ended[-1].interrupted
    if options.arms and not interrupted:
        figures |= print_matrix(console, ended, options.arms)
    if options.json and figures:
        write(options.json, json.dumps(figures, indent=1, allow_nan=False) + "\n")
    return 130 if interrupted else 3 if any(one.hopeless for one in ended) else 0


def check(options: Options) -> None:
    if not options.tasks or len(set(options.tasks)) < len(options.tasks):
        raise InvalidOption(f"give --tasks, each once; got {' '.join(options.tasks) or 'none'}")
    if options.episodes < 1 or options.first_seed < 0:
        raise InvalidOption(
            f"--episodes must be at least 1 and --first-seed at least 0, got {options.episodes} and "
            f"{options.first_seed}"
        )
    if options.workers < 0 or options.threads < 1 or options.ray_gpus < 0 or not 0 < options.patience_s < math.inf:
        raise InvalidOption("--workers and --ray-gpus must not be negative, --threads at least 1, --patience-s above 0")
    if options.body == "sim":
        for task in options.tasks:
            task_named(task)
    elif options.workers != 1 or options.ray or len(options.tasks) > 1:
        raise InvalidOption("a body behind the bridge has one commander and one task: --workers 1, one task, no --ray")
    if len({folder_name(name) for name in options.arms}) < len(options.arms) or len(options.arms) >= MOST:
        raise InvalidOption(f"give each of --arms once, and at most {MOST - 1}")
    if options.arm and options.arms:
        raise InvalidOption("--arm says what this evaluation is, --arms what to run beside the baseline: give one")


def evaluations_of(options: Options) -> Iterator[Evaluation]:
    """The evaluation, then one for each arm; all are composed before the first runs."""
    given = {field.name: getattr(options, field.name) for field in fields(System)}
    base, arm = changed(System(**given), options.arm)
    first = Evaluation(base, options.tasks, options.episodes, options.first_seed, options.out, options.record,
                       options.resume, arm)
    others = [(options.out.with_name(f"{options.out.name}-{folder_name(name)}"), *changed(base, [name]))
              for name in options.arms]
    yield first
    for folder, system, change in others:
        yield replace(first, system=system, folder=folder, arm=change)


def tell(console: Console, ended: Ended) -> None:
    if ended.summary is None:
        console.print("stopped before the first episode")
        return
    for part in closing.parts(ended.summary, ended.hopeless):
        console.print(part)
    if ended.interrupted:
        console.print("[yellow]stopped[/]; go on with --resume")


def print_matrix(console: Console, ended: list[Ended], arms: tuple[str, ...]) -> dict[str, Any]:
    """What compare.py prints of all of them, or why it cannot; and the effects for the figures."""
    evaluations = [one.folder.read() for one in ended]
    other_states = any(OTHER_STATES & set(one.plan["arm"]) for one in evaluations)
    try:
        report = Report.of(evaluations, other_states=other_states)
    except UnusableResults as reason:  # what was measured stands all the same
        console.print(f"[yellow]the arms cannot be compared:[/] {escape(str(reason))}")
        return {"arms": []}
    for part in report.parts():
        console.print(part)
    return {"arms": [arm.to_dict() for arm in report.arms]}


def write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as reason:
        raise InvalidOption(f"cannot write {path}: {reason.strerror}; choose another --json") from reason


if __name__ == "__main__":
    run(lambda: main(tyro.cli(Options, description=__doc__)), orderly=True)
