"""A folder of results counts nothing twice, loses nothing, and survives a kill in the middle of a line."""

import json
from dataclasses import replace

import pytest

from tandem.agent.evaluation import results
from tandem.agent.evaluation.results import INFRASTRUCTURE, Record
from tandem.bridge.contract import InvalidOption, UnusableResults

PLAN = {"system": {"task": "sort"}, "tasks": ["sort", "stack"], "episodes": 2, "first_seed": 7, "arm": {}}


@pytest.fixture
def folder(tmp_path):
    results.begin(tmp_path / "a", PLAN)
    return tmp_path / "a"


def test_what_was_written_comes_back(folder):
    record = Record("sort", 1, 8, success=True, plan_latency_s=(0.5, 0.25), success_s=4.0)
    results.append(folder, record)
    found = results.load(folder)
    assert found.episodes == {("sort", 1, 8): record}
    assert found.planned == [("sort", 0, 7), ("stack", 0, 7), ("sort", 1, 8), ("stack", 1, 8)]


def test_an_episode_counts_once_and_a_broken_worker_is_no_episode(folder):
    first = Record("sort", 0, 7, success=True)
    for record in (replace(first, kind=INFRASTRUCTURE, success=None), first, replace(first, success=False)):
        results.append(folder, record)
    found = results.load(folder)
    assert list(found.episodes.values()) == [first]
    assert len(found.infrastructure) == 1


@pytest.mark.parametrize("cut", [1, 20, 200])
def test_a_line_that_a_kill_cut_short_is_left_out_and_the_next_stays_whole(folder, cut):
    results.append(folder, Record("sort", 0, 7))
    path = folder / results.RESULTS_FILE
    line = path.read_bytes()
    path.write_bytes(line + line[:-1][:cut])
    assert len(results.load(folder).tries) == 1
    results.append(folder, Record("sort", 1, 8))
    assert [record.index for record in results.load(folder).tries] == [0, 1]


def test_wherever_a_kill_cut_a_line_whatever_its_words_the_rest_is_read(folder):
    results.append(folder, Record("sort", 0, 7, success=True))
    whole = (folder / results.RESULTS_FILE).read_bytes()
    results.append(folder, Record("stack", 0, 7, reason='no plan: {"steps": ["}"], "why": "\\\\"} {}', host="here"))
    content = (folder / results.RESULTS_FILE).read_bytes()
    for end in range(len(whole), len(content) - 1):  # short of its closing brace
        (folder / results.RESULTS_FILE).write_bytes(content[:end])
        assert len(results.load(folder).tries) == 1


DAMAGED = ['{"task": 1 "x"}', '{"task": "sort"}', '{"task": "a", "index": 0, "seed": 0, "z": 1}']


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_line_is_named(folder, damage):
    (folder / results.RESULTS_FILE).write_text(damage + "\n")
    with pytest.raises(UnusableResults, match="line 1"):
        results.load(folder)


def test_a_folder_without_or_with_a_newer_evaluation_is_refused(folder, tmp_path):
    with pytest.raises(UnusableResults, match=r"evaluate\.py"):
        results.load(tmp_path)
    (folder / results.PLAN_FILE).write_text(json.dumps({"format": results.FORMAT + 1}))
    with pytest.raises(UnusableResults, match="format"):
        results.load(folder)


@pytest.mark.parametrize(("plan", "said"), [("[]", "a list"), ('{"tasks": []}', "lacks episodes, first_seed")])
def test_what_is_no_plan_is_refused(folder, plan, said):
    (folder / results.PLAN_FILE).write_text(plan)
    with pytest.raises(UnusableResults, match=said):
        results.load(folder)


def test_results_without_their_plan_do_not_count_for_another_evaluation(folder):
    results.append(folder, Record("sort", 0, 7, success=True))
    (folder / results.PLAN_FILE).unlink()
    with pytest.raises(InvalidOption, match="no plan that says what of"):
        results.begin(folder, PLAN)
    assert not (folder / results.PLAN_FILE).exists()


def test_a_second_evaluation_does_not_overwrite_the_first(folder):
    with pytest.raises(InvalidOption, match="--resume"):
        results.begin(folder, PLAN)
