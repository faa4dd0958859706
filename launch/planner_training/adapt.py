"""The subcommand `adapt`: an open checkpoint learns from the simulator's data, or from episodes that went well."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from minds import SETTINGS_FILE, importing, settings_of
from rich.console import Console

from tandem.bridge.contract import InvalidOption
from tandem.bridge.log.folder import logs_below

if TYPE_CHECKING:
    from tandem.agent.planner.in_process.load import Loaded
    from tandem.agent.planner.training.adapt import Source

PLANNED_FROM = "show_picture"  # the setting that the data decides


@dataclass(frozen=True)
class Adapt:
    """Fine-tune an open checkpoint with LoRA; the result is for --planner <to>/merged."""

    base: str
    """Folder or hub id of the checkpoint, of any family that --planner knows."""
    data: Path | None = None
    """What `data` generated."""
    logs: tuple[Path, ...] = ()
    """Episode logs, or folders that hold some at any depth."""
    to: Path = Path("runs/adapted")
    """Gets training/, adapter/ and merged/."""
    revision: str | None = None
    """Branch, tag or commit of a hub id."""
    steps: int = 500
    """Optimiser steps."""
    batch: int = 8
    """Samples per step; they go through the model one at a time."""
    rate: float = 2e-4
    """Peak learning rate."""
    rank: int = 16
    """Rank of each adapter."""
    alpha: float = 32.0
    """The adapters' part counts alpha / rank times."""
    dropout: float = 0.05
    """Share of an adapter's inputs that is left out in training."""
    eyes: bool = False
    """Adapt the vision tower as well."""
    checkpointing: bool = False
    """Compute activations again rather than keep them: slower, with far less memory."""
    longest: int = 4096
    """Tokens of question and answer; what is longer is left out."""
    show_picture: bool | None = None
    """Plans are made from the picture as well as from the scene in words; as the base is asked if left out."""
    from_logs: float = 0.5
    """Share of samples that come from logs, when there are data, too."""
    outcome: str = "measured"
    """Logs of episodes that were "measured" a success, "seen" to be one, or of "any" episode that has an end."""
    exclude_seeds: str = "0:100000"
    """Seeds A:B (without B) whose logs are passed over: those that evaluation uses. "none" passes over none."""
    device: str = "auto"
    """auto, cuda, cpu, mps."""
    dtype: str = "auto"
    """Number format of the base's weights; auto is bfloat16 on a GPU, float32 on a CPU."""
    save: int = 50
    """Steps between checkpoints."""
    threads: int | None = None
    """Processor threads."""
    seed: int = 0
    """Of adapters and draws."""

    def run(self, console: Console) -> None:
        with importing(self.base):
            self._run(console)

    def _run(self, console: Console) -> None:
        import torch

        from tandem.agent.planner.in_process.load import load
        from tandem.agent.planner.in_process.options import Options
        from tandem.agent.planner.training.adapt import Adaptation, adapt
        from tandem.agent.planner.training.loop import Schedule
        from tandem.agent.planner.training.lora import Lora

        if self.threads:
            torch.set_num_threads(self.threads)
        settings = self._settings()
        schedule = Schedule(self.steps, rate=self.rate, muon=0.0, warm=max(1, min(50, self.steps // 10)), decay=0.0,
                            every=min(10, self.save), save=self.save)
        lora = Lora(self.rank, self.alpha, self.dropout, self.eyes)
        how = Adaptation(schedule, lora, self.batch, self.longest, settings, self.checkpointing, self.seed)
        loaded = load(self.base, Options(device=self.device, dtype=self.dtype, revision=self.revision))
        sources, held_out = self._sources(loaded, settings, console)
        merged = adapt(loaded, sources, how, self.to, console.print, held_out)
        console.print(f"written: {self.to / 'adapter'}, and {merged} for --planner")

    def _settings(self) -> dict[str, bool]:
        """How the base is asked, which it stays to be; a folder may say so."""
        settings_of(self.base)  # names what is wrong with the file
        path = Path(self.base).expanduser() / SETTINGS_FILE
        told = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        return told if self.show_picture is None else {**told, PLANNED_FROM: self.show_picture}

    def _sources(
        self, loaded: Loaded, settings: dict[str, bool], console: Console
    ) -> tuple[dict[str, tuple[float, Source]], Source | None]:
        """Samples by name with their shares, and those to check with."""
        from tandem.agent.planner.training.exchange import Clerk
        from tandem.agent.planner.training.from_shards import ShardSamples
        from tandem.agent.planner.training.samples import SIZE, canvas_of

        family, resized = loaded.checkpoint.family, Clerk(loaded).resized
        sources: dict[str, tuple[float, Source]] = {}
        held_out = None
        if self.data is not None:
            canvas, shows = canvas_of(family, resized(*SIZE)), family.sees and settings.get(PLANNED_FROM, True)
            sources["shards"] = 1.0 - (self.from_logs if self.logs else 0.0), ShardSamples(self.data, canvas, shows)
            held_out = ShardSamples(self.data, canvas, shows, held_out=True)
        if self.logs:
            logs = self._logs(family, resized, bool(settings.get("terse")), console)
            if len(logs):
                sources["logs"] = self.from_logs if sources else 1.0, logs
        if not sources:
            raise InvalidOption("there is nothing to learn from: give --data, or --logs of episodes that can be used")
        return sources, held_out

    def _logs(self, family, resized, terse: bool, console: Console):
        from tandem.agent.planner.training.from_logs import Wanted, from_logs

        wanted = Wanted(family, resized, terse, self.outcome, seeds(self.exclude_seeds))
        paths = [path for given in self.logs for path in (logs_below(given) if given.is_dir() else [given])]
        found = from_logs(paths, wanted)
        console.print(f"{found.read} logs, {found.used} used: {len(found)} calls")
        for reason, count in found.left_out.items():
            console.print(f"left out: {count} {reason}")
        if wanted.excluded:
            console.print(f"seeds {self.exclude_seeds} are left to evaluation; --exclude-seeds says otherwise")
        return found


def seeds(words: str) -> range:
    """`A:B` as a range; "none" is empty. Raises `InvalidOption`."""
    if words == "none":
        return range(0)
    first, colon, end = words.partition(":")
    if not (colon and first.isdecimal() and end.isdecimal() and int(first) < int(end)):
        raise InvalidOption(f'--exclude-seeds is A:B with A < B, such as 0:100000, or "none", got {words!r}')
    return range(int(first), int(end))
