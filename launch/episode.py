"""Run an episode: simulate, plan, act, verify, log.

    python launch/episode.py --task stack --seed 3
    python launch/episode.py --instruction "put the red cube in the blue bin"

Writes runs/<time>/<task>-<robot>-seed<seed>.mcap, and beside it a film (mp4) and a contact sheet (png).
Exit code: 0 when every episode was a measured success (or a rightful refusal), 1 otherwise, 2 for a bad option.
"""

import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import tyro
from composition import Rig, System
from console import Console
from pictures import write_pictures
from script import run

from tandem.agent.evaluation.statistics import wilson
from tandem.bridge.contract import EpisodeResult, FailureCode, InvalidOption, LogUnwritable
from tandem.bridge.log import Recorder, next_free
from tandem.sim.tasks import task_named


@dataclass(frozen=True)
class Options(System):
    """What to run, and what to keep of it."""

    instruction: str | None = None
    """The task in your own words; without it the task's own, drawn from the seed."""
    infeasible: bool = False
    """Ask for something that cannot be done."""
    seed: int = 0
    """Determines everything; later episodes count up from it."""
    episodes: int = 1
    """How many episodes."""
    record: bool = True
    """Write the log; with --no-record nothing is written."""
    pictures: bool = True
    """Also make the film and the contact sheet from the log."""
    rotate_s: float | None = None
    """Go on in another file of the same log after so much body time."""
    log_dir: Path = Path("runs")
    """Where the logs go."""


def main(options: Options) -> int:
    if options.episodes < 1:
        raise InvalidOption(f"--episodes must be at least 1, got {options.episodes}")
    if options.instruction is not None and not options.instruction.strip():
        raise InvalidOption("--instruction is empty; leave it out for the task's own words")
    if options.instruction is not None and options.body == "sim":
        task_named(options.task).understand(options.instruction)  # before anything is loaded
    rig = Rig(options)
    print("".join(f"{line}\n" for line in rig.introduce()), end="")
    folder = run_folder(options.log_dir) if options.record else options.log_dir
    results = []
    try:
        for seed in range(options.seed, options.seed + options.episodes):
            results.append(episode(rig, options, seed, folder))
            if results[-1].failure == FailureCode.INTERRUPTED:
                break
    finally:
        rig.close()
        if options.record and not any(folder.iterdir()):
            folder.rmdir()  # nothing came of it
    if len(results) > 1:
        print_total(results)
    return 0 if all(result.success for result in results) else 1


def print_total(results: list[EpisodeResult]) -> None:
    good = sum(bool(result.success) for result in results)
    low, high = wilson(good, len(results))
    false = sum(bool(result.false_success) for result in results)
    print(f"{good} of {len(results)} succeeded ({low:.0%} to {high:.0%} with 95 % confidence), {false} false successes")


def run_folder(logs: Path) -> Path:
    folder = logs / datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as reason:
        raise LogUnwritable(
            f"cannot make {folder}: {reason.strerror}. Choose a folder that you may write to with --log-dir, "
            "or run without a log: --no-record"
        ) from reason
    return folder


def episode(rig: Rig, options: Options, seed: int, folder: Path) -> EpisodeResult:
    console = Console(rig.stage.horizon_s, f"{rig.stage.task}, seed {seed}")
    ask = {"instruction": options.instruction, "feasible": not options.infeasible}
    if not options.record:
        return told(console, rig.run(seed, subscribers=[console], **ask))
    path = next_free(folder, f"{rig.stage.task}-{rig.body.spec.robot}-seed{seed}")
    with Recorder(path, rotate_s=options.rotate_s, **rig.stage.keeps()) as recorder:
        result = told(console, rig.run(seed, subscribers=[recorder, console], **ask))
    if path.exists():
        console.terminal.print(f"[dim]log[/]    {path}", soft_wrap=True)
    if options.pictures and console.begun and result.failure != FailureCode.LOG_UNWRITABLE:
        write_pictures(path, console.terminal)
    return result


def told(console: Console, result: EpisodeResult) -> EpisodeResult:
    """An episode whose body could not even be reset has no beginning, no log and no end that a console would hear."""
    if not console.begun:
        print(f"{result.failure}: {result.reason}", file=sys.stderr)
    return result


if __name__ == "__main__":
    run(lambda: main(tyro.cli(Options, description=__doc__)), orderly=True)
