"""A ranking of three systems or more, from the episodes that all of them have run.

Bradley and Terry's model (1952): the odds that i does better than j are exp(strength i - strength j). In one episode i
does better than j when it succeeds where j fails; episodes that end alike count half for each, so strengths tell how
often one is better in *all* episodes, not only in those that tell two apart.

To the episodes that were run, others are added with weight 1/2: for each system one that it alone wins and one that it
alone loses. For two systems that is the pair each way that Bonett and Price (2012) add. Without them a system that won
every episode would be infinitely strong, and certainly so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tandem.bridge.contract import InvalidOption

_ADDED = 0.5  # weight of each episode that was never run
_STEPS = 500
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Ranked:
    """One system of a ranking.

    Attributes:
        name: of the system.
        strength: in natural log-odds; the mean over all systems is 0.
        low: lower end of its interval.
        high: upper end.
        first: probability that it is the strongest, as far as the episodes tell.
    """

    name: str
    strength: float
    low: float
    high: float
    first: float


def rank(
    names: Sequence[str], outcomes: ArrayLike, *, confidence: float = 0.95, resamples: int = 2000, seed: int = 0
) -> tuple[Ranked, ...]:
    """The systems, strongest first, with intervals of a Bayesian bootstrap over episodes (Rubin 1981).

    An episode is weighed with the outcomes of every system, so what they share (its initial state) stays shared.

    Args:
        names: of the systems.
        outcomes: (episodes, systems) successes.
        confidence: of the intervals.
        resamples: sets of weights drawn.
        seed: that draws them.
    """
    won = np.asarray(outcomes, bool)
    if won.ndim != 2 or won.shape[1] != len(names) or won.shape[0] == 0 or len(names) < 2:
        raise InvalidOption(f"ranks need outcomes (episodes, {len(names)}) of two systems or more, not {won.shape}")
    alone = np.eye(len(names), dtype=bool)
    episodes = np.concatenate([won, alone, ~alone])
    weights = np.concatenate([np.ones(len(won)), np.full(2 * len(names), _ADDED)])
    best = strengths(scores(episodes, weights[None]))[0]
    drawn = strengths(scores(episodes, np.random.default_rng(seed).dirichlet(weights, resamples)))
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    first = _first(drawn)
    rows = zip(names, best.tolist(), low.tolist(), high.tolist(), first.tolist(), strict=True)
    return tuple(sorted((Ranked(*row) for row in rows), key=lambda row: -row.strength))


def scores(won: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """How often each system does better than each other, ties halved: (sets, systems, systems).

    Args:
        won: (episodes, systems) successes.
        weights: (sets, episodes) what an episode counts in a set.
    """
    better = (won[:, :, None] & ~won[:, None, :]).reshape(len(won), -1).astype(float)
    wins = (weights @ better).reshape(len(weights), won.shape[1], won.shape[1])
    halved = (weights.sum(axis=1)[:, None, None] + wins - wins.transpose(0, 2, 1)) / 2
    return halved * (1 - np.eye(won.shape[1]))


def strengths(score: np.ndarray) -> np.ndarray:
    """Of greatest likelihood for each set (sets, systems), by Hunter (Annals of Statistics 32, 2004)."""
    total, met = score.sum(axis=2), score + score.transpose(0, 2, 1)
    power = np.ones_like(total)
    for _ in range(_STEPS):
        new = total / np.sum(met / (power[:, :, None] + power[:, None, :]), axis=2)
        new /= np.exp(np.mean(np.log(new), axis=1, keepdims=True))
        change, power = np.max(np.abs(np.log(new / power))), new
        if change < _TOLERANCE:
            break
    return np.log(power)


def _first(drawn: np.ndarray) -> np.ndarray:
    """How often each system is the strongest; systems that tie for it share."""
    top = drawn >= drawn.max(axis=1, keepdims=True) - 1e-6
    return np.mean(top / top.sum(axis=1, keepdims=True), axis=0)
