"""Go through a logged episode again and say what it does otherwise: state, physics, policy, planner, or everything.

    python launch/replay.py runs/<time>/sort-panda-seed3.mcap
    python launch/replay.py LOG --mode policy --policy demonstrator
    python launch/replay.py LOG --mode closed --planner tiny

Exit code: 0 when every layer does again what it did, 1 when one diverges, 3 when one cannot be compared, 2 for bad
input.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from replaying import layers
from replaying.logged import Logged
from replaying.printing import exit_code, print_findings
from rich.console import Console

from tandem.agent.evaluation.divergence import TOLERANCE, Finding
from tandem.bridge.contract import InvalidOption, TandemError
from tandem.bridge.log.atomic import replacing

CHANGES = ("policy", "planner", "perceiver", "device")


@dataclass(frozen=True)
class Options:
    """Which log, which question, and what is exchanged."""

    log: Annotated[Path, tyro.conf.Positional]
    """The episode log (.mcap)."""
    mode: Literal["all", "state", "physics", "policy", "planner", "closed"] = "all"
    """all asks for state, physics, policy and planner. state: restore every state, measure and render it again.
    physics: simulate the logged commands. policy: feed it the logged observations. planner: ask it the logged
    questions. closed: run everything again from the manifest."""
    start: Annotated[int, tyro.conf.arg(name="from")] = -1
    """First control step that is compared; -1 is the start."""
    policy: str | None = None
    """Another policy than the log's."""
    planner: str | None = None
    """Another planner than the log's."""
    perceiver: str | None = None
    """Another perceiver than the log's."""
    device: str | None = None
    """Where models run, if not where they ran."""
    json: Path | None = None
    """Write the verdicts here, too."""


def main(options: Options) -> int:
    console, logged = Console(highlight=False), Logged(options.log)
    if logged.reader.recovered:
        console.print(f"[yellow]{options.log} is not whole: {logged.reader.recovered}[/]")
    steps = logged.reader.channels.get("/action", 0)
    if not -1 <= options.start < max(steps, 1):
        raise InvalidOption(f"--from {options.start}: this log has the steps 0 to {steps - 1}")
    found = findings(logged, options)
    print_findings(found, console)
    if options.json:
        write_json(options.json, options.log, found)
    return exit_code(found)


def findings(logged: Logged, options: Options) -> list[Finding]:
    changes = {name: getattr(options, name) for name in CHANGES if getattr(options, name) is not None}
    match options.mode:
        case "all":
            return list(layers.all_layers(logged, changes, options.start))
        case "state":
            return layers.state(logged, options.start)
        case "physics":
            return layers.physics(logged, options.start)
        case "policy":
            return layers.policy(logged, changes, options.start)
        case "planner":
            return layers.planner(logged, changes, options.start)
        case "closed":
            return layers.closed(logged, changes)


def write_json(path: Path, log: Path, found: list[Finding]) -> None:
    content: dict[str, Any] = {
        "log": str(log), "verdicts": {one.layer: one.verdict for one in found}, "tolerance": TOLERANCE,
        "layers": [one.to_dict() for one in found], "exit_code": exit_code(found),
    }
    with replacing(path) as draft:
        draft.write_text(json.dumps(content, indent=1, default=str), encoding="utf-8")


if __name__ == "__main__":
    try:
        sys.exit(main(tyro.cli(Options, description=__doc__)))
    except TandemError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
