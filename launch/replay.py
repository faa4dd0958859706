"""Go through a logged episode again and say what it does otherwise: state, physics, policy, planner, or everything.

    python launch/replay.py runs/<time>/sort-panda-seed3.mcap
    python launch/replay.py LOG --mode policy --policy demonstrator
    python launch/replay.py LOG --mode closed --planner tiny
    python launch/replay.py LOG --mode closed --from 120 --disturb slipped --seeds 10     # a branch
    python launch/replay.py LOG --point-of-no-return
    python launch/replay.py LOG --body tcp://HOST:PORT --keys keys/agent    # the logged commands on an arm

Exit code: 0 when every layer does again what it did, 1 when one diverges, 3 when one cannot be compared, 2 for bad
input.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from replaying import layers
from replaying.branch import JITTER_M, Fork, forked
from replaying.logged import Logged
from replaying.no_return import Chance, search, write_frame
from replaying.on_body import finding, replay_on, write_overlay
from replaying.printing import exit_code, print_courses, print_findings
from rich.console import Console
from rich.progress import Progress, track
from script import run

from tandem.agent.evaluation.divergence import TOLERANCE, Finding
from tandem.bridge.client import Contact, body_at, mapping
from tandem.bridge.client.contact import is_endpoint
from tandem.bridge.contract import InvalidOption, UnknownName
from tandem.bridge.log import Recorder, next_free
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
    """First control step that is compared; -1 is the start. With --mode closed a branch: go on from there."""
    policy: str | None = None
    """Another policy than the log's."""
    planner: str | None = None
    """Another planner than the log's."""
    perceiver: str | None = None
    """Another perceiver than the log's."""
    device: str | None = None
    """Where models run, if not where they ran."""
    instruction: str | None = None
    """In a branch: what the planner is told there instead."""
    disturb: tuple[str, ...] | None = None
    """In a branch: what goes wrong from there on, instead of what did."""
    seeds: int = 1
    """How many branches; seed 0 begins exactly in the logged state, every other a little beside it."""
    jitter_m: float = JITTER_M
    """How far beside: standard deviation of a shift of everything that lies still and free, m."""
    point_of_no_return: bool = False
    """Search for the last step from which success is still likely: at least half of --seeds branches (then 5 if not
    said otherwise). Writes a picture of that moment beside the log."""
    resolution: int = 5
    """To how many steps."""
    body: str | None = None
    """tcp://HOST:PORT of a controller: carry the logged commands out there, eased to the first pose, given up when the
    arm does not follow. Writes LOG.on-body.mcap and an overlay of commanded and measured courses, LOG.on-body.svg."""
    keys: Path | None = None
    """Folder with this side's key and controller.key, for a guarded controller."""
    key: str = "commander"
    """Name of this side's key in it."""
    json: Path | None = None
    """Write the verdicts here, too."""


def main(options: Options) -> int:
    console, logged = Console(highlight=False), Logged(options.log)
    if logged.reader.recovered:
        console.print(f"[yellow]{options.log} is not whole: {logged.reader.recovered}[/]")
    steps = logged.reader.channels.get("/action", 0)
    if not -1 <= options.start < max(steps, 1):
        raise InvalidOption(f"--from {options.start}: this log has the steps 0 to {steps - 1}")
    if options.body:
        return on_body(logged, options, console)
    if options.point_of_no_return:
        return no_return(logged, options, console)
    if options.mode == "closed" and options.start >= 0:
        return branches(logged, options, console)
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


def changes_of(options: Options) -> dict[str, Any]:
    return {name: getattr(options, name) for name in (*CHANGES, "disturb") if getattr(options, name) is not None}


def branches(logged: Logged, options: Options, console: Console) -> int:
    """Exit code 0 when every branch succeeded."""
    if options.seeds < 1:
        raise InvalidOption(f"--seeds must be at least 1, got {options.seeds}")
    rig = forked(logged, Fork(options.start, changes_of(options), options.instruction, options.jitter_m))
    try:
        rounds = track(range(options.seeds), "branches", console=console, transient=True)
        courses = [rig.branch(options.start, seed) for seed in rounds]
    finally:
        rig.close()
    print_courses(courses, options.start, console)
    if options.json:
        plain = {"log": str(options.log), "from": options.start, "courses": [one.to_dict() for one in courses]}
        save(options.json, plain)
    return 0 if all(course.success for course in courses) else 1


def on_body(logged: Logged, options: Options, console: Console) -> int:
    """Exit code 0 when every command was carried out, and the arm was where it was in the log within tolerance."""
    if not is_endpoint(options.body):
        raise UnknownName("body", options.body, ("tcp://HOST:PORT",))
    body = body_at(Contact.at(options.body, keys=options.keys, key=options.key))
    try:
        console.print("\n".join(mapping(body.spec)))
        path = next_free(options.log.parent, f"{options.log.stem}.on-body")
        with Progress(console=console, transient=True) as bar, Recorder(path, lossless=False) as recorder:
            task = bar.add_task("on the body")
            replayed = replay_on(
                body, logged.reader, recorder, first_step=max(options.start, 0),
                progress=lambda done, of: bar.update(task, completed=done, total=of))
    finally:
        body.close()
    found = finding(replayed, body.spec)
    print_findings([found], console)
    if len(replayed.times):
        write_overlay(replayed, body.spec, path.with_suffix(".svg"))
        console.print(f"[dim]overlay[/]  {path.with_suffix('.svg')}", soft_wrap=True)
    console.print(f"[dim]log[/]      {path}", soft_wrap=True)
    if options.json:
        write_json(options.json, options.log, [found])
    return exit_code([found])


def no_return(logged: Logged, options: Options, console: Console) -> int:
    """Exit code 0 when there is such a point."""
    if (logged.reader.result or {}).get("success"):
        raise InvalidOption(f"{options.log} holds a success: there was no point of no return")
    trials = options.seeds if options.seeds > 1 else 5
    rig = forked(logged, Fork(0, changes_of(options), options.instruction, options.jitter_m))

    def chance_at(step: int) -> Chance:
        good = sum(bool(rig.branch(step, seed).success) for seed in track(
            range(trials), f"from step {step}", console=console, transient=True))
        console.print(f"[dim]from step {step}[/] {good} of {trials} succeeded")
        return Chance(step, good, trials)

    try:
        found = search(chance_at, len(logged.states) - 1, options.resolution)
    finally:
        rig.close()
    console.print(f"[bold]{found.words}[/]")
    plain = {"log": str(options.log), **found.to_dict()}
    if found.step is not None:
        picture = options.log.with_suffix(".no-return.png")
        write_frame(logged, found.step, picture)
        console.print(f"[dim]picture[/]  {picture}", soft_wrap=True)
        plain["picture"] = str(picture)
    if options.json:
        save(options.json, plain)
    return 0 if found.step is not None else 1


def save(path: Path, content: dict[str, Any]) -> None:
    with replacing(path) as draft:
        draft.write_text(json.dumps(content, indent=1, default=str), encoding="utf-8")


def write_json(path: Path, log: Path, found: list[Finding]) -> None:
    content: dict[str, Any] = {
        "log": str(log), "verdicts": {one.layer: one.verdict for one in found}, "tolerance": TOLERANCE,
        "layers": [one.to_dict() for one in found], "exit_code": exit_code(found),
    }
    save(path, content)


if __name__ == "__main__":
    run(lambda: main(tyro.cli(Options, description=__doc__)))
