"""Measure, next to a peer or a floor in the same run, and print it.

    python launch/benchmark.py sim   [--json FILE]
    python launch/benchmark.py tasks [--seeds 50] [--mode truth|depth] [--json FILE]
    python launch/benchmark.py planner [--json FILE]
    python launch/benchmark.py bridge [--seconds 60] [--json FILE]
    python launch/benchmark.py log [--seconds 60] [--json FILE]
    python launch/benchmark.py closed_loop [--planner tiny] [--episodes 100] [--ablations] [--json FILE]
    python launch/benchmark.py executors [--executors open_loop async ...] [--clock charged:200] [--json FILE]
    python launch/benchmark.py policy [--policy runs/flow/policy] [--json FILE]

With --json, one flat object of figures is written.
"""

import json
from pathlib import Path
from typing import Annotated

import tyro
from benchmarks.bridge import BridgeBenchmark
from benchmarks.closed_loop import ClosedLoopBenchmark
from benchmarks.executors import ExecutorsBenchmark
from benchmarks.log import LogBenchmark
from benchmarks.planner import PlannerBenchmark
from benchmarks.policy import PolicyBenchmark
from benchmarks.sim import SimBenchmark
from benchmarks.tasks import TasksBenchmark
from script import run

from tandem.bridge.contract import InvalidOption

Benchmark = (
    Annotated[SimBenchmark, tyro.conf.subcommand("sim")]
    | Annotated[TasksBenchmark, tyro.conf.subcommand("tasks")]
    | Annotated[PlannerBenchmark, tyro.conf.subcommand("planner")]
    | Annotated[BridgeBenchmark, tyro.conf.subcommand("bridge")]
    | Annotated[LogBenchmark, tyro.conf.subcommand("log")]
    | Annotated[ClosedLoopBenchmark, tyro.conf.subcommand("closed_loop")]
    | Annotated[ExecutorsBenchmark, tyro.conf.subcommand("executors")]
    | Annotated[PolicyBenchmark, tyro.conf.subcommand("policy")]
)


def writable(path: Path) -> None:
    existed = path.exists()
    try:
        path.open("a").close()
        if not existed:
            path.unlink()  # an interrupted benchmark leaves no empty file
    except OSError as reason:
        raise InvalidOption(f"cannot write {path}: {reason.strerror}; choose another file with --json") from reason


def main(benchmark: Benchmark, json_file: Path | None) -> int:
    if json_file:
        writable(json_file)  # before the work, not after it
    figures = benchmark.run()
    if json_file:
        json_file.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


def command_line(benchmark: Benchmark, json: Annotated[Path | None, tyro.conf.arg(name="json")] = None) -> int:
    """Run one benchmark.

    Args:
        benchmark: which one.
        json: also write the figures to this file.
    """
    return main(benchmark, json)


if __name__ == "__main__":
    anywhere = (tyro.conf.OmitSubcommandPrefixes, tyro.conf.CascadeSubcommandArgs)  # --json after the name, too
    run(lambda: tyro.cli(command_line, description=__doc__, config=anywhere))
