"""Failures that look alike, together: the same task, the same code, the same skill."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tandem.agent.evaluation.report.summary import Ending, code, ending
from tandem.agent.evaluation.results import Record

STRIPS = 3  # shown of each cluster; the others are links


@dataclass(frozen=True)
class Still:
    """A picture of an episode, by the name under which the page defines it."""

    id: str
    time_s: float
    words: str
    wrong: bool
    width: int
    height: int


@dataclass(frozen=True)
class Told:
    """An episode as the rest of the page speaks of it, once its log is closed again.

    Attributes:
        id: of its place in the page.
        label: of its evaluation.
        record: its result.
        skill: that failed, empty when unknown; with the subgoal's own code where the episode's is another.
        stills: its film strip, empty without one.
    """

    id: str
    label: str
    record: Record
    skill: str
    stills: tuple[Still, ...]


@dataclass(frozen=True)
class Cluster:
    """Failures of one kind: the episodes whose strips are shown, and the others."""

    task: str
    code: str
    skill: str
    shown: tuple[Told, ...]
    others: tuple[Told, ...]

    @property
    def size(self) -> int:
        """How many episodes."""
        return len(self.shown) + len(self.others)


def clusters(episodes: Iterable[Told]) -> list[Cluster]:
    """The largest first; false successes before all."""
    groups: dict[tuple[str, str, str], list[Told]] = {}
    for told in episodes:
        if ending(told.record) in (Ending.FAILURE, Ending.FALSE_SUCCESS):
            groups.setdefault((told.record.task, code(told.record), told.skill), []).append(told)
    found = [_cluster(key, group) for key, group in groups.items()]
    return sorted(found, key=lambda one: (not one.shown[0].record.false_success, -one.size))


def _cluster(key: tuple[str, str, str], group: list[Told]) -> Cluster:
    group = sorted(group, key=lambda told: not told.stills)
    return Cluster(*key, tuple(group[:STRIPS]), tuple(group[STRIPS:]))
