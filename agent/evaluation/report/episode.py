"""One episode of the page: its log is opened here, told, and closed before the next one is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tandem.agent.evaluation.report.chart import chart
from tandem.agent.evaluation.report.clusters import Still, Told
from tandem.agent.evaluation.report.commands import commands
from tandem.agent.evaluation.report.selection import Budget
from tandem.agent.evaluation.report.story import Story, read_story, reading
from tandem.agent.evaluation.report.strip import Frame, film_strip
from tandem.agent.evaluation.report.summary import Summary
from tandem.agent.evaluation.report.transcript import Prompts, Room, manifest_text, transcript
from tandem.agent.evaluation.results import LOGS, Record
from tandem.bridge.contract import LogUnreadable
from tandem.bridge.log import LogReader

NO_STRIP = "Film strips are kept for failures, false successes and a few successes: this episode has none here."


@dataclass(frozen=True)
class Place:
    """Where an episode stands: its id, whose it is, whether it opens a list, whether it gets a film strip."""

    id: str
    summary: Summary
    record: Record
    first: bool
    strip: bool


def tell(place: Place, prompts: Prompts, room: Room, budget: Budget) -> tuple[Told, dict[str, Any]]:
    """The episode in brief for the rest of the page, and everything that its own template shows."""
    record, path, frames, told = place.record, None, [], {}
    try:
        path = _path(place)
        told, frames = _from_log(path, place, prompts, room, budget)
    except LogUnreadable as reason:
        told = {**told, "trouble": str(reason)}
    stills = tuple(
        Still(f"{place.id}-{number}", frame.time_s, frame.words, frame.wrong, frame.width, frame.height)
        for number, frame in enumerate(frames)
    )
    brief = Told(place.id, place.summary.label, record, told.pop("skill", ""), stills)
    pictures = list(zip(stills, (frame.uri for frame in frames), strict=True))
    again = commands(path) if path else []
    return brief, {**told, "told": brief, "first": place.first, "pictures": pictures, "commands": again}


def _culprit(story: Story, record: Record) -> str:
    """The skill that failed, and how where the episode's own code does not say it."""
    tried = story.culprit
    if tried is None:
        return ""
    return f"{tried.skill} ({tried.failure})" if tried.failure not in ("", record.failure) else tried.skill


def _path(place: Place) -> Path:
    """Of its log. Raises `LogUnreadable` when it has none."""
    name = place.record.log
    if name is None:
        raise LogUnreadable("The episode left no log.")
    if Path(name).name != name:
        raise LogUnreadable(f"The result names {name!r}, which is no file within {LOGS}/.")
    path = place.summary.evaluation.folder / LOGS / name
    if not path.is_file():
        raise LogUnreadable(f"The log {name} is not there.")
    return path


def _from_log(
    path: Path, place: Place, prompts: Prompts, room: Room, budget: Budget
) -> tuple[Mapping[str, Any], list[Frame]]:
    with reading(path):
        log = LogReader(path)
        story = read_story(log)
        frames = film_strip(log, story, budget.frames) if place.strip else []
        notes = story.notes if place.strip or not log.cameras else (*story.notes, NO_STRIP)
        return {
            "story": story, "chart": chart(story), "turns": transcript(story, prompts, room), "notes": notes,
            "manifest": manifest_text(story.manifest), "skill": _culprit(story, place.record),
        }, frames
