"""Two evaluations on the episodes that both have run: the same task from the same initial state, each with the other.

What was not run by both, what broke for reasons that are not the agent's, and what was never measured takes no part,
and is counted. A pair whose episodes began in different states is an error, because its difference says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from tandem.agent.evaluation.pairs import PairTable, mcnemar, paired_difference
from tandem.agent.evaluation.planning import more_pairs
from tandem.agent.evaluation.ranking import Ranked, rank
from tandem.agent.evaluation.results import Address, Evaluation, Record
from tandem.agent.evaluation.sequential import THRESHOLD, confidence_sequence, e_value
from tandem.agent.evaluation.statistics import wilson
from tandem.bridge.contract import UnusableResults

OVERALL = "all"


@dataclass(frozen=True)
class Matched:
    """The episodes that several evaluations share.

    Attributes:
        addresses: which they are, in order.
        outcomes: (episodes, evaluations) whether each succeeded.
        unmatched: for each evaluation, finished episodes that another one lacks.
        infrastructure: for each evaluation, tries that broke for reasons that are not the agent's.
        unscored: episodes that all have run and some without a measurement.
        other_states: of those matched, how many did not begin in the same state (0 unless that is allowed).
        unchecked: of those matched, how many have no digest of their initial state.
    """

    addresses: tuple[Address, ...]
    outcomes: np.ndarray = field(repr=False)
    unmatched: tuple[int, ...]
    infrastructure: tuple[int, ...]
    unscored: int
    other_states: int
    unchecked: int

    @property
    def tasks(self) -> tuple[str, ...]:
        """Each once."""
        return tuple(dict.fromkeys(address.task for address in self.addresses))

    def of(self, task: str) -> np.ndarray:
        """The outcomes of one task, or of `OVERALL`."""
        chosen = [task in (OVERALL, address.task) for address in self.addresses]
        return self.outcomes[np.array(chosen, bool)]

    def counts(self) -> dict[str, Any]:
        """What takes part and what does not, for JSON."""
        return {
            "matched": len(self.addresses), "unmatched": list(self.unmatched),
            "infrastructure_errors": list(self.infrastructure), "unscored": self.unscored,
            "other_states": self.other_states, "unchecked_states": self.unchecked,
        }


@dataclass(frozen=True)
class Contrast:
    """Two systems on some matched episodes.

    Attributes:
        name: of the task, or "all".
        table: how the pairs ended.
    """

    name: str
    table: PairTable

    @property
    def rates(self) -> tuple[tuple[float, float, float], ...]:
        """Of each of the two: success rate, and Wilson's interval."""
        n = self.table.pairs
        return tuple((good / n if n else 0.0, *wilson(good, n)) for good in self.table.successes)

    @property
    def interval(self) -> tuple[float, float]:
        """Of the difference, at 95 %."""
        return paired_difference(self.table)

    @property
    def p_value(self) -> float:
        """McNemar's, exact: for a number of pairs that was fixed beforehand."""
        return mcnemar(self.table.only_first, self.table.only_second)

    @property
    def e_value(self) -> float:
        """The evidence, whenever one looks."""
        return e_value(self.table.only_first, self.table.only_second)

    @property
    def better(self) -> int | None:
        """0 or 1 once the evidence has passed the threshold, None before."""
        return None if self.e_value < THRESHOLD else int(self.table.only_second > self.table.only_first)

    @cached_property
    def more(self) -> int | None:
        """About how many pairs more decide it, 0 when it is decided, None when no end is in sight."""
        return more_pairs(self.table)

    def verdict(self, first: str = "A", second: str = "B") -> str:
        """In words."""
        if self.better is not None:
            return f"{(first, second)[self.better]} is better"
        if self.more is None:
            return "undecided: no end in sight"
        return f"undecided: about {_rounded(self.more)} more episodes"

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        (rate_a, *interval_a), (rate_b, *interval_b) = self.rates
        low, high = self.interval
        share = confidence_sequence(self.table.only_first, self.table.only_second)
        return {
            "name": self.name, **asdict(self.table), "success": [rate_a, rate_b], "wilson": [interval_a, interval_b],
            "difference": self.table.difference, "difference_low": low, "difference_high": high,
            "mcnemar_p": self.p_value, "e_value": self.e_value, "share_of_discordant": list(share),
            "better": self.better, "more_episodes": self.more, "verdict": self.verdict(),
        }


@dataclass(frozen=True)
class Comparison:
    """Two evaluations.

    Attributes:
        matched: what they share, and what not.
        tasks: a contrast for each task.
        overall: of every matched episode.
    """

    matched: Matched
    tasks: tuple[Contrast, ...]
    overall: Contrast

    def to_dict(self) -> dict[str, Any]:
        """For JSON: the figures of all episodes, flat, and those of each task below `tasks`."""
        tasks = [contrast.to_dict() for contrast in self.tasks]
        return {**self.matched.counts(), **self.overall.to_dict(), "tasks": tasks}


def match(evaluations: Sequence[Evaluation], *, other_states: bool = False) -> Matched:
    """The episodes that all of them have run and measured.

    Args:
        evaluations: two or more.
        other_states: take pairs that began in different states, too: then all that pairs them is the seed.

    Raises `UnusableResults` when they share none, or when a pair began in different states.
    """
    if len(evaluations) < 2:
        raise UnusableResults("one evaluation compares with nothing: give two folders or more")
    episodes = [evaluation.episodes for evaluation in evaluations]
    shared = [address for address in episodes[0] if all(address in other for other in episodes)]
    rows = {address: [one[address] for one in episodes] for address in shared}
    scored = [address for address in shared if all(record.success is not None for record in rows[address])]
    if not scored:
        raise UnusableResults(_nothing_shared(evaluations, len(shared)))
    differing = [address for address in scored if len(_digests(rows[address])) > 1]
    if differing and not other_states:
        raise UnusableResults(_not_the_same(evaluations, differing[0], rows[differing[0]], len(differing)))
    return Matched(
        tuple(scored), np.array([[record.success for record in rows[address]] for address in scored], bool),
        tuple(len(one) - len(shared) for one in episodes), tuple(len(one.infrastructure) for one in evaluations),
        len(shared) - len(scored), len(differing),
        sum(any(not record.state_digest for record in rows[address]) for address in scored),
    )


def compare(first: Evaluation, second: Evaluation, *, other_states: bool = False) -> Comparison:
    """Two evaluations, by task and overall. Raises what `match` raises."""
    matched = match([first, second], other_states=other_states)
    tasks = tuple(_contrast(matched, task) for task in matched.tasks)
    return Comparison(matched, tasks, _contrast(matched, OVERALL))


def ranking(names: Sequence[str], matched: Matched) -> tuple[Ranked, ...]:
    """Three systems or more by Bradley and Terry, from the episodes that all have run."""
    return rank(names, matched.outcomes)


def _contrast(matched: Matched, name: str) -> Contrast:
    return Contrast(name, PairTable.of(*matched.of(name).T))


def _digests(records: Sequence[Record]) -> set[str]:
    return {record.state_digest for record in records} - {""}


def _nothing_shared(evaluations: Sequence[Evaluation], unscored: int) -> str:
    if unscored:
        return f"{unscored} episodes were run by all and none measured by all: run them where there is ground truth"
    seen = "; ".join(f"{one.name} has {len(one.episodes)} finished episodes of {', '.join(one.plan.get('tasks', ()))} "
                     f"from seed {one.plan.get('first_seed')}" for one in evaluations)
    return f"no episode was finished by all, evaluate the same tasks from the same first seed: {seen}"


def _not_the_same(evaluations: Sequence[Evaluation], address: Address, records: Sequence[Record], count: int) -> str:
    states = ", ".join(f"{one.name} {record.state_digest[:12] or '(no digest)'}"
                       for one, record in zip(evaluations, records, strict=True))
    return (f"{address.task} {address.index} (seed {address.seed}) did not begin in the same state: {states}; "
            f"{count} of the matched episodes differ so. Run both with the same MuJoCo, robot and difficulty, "
            "or allow it with --other-states: then they are paired by their seed alone")


def _rounded(count: int) -> int:
    """Two leading digits: the estimate is no better."""
    step = 10 ** max(0, len(str(count)) - 2)
    return -(-count // step) * step
