"""The results of an evaluation: one folder, one line for each episode that was tried, nothing counted twice.

    evaluation.json    what was planned: system, tasks, seeds, arm, versions (written once, before the first episode)
    results.jsonl      a line per try, appended when its episode has ended
    resumed.json       what else was so after it had been gone on with: another commit, another machine
    logs/              the episode logs that the lines name

An episode is addressed by its task and the index of its initial state, whoever runs it, in whatever order: two systems
that are evaluated with the same first seed meet the same initial states. A try that failed for reasons that are not
the agent's (a worker died, the disk was full) is a line like any other, told apart by `kind`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

from tandem.bridge.contract import InvalidOption, UnusableResults

FORMAT = 1
PLAN_FILE, RESULTS_FILE, RESUMED_FILE, LOGS = "evaluation.json", "results.jsonl", "resumed.json", "logs"
RESUMED = "resumed"  # its name in a plan that is read
EPISODE, INFRASTRUCTURE = "episode", "infrastructure"
_CLOSED = re.compile(rb'(?<!\\)(\\\\)*"}')  # the end of a whole line, which within an episode's own words is escaped


class Address(NamedTuple):
    """Which episode: its task, the index of its initial state, and the seed that draws that state."""

    task: str
    index: int
    seed: int


@dataclass(frozen=True)
class Record:
    """One try of one episode.

    Attributes:
        task: its name.
        index: of the initial state, from 0.
        seed: that draws it.
        kind: "episode", or "infrastructure" when it did not end for reasons that are not the agent's.
        success: what was measured (or the right refusal of what cannot be done); None without ground truth.
        claimed: the agent says that it is done.
        seen: the verifier's last word.
        measured: the success predicate.
        false_success: claimed and measured untrue.
        infeasible: the agent said that it cannot be done.
        expected: whether it can be done.
        progress: 0..1.
        failure: a `FailureCode`, or the name of what went wrong with the infrastructure.
        reason: in plain words.
        plans: planner calls.
        steps: control steps.
        held_steps: of them those in which the body went on under its last command while somebody was thinking.
        body_s: body time.
        wall_s: wall time.
        success_s: body time to a success, None otherwise.
        plan_latency_s: wall time of each plan.
        privileged: ground truth was used by the planner, the policy or the verifier.
        instruction: as the agent was told.
        state_digest: sha256 of the simulator's initial state, empty without one: matched episodes have the same.
        log: file name of the episode log within `logs/`, None without one.
        host: computer that ran it.
    """

    task: str
    index: int
    seed: int
    kind: str = EPISODE
    success: bool | None = None
    claimed: bool = False
    seen: bool | None = None
    measured: bool | None = None
    false_success: bool | None = None
    infeasible: bool = False
    expected: bool | None = None
    progress: float | None = None
    failure: str | None = None
    reason: str = ""
    plans: int = 0
    steps: int = 0
    held_steps: int = 0
    body_s: float = 0.0
    wall_s: float = 0.0
    success_s: float | None = None
    plan_latency_s: tuple[float, ...] = ()
    privileged: bool = False
    instruction: str = ""
    state_digest: str = ""
    log: str | None = None
    host: str = ""

    @property
    def address(self) -> Address:
        """Which episode it is."""
        return Address(self.task, self.index, self.seed)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Record:
        """Of a line; unknown names are an error, missing ones take their defaults. Raises `UnusableResults`."""
        unknown = sorted(set(plain) - {field.name for field in fields(cls)})
        if unknown:
            raise UnusableResults(f"a result has the unknown fields {', '.join(unknown)}")
        try:
            return cls(**{**plain, "plan_latency_s": tuple(plain.get("plan_latency_s", ()))})
        except TypeError as reason:
            raise UnusableResults(f"a result is incomplete: {reason}") from reason


@dataclass(frozen=True)
class Evaluation:
    """A folder of results, as it is now.

    Attributes:
        folder: where it lies.
        plan: content of `evaluation.json`: `system` (options of the composition), `tasks`, `episodes` (of each task),
            `first_seed`, `arm` (the one thing that was changed, by option; empty for the baseline), and the manifest's
            versions, git state, machine.
        tries: every line, in the order in which episodes ended.
    """

    folder: Path
    plan: Mapping[str, Any]
    tries: tuple[Record, ...] = field(repr=False)

    @property
    def name(self) -> str:
        """What it is called in tables."""
        return self.folder.name

    @property
    def episodes(self) -> dict[Address, Record]:
        """The finished episodes, each once: the first try that ended."""
        found: dict[Address, Record] = {}
        for record in self.tries:
            if record.kind == EPISODE:
                found.setdefault(record.address, record)
        return dict(sorted(found.items()))

    @property
    def infrastructure(self) -> tuple[Record, ...]:
        """The tries that ended for reasons that are not the agent's."""
        return tuple(record for record in self.tries if record.kind == INFRASTRUCTURE)

    @property
    def planned(self) -> list[Address]:
        """Every episode that was planned."""
        return addresses(self.plan["tasks"], self.plan["episodes"], self.plan["first_seed"])


def addresses(tasks: Iterable[str], episodes: int, first_seed: int) -> list[Address]:
    """Initial state k of a task has the seed `first_seed + k`, whoever runs it."""
    return [Address(task, k, first_seed + k) for k in range(episodes) for task in tasks]


def begin(folder: Path, plan: Mapping[str, Any]) -> None:
    """Write the plan of a new evaluation, whole or not at all. Raises `InvalidOption` when one is there already, or
    results of one whose plan is gone: they would count as this one's."""
    path = folder / PLAN_FILE
    if path.exists():
        raise InvalidOption(f"{folder} holds an evaluation already: --resume it, or choose another --out")
    if (folder / RESULTS_FILE).exists():
        raise InvalidOption(f"{folder} holds results ({RESULTS_FILE}) and no plan that says what of ({PLAN_FILE}): put "
                            "it back, remove them, or choose another --out")
    (folder / LOGS).mkdir(parents=True, exist_ok=True)
    _write_whole(path, {"format": FORMAT, **plan})


def gone_on(folder: Path, otherwise: Mapping[str, Any]) -> None:
    """Keep what was otherwise than planned when an evaluation was resumed: values by the path of their names."""
    told = _resumed(folder)
    for path, value in otherwise.items():
        values = told.setdefault(path, [])
        if value not in values:
            values.append(value)
    _write_whole(folder / RESUMED_FILE, told)


def _resumed(folder: Path) -> dict[str, list[Any]]:
    path = folder / RESUMED_FILE
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except ValueError as reason:
        raise UnusableResults(f"{path} is damaged: {reason}") from reason


def _write_whole(path: Path, content: Mapping[str, Any]) -> None:
    draft = path.with_suffix(".part")
    draft.write_text(json.dumps(content, indent=1), encoding="utf-8")
    draft.replace(path)


def append(folder: Path, record: Record) -> None:
    """Add a line, and have the disk keep it. One writer at a time."""
    line = json.dumps(asdict(record), allow_nan=False)
    with (folder / RESULTS_FILE).open("ab") as stream:
        if stream.tell() and not _ends_a_line(folder / RESULTS_FILE):
            stream.write(b"\n")  # a line that a kill cut short stays alone
        stream.write(line.encode() + b"\n")
        stream.flush()
        os.fsync(stream.fileno())


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) == b"\n"


def load(folder: Path | str) -> Evaluation:
    """Read a folder of results.

    A last line that a kill cut short is left out: its episode did not end. What was otherwise when it was resumed
    stands in its plan as `resumed`, so that a comparison tells it. Raises `UnusableResults` for a folder that
    holds no evaluation, one of a newer format, or a damaged line that is not the cut of a kill.
    """
    folder = Path(folder)
    try:
        plan = json.loads((folder / PLAN_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as reason:
        why = reason.strerror if isinstance(reason, OSError) else reason
        raise UnusableResults(f"{folder} holds no evaluation ({PLAN_FILE}): {why}; make one with "
                              "python launch/evaluate.py --out FOLDER") from reason
    _check_plan(folder / PLAN_FILE, plan)
    if resumed := _resumed(folder):
        plan[RESUMED] = resumed
    return Evaluation(folder, plan, tuple(_records(folder / RESULTS_FILE)))


def _check_plan(path: Path, plan: Any) -> None:
    if not isinstance(plan, dict):
        raise UnusableResults(f"{path} holds no plan of an evaluation but a {type(plan).__name__}")
    if plan.get("format", 0) > FORMAT:
        raise UnusableResults(f"{path} has results format {plan['format']}, this version reads up to {FORMAT}")
    missing = [name for name in ("tasks", "episodes", "first_seed") if name not in plan]
    if missing:
        raise UnusableResults(f"{path} is no plan of an evaluation: it lacks {', '.join(missing)}")


def _records(path: Path) -> list[Record]:
    records, lines = [], path.read_bytes().split(b"\n") if path.exists() else []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            plain = json.loads(line)
        except ValueError as reason:
            if _CLOSED.search(line):
                raise UnusableResults(f"{path}, line {number} is damaged: {reason}") from reason
            continue  # cut short by a kill
        try:
            records.append(Record.from_dict(plain))
        except UnusableResults as reason:
            raise UnusableResults(f"{path}, line {number}: {reason}") from reason
    return records
