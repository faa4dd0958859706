"""A thousand episodes, killed with kill -9 at random moments and resumed: each has one result in the end.

    python tests/launch/thousand.py [--episodes 1000] [--workers 2] [--kills 5] [--out FOLDER]

Prints what happened at each kill. Exit code 1 when an episode is missing or counted twice, or a worker goes on alone.
"""

import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.console import Console

from tandem.agent.evaluation import results

SCRIPT = Path(__file__).parents[2] / "launch" / "evaluate.py"
SYSTEM = ("--planner", "scripted", "--policy", "demonstrator", "--verifier", "predicate", "--record", "none")
CONSOLE = Console(highlight=False, soft_wrap=True)
_LATEST_S = 0.5  # after a result, so that a kill strikes anywhere in an episode or a write
_GONE_S = 10.0


@dataclass(frozen=True)
class Options:
    """What to run, and how often to kill it."""

    episodes: int = 1000
    workers: int = 2
    kills: int = 5
    seed: int = 0
    """Of the moments."""
    out: Path | None = None
    """A folder that does not exist yet; without it a temporary one."""


def main(options: Options) -> int:
    rng = random.Random(options.seed)
    out = options.out or Path(tempfile.mkdtemp()) / "thousand"
    started_s = time.monotonic()
    for count in sorted(rng.sample(range(options.episodes - 1), options.kills)):
        if not killed(start(options, out), out, count, rng.uniform(0, _LATEST_S)):
            return 1
    code = start(options, out).wait()
    wall_s = time.monotonic() - started_s
    evaluation = results.load(out)
    ended = Counter(record.address for record in evaluation.tries if record.kind == results.EPISODE)
    CONSOLE.print(f"exit code {code}, {len(ended)} distinct results of {options.episodes} in {wall_s:.0f} s "
          f"({wall_s / options.episodes:.2f} s for each), {sum(ended.values()) - len(ended)} counted twice, "
          f"{len(evaluation.infrastructure)} broken tries")
    good = code == 0 and set(ended) == set(evaluation.planned) and set(ended.values()) == {1}
    return 0 if good and len(ended) == options.episodes else 1


def start(options: Options, out: Path) -> subprocess.Popen:
    command = [sys.executable, SCRIPT, "--tasks", "pick_place", *SYSTEM, "--episodes", str(options.episodes),
               "--workers", str(options.workers), "--out", out, "--resume"]
    return subprocess.Popen([*map(str, command)], stdout=subprocess.DEVNULL)


def killed(process: subprocess.Popen, out: Path, count: int, later_s: float) -> bool:
    """Kill it when so many results are there; whether its workers end by themselves."""
    path = out / results.RESULTS_FILE
    while (path.read_bytes().count(b"\n") if path.exists() else 0) <= count and process.poll() is None:
        time.sleep(0.05)
    time.sleep(later_s)
    workers = children(process.pid)
    process.kill()
    process.wait()
    killed_s = time.monotonic()
    while any(map(alive, workers)) and time.monotonic() - killed_s < _GONE_S:
        time.sleep(0.01)
    gone = not any(map(alive, workers))
    CONSOLE.print(f"killed after {path.read_bytes().count(bytes([10]))} results; {len(workers)} workers "
          + (f"gone after {time.monotonic() - killed_s:.2f} s" if gone else "STILL THERE"))
    return gone


def children(pid: int) -> list[int]:
    """Processes that it has started (Linux)."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Options, description=__doc__)))
