"""Collect demonstrations: the demonstrator carries out tasks from ground truth, and every episode becomes a log.

    python launch/collect.py --tasks pick_place sort --episodes 200 --workers 2 --out data/demonstrations
    python launch/collect.py --tasks pick_place sort --episodes 200 --workers 2 --out data/demonstrations --resume
    python launch/collect.py --tasks sort --episodes 50 --learner runs/flow/policy --first-seed 2000000 --out data/more

The arm is led aside now and then, so that the logs also show how to recover: what the demonstrator wanted is their
action, what was carried out their command. Logs say that they are privileged; what a learner reads of them, pictures
and measurements, is not. Failed demonstrations are kept, and marked by their result. Exit codes as of evaluate.py.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import tyro
from composition import System
from evaluating import closing
from evaluating.evaluation import Effort, Evaluation
from rich.console import Console
from script import run

from tandem.bridge.contract import InvalidOption
from tandem.sim.tasks import task_named


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to demonstrate, how often, by how many, and where the logs go."""

    tasks: tuple[str, ...] = ("pick_place", "sort")
    """Tasks: pick_place, sort, stack, kit, insert, drawer, machine, conveyor."""
    out: Path
    """Folder of the logs (logs/) and of a line for each episode."""
    episodes: int = 200
    """Of each task."""
    first_seed: int = 1_000_000
    """The k-th demonstration of a task has the seed first_seed + k; evaluations begin at 60000."""
    robot: str = "panda"
    """Arm: panda, ur5e, so101."""
    difficulty: float = 0.5
    """0 easy .. 1 hard: more objects, more distractors."""
    learner: str | None = None
    """Folder of a learned policy that begins each subgoal; the demonstrator goes on from where it has led."""
    disturb: tuple[str, ...] = ("nudged",)
    """What goes wrong on purpose, such as nudged:joint_rad=0.03 or lighting."""
    look_every: int = 3
    """Control steps from one picture to the next; drawing them is what takes the time."""
    workers: int = 1
    """Processes; 0 for as many as there are cores."""
    patience_s: float = 1800.0
    """Wall time for one episode."""
    resume: bool = False
    """Go on with what is there."""


def main(options: Options) -> int:
    if not options.tasks or options.episodes < 1 or options.look_every < 1 or options.workers < 0:
        raise InvalidOption("give --tasks, --episodes and --look-every of at least 1, and --workers of at least 0")
    for task in options.tasks:
        task_named(task)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 150)
    policy = f"taught:{options.learner}" if options.learner else "demonstrator"
    system = System(
        planner="scripted", policy=policy, verifier="predicate", robot=options.robot, difficulty=options.difficulty,
        disturb=options.disturb,
    )
    collection = Evaluation(
        system, options.tasks, options.episodes, options.first_seed, options.out, "all", options.resume,
        look_every=options.look_every,
    )
    ended = collection.run(Effort(options.workers, patience_s=options.patience_s), console)
    for part in closing.parts(ended.summary, ended.hopeless) if ended.summary else ():
        console.print(part)
    if ended.interrupted:
        console.print("[yellow]stopped[/]; go on with --resume")
    return 130 if ended.interrupted else 3 if ended.hopeless else 0


if __name__ == "__main__":
    run(lambda: main(tyro.cli(Options, description=__doc__)), orderly=True)
