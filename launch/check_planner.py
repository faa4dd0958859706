"""Try a planner before it moves anything: the swap kit.

    python launch/check_planner.py --planner Qwen/Qwen3-VL-8B-Instruct
    python launch/check_planner.py --planner openai/gpt-oss-20b --perceiver Qwen/Qwen3-VL-4B-Instruct

Checks the laws of a planner, points at rendered things, asks for valid plans at temperature 1 and for honest refusals,
measures time and memory. Exit code: 0 when it can be used, 1 when not, 2 for a bad option or an unusable model.
"""

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import tyro
from composition import System, load_models
from minds import settings_of
from rich.console import Console
from script import run
from swap_kit.checks import Check, run_checks
from swap_kit.report import figures, table

from tandem.agent.planner.planner import ModelPlanner
from tandem.bridge.contract import InvalidOption


@dataclass(frozen=True)
class Options(System):
    """Which planner, and how thoroughly."""

    planner: str = "tiny"
    """Planner: tiny, a folder or hub id of an open model, openai:<base url>#<model> (its key is read from
    OPENAI_API_KEY), cassette:<log>, babble."""
    scenes: int = 16
    """Rendered tables to point at."""
    plans: int = 20
    """Plans to ask for at temperature 1."""
    refusals: int = 8
    """Instructions that cannot be carried out."""
    first_seed: int = 20_000
    """Seeds count up from here."""
    most_px: float = 15.0
    """Median error of points up to which a planner passes, pixels of a 640x480 picture."""
    json: Path | None = None
    """Also write the figures to this file, as one flat object."""


def main(options: Options) -> int:
    if options.planner == "scripted":
        raise InvalidOption("the scripted planner asks no model, so there is nothing to check; name a model")
    if min(options.scenes, options.plans, options.refusals) < 1:
        raise InvalidOption("--scenes, --plans and --refusals must be at least 1")
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    checks: list[Check] = []
    for check in run_checks(options, lambda hot: planner_of(options, hot)):
        checks.append(check)
        console.print(f"... {check.name}", style="green" if check.passed else "red")
    console.print(table(options.planner, checks))
    if options.json:
        options.json.write_text(json.dumps(figures(checks), indent=2) + "\n")
    return 0 if all(check.passed for check in checks) else 1


def planner_of(options: Options, hot: bool) -> tuple:
    """Planner, the model that plans and the model that looks; hot ones choose their words at temperature 1."""
    model, eyes = load_models(replace(options, temperature=1.0) if hot else options)
    planner = ModelPlanner(model, perceiver=None if eyes is model else eyes, **settings_of(options.planner))
    return planner, model, eyes


if __name__ == "__main__":
    run(lambda: main(tyro.cli(Options, description=__doc__)))
