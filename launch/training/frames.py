"""What there is to learn from: every episode decoded into the cache once, and some of them kept aside."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tandem.policies.learned.training.cache import Cache, Cached, Source


def cached(cache: Cache, sources: list[Source], console: Console) -> list[Cached]:
    """The episodes that hold a lesson, with a bar."""
    columns = (TextColumn("frames of"), BarColumn(), MofNCompleteColumn(), TextColumn("episodes, left"),
               TimeRemainingColumn(), TextColumn("{task.description}"))
    episodes: list[Cached] = []
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=len(sources))
        for source in sources:
            episodes += cache.fill([source], lambda name: progress.update(task, description=name))
            progress.advance(task)
    return episodes


def apart(episodes: Iterable[Cached], hold_out: int) -> tuple[list[Cached], list[Cached]]:
    """Those to learn from, and those to check on: of every `hold_out` the last; 0 learns from all.

    One that is there more than once, to count as often, is on one side only, and is checked on once.
    """
    learned: list[Cached] = []
    checked: dict[str, Cached] = {}
    seen: set[str] = set()
    for episode in episodes:
        new = episode.digest not in seen
        seen.add(episode.digest)
        if new and hold_out and len(seen) % hold_out == 0:
            checked[episode.digest] = episode
        elif episode.digest not in checked:
            learned.append(episode)
    return learned, list(checked.values())
