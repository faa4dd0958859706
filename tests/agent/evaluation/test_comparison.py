"""Whole comparisons, on folders as evaluations write them: who is matched with whom, and who is not counted."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from tandem.agent.evaluation import results
from tandem.agent.evaluation.arms import against, baseline_of
from tandem.agent.evaluation.comparison import compare, match, ranking
from tandem.agent.evaluation.results import INFRASTRUCTURE, Record
from tandem.bridge.contract import UnusableResults

TASKS = ("sort", "stack")


@pytest.fixture
def make(tmp_path):
    def _make(name, outcomes, *, change=lambda record: record, first_seed=7, **plan):
        """An evaluation in which episode k of each task ended with outcomes[k]."""
        folder = tmp_path / name
        results.begin(folder, {"tasks": TASKS, "episodes": len(outcomes), "first_seed": first_seed, "arm": {}, **plan})
        for task, k, seed in results.addresses(TASKS, len(outcomes), first_seed):
            record = change(Record(task, k, seed, success=bool(outcomes[k]), state_digest=f"{task} {seed}"))
            for one in record if isinstance(record, tuple) else (record,):
                results.append(folder, one)
        return results.load(folder)

    return _make


def test_pairs_are_of_the_same_episode(make):
    found = compare(make("a", [1, 1, 0, 1]), make("b", [1, 0, 1, 0]))
    table = found.overall.table
    assert (table.both, table.only_first, table.only_second, table.neither) == (2, 4, 2, 0)
    assert [contrast.name for contrast in found.tasks] == ["sort", "stack"]
    assert [contrast.table.pairs for contrast in found.tasks] == [4, 4]
    assert found.overall.p_value == pytest.approx(2 * 22 / 64)


def test_the_order_in_which_episodes_ended_is_nothing(make):
    a, b = make("a", [1, 0, 1]), make("b", [1, 1, 0])
    shuffled = replace(b, tries=tuple(reversed(b.tries)))
    assert compare(a, b).overall == compare(a, shuffled).overall


def test_a_broken_worker_is_no_failure_of_the_agent(make):
    def broke_first(record):
        return (replace(record, kind=INFRASTRUCTURE, success=None), record) if record.index == 0 else record

    def broke(record):
        return replace(record, kind=INFRASTRUCTURE, success=None) if record.index == 1 else record

    matched = match([make("a", [1, 1, 1], change=broke_first), make("b", [1, 1, 1], change=broke)])
    assert matched.outcomes.all()
    assert len(matched.addresses) == 4
    assert matched.infrastructure == (2, 2)
    assert matched.unmatched == (2, 0)


def test_what_has_no_partner_or_no_measurement_is_counted_and_left_out(make):
    def unseen(record):
        return replace(record, success=None) if record.index == 0 else record

    matched = match([make("a", [1] * 5), make("b", [1, 0, 1], change=unseen)])
    assert (len(matched.addresses), matched.unmatched, matched.unscored) == (4, (4, 0), 2)


def test_pairs_that_began_in_other_states_are_an_error_that_names_the_first(make):
    def elsewhere(record):
        return replace(record, state_digest="0123456789abcdef") if record.index == 1 else record

    a, b = make("a", [1, 1, 0]), make("b", [1, 0, 1], change=elsewhere)
    with pytest.raises(UnusableResults, match=r"sort 1 \(seed 8\).*0123456789ab;.* 2 of the matched"):
        compare(a, b)
    allowed = compare(a, b, other_states=True).matched
    assert (allowed.other_states, len(allowed.addresses)) == (2, 6)


def test_a_state_without_a_digest_is_believed_and_counted(make):
    a, b = make("a", [1, 0]), make("b", [0, 0], change=lambda record: replace(record, state_digest=""))
    assert match([a, b]).unchecked == 4


def test_nothing_in_common_is_said_with_what_there_is(make):
    with pytest.raises(UnusableResults, match=r"same first seed.*seed 7.*seed 90"):
        match([make("a", [1]), make("b", [1], first_seed=90)])
    with pytest.raises(UnusableResults, match="two folders"):
        match([make("c", [1])])


def test_verdicts(make):
    good, bad, equal = make("good", [1] * 12), make("bad", [0] * 12), make("equal", [1] * 12)
    assert compare(good, bad).overall.verdict() == "A is better"
    assert compare(bad, good).overall.verdict("X", "Y") == "Y is better"
    assert compare(good, equal).overall.verdict() == "undecided: no end in sight"
    short = compare(make("c", [1, 1, 1, 1]), make("d", [1, 0, 1, 1])).overall
    assert short.more > 0
    assert re.fullmatch(r"undecided: about [1-9]\d0* more episodes", short.verdict())  # two digits, no more


def test_it_goes_through_json(make):
    plain = json.loads(json.dumps(compare(make("a", [1, 0, 1]), make("b", [0, 0, 1])).to_dict(), allow_nan=False))
    assert plain["matched"] == 6
    assert plain["difference"] == pytest.approx(1 / 3)
    assert plain["difference_low"] < plain["difference"] < plain["difference_high"]
    assert [task["name"] for task in plain["tasks"]] == list(TASKS)


def test_many_are_ranked_on_what_all_have_run(make):
    rng = np.random.default_rng(0)
    names = [("worst", 0.2), ("middle", 0.5), ("best", 0.9)]
    matched = match([make(name, rng.random(40 if name == "best" else 60) < rate) for name, rate in names])
    assert len(matched.addresses) == 80
    assert [one.name for one in ranking([name for name, _ in names], matched)] == ["best", "middle", "worst"]


def test_arms_are_set_against_the_baseline_and_confounding_is_told(make):
    base = make("base", [1] * 12, system={"clock": "lockstep"}, versions={"mujoco": "1"})
    slow = make("slow", [0] * 12, arm={"clock": "charged:500"}, system={"clock": "charged:500"},
                versions={"mujoco": "1"})
    other = make("other", [1] * 12, arm={"disturb": ["noise"]}, system={"clock": "live"}, versions={"mujoco": "2"})
    assert baseline_of([slow, base, other]) is base
    [first, second] = against(base, [slow, base, other])
    assert (first.name, first.also) == ("clock charged:500", ())
    assert first.comparison.overall.table.difference == -1
    assert first.comparison.overall.interval[1] < -0.7
    assert (second.name, set(second.also)) == ("disturb noise", {"system.clock", "versions.mujoco"})
    assert baseline_of([base, make("again", [1])]) is None
    assert baseline_of([slow, other]) is None
