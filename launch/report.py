"""Make one HTML file of one or more evaluations: it opens from disk, needs no network, and can be sent to anybody.

    python launch/report.py runs/evaluation
    python launch/report.py runs/baseline runs/slower --out report.html
    python launch/report.py runs/evaluation --replays verdict.json no_return.json   # of launch/replay.py --json
"""

from dataclasses import dataclass
from pathlib import Path

import tyro
from report_sections import sections
from rich.console import Console
from rich.progress import Progress
from script import run

from tandem.agent.evaluation import results
from tandem.agent.evaluation.report import write_report


@dataclass(frozen=True)
class Options:
    """Of what, and where to."""

    folders: tyro.conf.Positional[tuple[Path, ...]]
    """Folders of results, as launch/evaluate.py leaves them."""
    out: Path = Path("report.html")
    """The file."""
    replays: tuple[Path, ...] = ()
    """What launch/replay.py --json wrote of some of the episodes: verdicts, points of no return."""
    other_states: bool = False
    """Compare episodes that began in different states, too: paired by their seed alone."""


def main(options: Options) -> int:
    console = Console(highlight=False, soft_wrap=True)
    evaluations = [results.load(folder) for folder in options.folders]
    beside = sections(evaluations, options.replays, other_states=options.other_states)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("episodes", total=sum(len(one.episodes) for one in evaluations))
        written = write_report(options.out, evaluations, beside, on_episode=lambda: progress.advance(task))
    console.print(f"{written.path}  {written.size / 1e6:.1f} MB, {written.episodes} episodes, {written.strips} with a "
                  "film strip")
    return 0


if __name__ == "__main__":
    run(lambda: main(tyro.cli(Options, description=__doc__)))
