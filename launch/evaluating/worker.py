"""Runs whole episodes, one after the other, wherever it lives: models are loaded once, each task has a rig of its own.

An episode depends on its address alone, never on who ran what before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from composition import Rig, System
from evaluating.notes import Notes, broken
from evaluating.onlooker import Onlooker

from tandem.agent.evaluation.results import INFRASTRUCTURE, Address, Record
from tandem.bridge.contract import InvalidOption, TandemError
from tandem.bridge.log import PicturePolicy, Recorder

Keep = Literal["all", "failures", "none"]


@dataclass(frozen=True)
class Order:
    """What a worker is for.

    Attributes:
        system: what runs; its task is replaced by that of each episode.
        keep: which episode logs are kept.
        look_every: look through every camera each so many control steps, so that the log holds pictures whoever
            drives; 0 leaves looking to planner, policy and verifier.
    """

    system: System
    keep: Keep = "none"
    look_every: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain types, for a wire."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Order:
        """What `to_dict` made, also after JSON."""
        given = dict(plain["system"])
        return cls(System(**given | {"disturb": tuple(given["disturb"])}), plain["keep"], plain.get("look_every", 0))


def log_name(address: Address) -> str:
    """File name of the log of an episode."""
    return f"{address.task}-{address.index}-seed{address.seed}.mcap"


class Worker:
    """See the module.

    Args:
        order: what it is for.
        folder: where logs are made; nobody else writes there.
    """

    def __init__(self, order: Order, folder: Path):
        self._order, self._folder = order, folder
        self._rigs: dict[str, Rig] = {}

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Plain types for plain types.

        {"describe": tasks} is answered with {"about": ...} or {"refused": words}, {"run": [task, index, seed]} with
        {"record": fields, "log": path or None}.
        """
        if "describe" in request:
            return self._describe(request["describe"])
        address = Address(*request["run"])
        try:
            record, log = self._run(address)
        except Exception as error:  # noqa: BLE001 whatever it is, it is no result of the agent's
            record, log = broken(address, type(error).__name__, str(error)), None
        return {"record": asdict(record), "log": None if log is None else str(log)}

    def _describe(self, tasks: Sequence[str]) -> dict[str, Any]:
        """What the plan of an evaluation says of the models, or why the system cannot be composed for these tasks."""
        try:
            for task in tasks:
                rig = self._rig(task)
                if self._order.system.body == "sim":
                    rig.body.reset(seed=0)  # what disturbs names a camera, a task needs reach: told now, not each time
        except TandemError as error:
            return {"refused": f"{type(error).__name__}: {error}"}
        return {"about": rig.describe()}

    def _rig(self, task: str) -> Rig:
        if task not in self._rigs:
            rig = Rig(replace(self._order.system, task=task))
            if rig.stage.task != task:
                rig.close()
                raise InvalidOption(f"the body does {rig.stage.task!r}, not {task!r}: give --tasks {rig.stage.task}")
            self._rigs[task] = rig
        return self._rigs[task]

    def _run(self, address: Address) -> tuple[Record, Path | None]:
        rig = self._rig(address.task)
        notes = Notes(rig.stage.keeps().get("state"))
        if self._order.keep == "none":
            return notes.record(address, rig.run(address.seed, subscribers=[notes])), None
        path = self._folder / log_name(address)
        path.unlink(missing_ok=True)  # of a try that broke
        watching, kept = [], rig.stage.keeps()
        if self._order.look_every:  # to learn from: nobody asks whether a demonstration replays
            watching = [Onlooker(self._order.look_every)]
            kept = {**kept, "certify": None, "pictures": PicturePolicy(depth=False)}
        with Recorder(path, **kept) as recorder:
            record = notes.record(address, rig.run(address.seed, subscribers=[*watching, recorder, notes]))
        wanted = self._order.keep == "all" or not record.success or record.false_success
        if record.kind == INFRASTRUCTURE or not wanted:
            path.unlink(missing_ok=True)
            return record, None
        return replace(record, log=path.name), path
