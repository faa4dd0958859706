"""launch/compare.py on whole folders: what it prints, what it writes, and how it refuses."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import compare
import pytest
from compare import Options, main

from tandem.agent.evaluation import results
from tandem.agent.evaluation.results import INFRASTRUCTURE, Record
from tandem.bridge.contract import InvalidOption, UnusableResults

SCRIPT = Path(compare.__file__)
PLAN = {
    "system": {"planner": "tiny", "clock": "lockstep"}, "tasks": ["sort", "stack"], "first_seed": 7, "arm": {},
    "versions": {"mujoco": "3.10.0"}, "started": "today", "git": {"commit": "abc", "dirty": False},
}


@pytest.fixture
def make(tmp_path):
    def _make(name, outcomes, *, digest="", **plan):
        folder = tmp_path / name
        results.begin(folder, {**PLAN, "episodes": len(outcomes), **plan})
        for task, k, seed in results.addresses(PLAN["tasks"], len(outcomes), 7):
            record = Record(task, k, seed, success=bool(outcomes[k]), claimed=bool(outcomes[k]), false_success=False,
                            state_digest=f"{digest}{task}{seed}", failure=None if outcomes[k] else "GRASP_FAILED")
            if k == 0 and name == "new":
                results.append(folder, replace(record, kind=INFRASTRUCTURE, success=None, failure="WorkerDied"))
            results.append(folder, record)
        return folder

    return _make


def _lines(capsys):
    return [" ".join(line.replace("│", " ").replace("┃", " ").split()) for line in capsys.readouterr().out.splitlines()]


def test_two_are_compared_by_task_and_overall(make, capsys, tmp_path):
    old, new = make("old", [0] * 8 + [1] * 2), make("new", [1] * 10, versions={"mujoco": "4.0.0"}, started="later")
    assert main(Options((old, new), json=tmp_path / "out.json")) == 0
    lines = _lines(capsys)
    [version] = [n for n, line in enumerate(lines) if line.startswith("versions versions.mujoco 3.10.0 4.0.0")]
    [started] = [n for n, line in enumerate(lines) if line.startswith("record started today later explains nothing")]
    [sort] = [n for n, line in enumerate(lines) if line.startswith("sort 10 20% 6 .. 51 100% 72 .. 100 0 8 -80")]
    [overall] = [n for n, line in enumerate(lines) if line.startswith("all 20 20% 8 .. 42 100% 84 .. 100 0 16 -80")]
    assert version < started < sort < overall
    assert lines[overall].endswith("B is better")
    assert "20 episodes matched by task, index and seed" in lines
    assert "B: 2 tries broke for reasons that are not the agent's, and count for nobody" in lines
    plain = json.loads((tmp_path / "out.json").read_text())
    assert (plain["verdict"], plain["better"], plain["matched"]) == ("B is better", 1, 20)
    assert plain["evaluations"]["A"]["success"] == 0.2
    assert plain["evaluations"]["B"]["infrastructure_errors"] == 2
    assert plain["manifests"]["B"][0]["path"] == "versions.mujoco"


def test_what_is_undecided_says_how_many_more(make, capsys):
    assert main(Options((make("a", [1, 1, 0, 1, 1]), make("b", [1, 0, 0, 1, 1])))) == 0
    lines = _lines(capsys)
    assert "A and B were made in the same way, as far as their plans tell" in lines
    assert [line for line in lines if line.startswith("all 10") and line.endswith("more episodes")]


def test_many_are_ranked_and_each_two_compared(make, capsys, tmp_path):
    folders = (make("a", [1, 0] * 10), make("b", [1] * 20), make("c", [0] * 20))
    assert main(Options(folders, json=tmp_path / "out.json")) == 0
    lines = _lines(capsys)
    assert [line for line in lines if line.startswith("B - C 40 40 0 +100") and line.endswith("B is better")]
    assert [line.split()[1] for line in lines if line[:3] in ("1 B", "2 A", "3 C")] == ["B", "A", "C"]
    plain = json.loads((tmp_path / "out.json").read_text())
    assert [one["name"] for one in plain["ranking"]] == ["B", "A", "C"]
    assert set(plain["pairs"]) == {"AB", "AC", "BC"}


def test_arms_make_a_matrix_against_the_baseline(make, capsys):
    base = make("base", [1] * 12)
    slow = make("slow", [0] * 12, arm={"clock": "live"}, system={"planner": "tiny", "clock": "live"})
    assert main(Options((base, slow))) == 0
    lines = _lines(capsys)
    assert [line for line in lines if line.startswith("arm sort stack all also differs")]
    [row] = [line for line in lines if line.startswith("clock live")]
    assert row.count("-100 (") == 3


def test_other_states_are_refused_unless_they_are_allowed(make, capsys):
    folders = make("a", [1, 0]), make("b", [1, 1], digest="x")
    with pytest.raises(UnusableResults, match="--other-states"):
        main(Options(folders))
    assert main(Options(folders, other_states=True)) == 0
    assert "4 of them began in different states: paired by their seed alone" in _lines(capsys)


def test_an_unfinished_evaluation_and_ground_truth_are_told(make, capsys):
    a, b = make("a", [1, 0, 1]), make("b", [1, 1])
    path = b / results.RESULTS_FILE
    path.write_text(path.read_text().replace('"privileged": false', '"privileged": true'))
    plan = json.loads((b / results.PLAN_FILE).read_text())
    (b / results.PLAN_FILE).write_text(json.dumps({**plan, "episodes": 3}))
    main(Options((a, b)))
    lines = _lines(capsys)
    assert "A: 2 finished episodes have no partner" in lines
    assert "B: 4 of 6 planned episodes have ended" in lines
    assert "B: used ground truth in 4 episodes" in lines


def test_names_with_brackets_are_no_markup(make, capsys):
    main(Options((make("[red]a", [1, 0]), make("[/]b", [1, 1]))))
    assert "[red]a" in "".join(_lines(capsys)).replace(" ", "")


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_folders(make, count):
    with pytest.raises(InvalidOption, match="2 to 26 folders"):
        main(Options((make("a", [1]),) * count))


def test_the_same_folder_twice_is_no_comparison(make):
    folder = make("a", [1])
    with pytest.raises(InvalidOption, match=f"with itself; twice: {folder}"):
        main(Options((folder, folder / ".." / "a")))


def test_a_file_that_cannot_be_written_is_named(make, tmp_path):
    with pytest.raises(InvalidOption, match="choose another --json"):
        main(Options((make("a", [1]), make("b", [0])), json=tmp_path / "none" / "x.json"))


def test_from_the_shell_a_mistake_is_one_line_and_code_2(make, tmp_path):
    def shell(*words):
        return subprocess.run([sys.executable, str(SCRIPT), *map(str, words)], capture_output=True, text=True,
                              timeout=120, check=False)

    bad = shell(make("a", [1]), tmp_path / "nothing")
    assert (bad.returncode, bad.stdout) == (2, "")
    assert bad.stderr.startswith("UnusableResults: ")
    assert bad.stderr.count("\n") == 1
    assert shell(tmp_path / "a", make("b", [1])).returncode == 0
