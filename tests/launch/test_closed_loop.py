"""The closed-loop benchmark: what it counts, what it compares, and that it goes on where it was stopped."""

import json

import pytest
from benchmarks import closed_loop
from benchmarks.closed_loop import ClosedLoopBenchmark
from benchmarks.closed_loop_report import Cell, ablation_table, figures, table
from benchmarks.journal import Journal
from composition import System
from rich.console import Console

from tandem.bridge.contract import InvalidOption, UnknownName


def _row(seed, success, *, false=False):
    return {
        "seed": seed, "success": success, "false_success": false, "claimed": success or false, "infeasible": False,
        "failure": None if success else "GRASP_FAILED", "reason": "", "body_s": 1.0, "wall_s": 1.0, "plans": 2,
        "failures": [], "plan_s": [0.5, 0.7],
    }


BASE = System(planner="babble", task="sort")
CELLS = [
    Cell("success_sort", BASE, True, 4), Cell("refused_sort", BASE, False, 2),
    Cell("success_sort|no verification", BASE, True, 4),
]
RESULTS = {
    "success_sort": [_row(0, True), _row(1, True), _row(2, False), _row(3, False)],
    "refused_sort": [_row(0, True), _row(1, False, false=True)],
    "success_sort|no verification": [_row(0, False, false=True), _row(1, False), _row(2, True), _row(3, False)],
}


def test_figures_count_variants_apart():
    flat = figures(CELLS, RESULTS)
    assert flat["success_sort"] == 0.5
    assert flat["infeasible_recognised"] == 0.5
    assert flat["false_success"] == 1 / 6
    assert flat["episodes"] == 6
    assert flat["false_success_sort_no_verification"] == 0.25
    assert flat["success_sort_low"] < 0.5 < flat["success_sort_high"]
    assert all(isinstance(value, (int, float)) for value in flat.values())


def test_variants_are_compared_seed_by_seed():
    console = Console(record=True, width=150)
    console.print(table("babble", CELLS, RESULTS), ablation_table(CELLS, RESULTS))
    lines = console.export_text().splitlines()
    [variant] = [line for line in lines if "no verification" in line]
    assert [cell.strip() for cell in variant.split("│")][-3:-1] == ["2", "1"]  # two lost, one won


def test_it_goes_on_where_it_was_stopped(tmp_path, monkeypatch):
    ran, stop_at = [], 3

    def episode(cell, seed):
        if len(ran) == stop_at:
            raise KeyboardInterrupt
        ran.append((cell.name, seed))
        return _row(seed, True)

    monkeypatch.setattr(closed_loop, "episode", episode)
    options = {"planner": "babble", "episodes": 4, "tasks": ("sort",), "journal": tmp_path / "journal.jsonl"}
    with pytest.raises(KeyboardInterrupt):
        ClosedLoopBenchmark(**options).run()
    with (tmp_path / "journal.jsonl").open("a") as file:
        file.write('{"key": {"cut sh')
    stop_at = 100
    flat = ClosedLoopBenchmark(**options).run()
    assert len(ran) == len(set(ran)) == 5  # four, and one that is impossible
    assert flat["episodes"] == 5
    other = {**options, "verifier": "both"}
    ClosedLoopBenchmark(**other).run()
    assert len(ran) == 10  # another system shares nothing


def test_ablations_run_the_same_seeds_again(monkeypatch):
    ran = {}
    monkeypatch.setattr(closed_loop, "episode", lambda cell, seed: ran.setdefault(cell.name, []).append(seed)
                        or _row(seed, True))
    ClosedLoopBenchmark(planner="babble", episodes=2, tasks=("stack",), impossible=0, ablations=True).run()
    assert ran == {name: [20_000, 20_001] for name in (
        "success_stack", "success_stack|no verification", "success_stack|scripted planner")}


def test_bad_options_are_refused(tmp_path):
    with pytest.raises(InvalidOption):
        ClosedLoopBenchmark(episodes=0).run()
    with pytest.raises(UnknownName, match="stack"):
        ClosedLoopBenchmark(planner="babble", tasks=("stak",)).run()
    with pytest.raises(InvalidOption, match="--journal"):
        Journal(tmp_path)


def test_a_journal_survives_what_is_no_line_of_it(tmp_path):
    path = tmp_path / "journal.jsonl"
    path.write_text("nonsense\n[]\n" + json.dumps({"key": {"seed": 1}, "result": {"success": True}}) + "\n")
    journal = Journal(path)
    assert journal.find({"seed": 1}) == {"success": True}
    assert journal.find({"seed": 2}) is None
