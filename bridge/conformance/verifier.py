"""The laws of a `Verifier`."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tandem.bridge.conformance.law import require, same
from tandem.bridge.contract import Observation, Outcome, Subgoal, Verdict, Verifier, snapshot


def check_verifier(
    make_verifier: Callable[[], Verifier], subgoals: Iterable[Subgoal], before: Observation, after: Observation, *,
    deterministic: bool = True,
) -> None:
    """Raise AssertionError naming the first law of `Verifier` that is broken.

    Args:
        make_verifier: makes a fresh verifier.
        subgoals: what to judge; any skill must get an answer, `inconclusive` included.
        before: an observation from before them.
        after: an observation from after them; must still be readable.
        deterministic: whether the same observations after `reset` must give the same verdict.
    """
    verifier, subgoals = make_verifier(), tuple(subgoals)
    named = isinstance(verifier.observes, tuple) and all(isinstance(key, str) for key in verifier.observes)
    require(named, "observes must be a tuple of observation keys.", verifier.observes)
    lacking = [key for key in verifier.observes if key not in before]
    require(not lacking, "observes may name only keys that the body delivers.", lacking)
    verifier.reset()
    verifier.watch(after)
    kept, newest = snapshot(before, verifier.observes), snapshot(after, verifier.observes)
    for subgoal in subgoals:
        given = snapshot(kept, kept)  # exactly what the loop keeps: reading anything else is a KeyError
        verdict = _verdict(verifier, subgoal, given, after)
        require(isinstance(verdict, Verdict), "verify must return a Verdict.", type(verdict))
        require(verdict.outcome in Outcome and bool(verdict.evidence.strip()), "a verdict names its evidence.", verdict)
        untouched = not same(kept, given) and not same(newest, after)
        require(untouched, "verify must not write into an observation.", same(kept, given) or same(newest, after))
        verifier.reset()
        again = _verdict(make_verifier(), subgoal, kept, after)
        law = "after reset a verifier must judge as a new one does: reset forgets everything of earlier episodes."
        forgets = _verdict(verifier, subgoal, kept, after) == again
        require(forgets or not deterministic, law, subgoal)


def _verdict(verifier: Verifier, subgoal: Subgoal, before: Observation, after: Observation) -> Verdict:
    try:
        return verifier.verify(subgoal, before, after)
    except KeyError as key:
        raise AssertionError(f"verify may read of `before` only what `observes` names, not {key}.") from key
