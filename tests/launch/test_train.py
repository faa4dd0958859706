"""What train.py learns from and what it checks on, and how it is asked."""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

from accelerate import PartialState
from rich.console import Console
from training.frames import apart

sys.path.insert(0, str(Path(__file__).parent))


def named(names):
    return [SimpleNamespace(digest=name) for name in names]


def digests(episodes):
    return [episode.digest for episode in episodes]


def test_what_is_checked_on_is_never_learned_from():
    demos, taught = [f"demo {k}" for k in range(50)], [f"taught {k}" for k in range(7)]
    for given in (demos, demos * 2, [*demos, *taught * 3], [*taught, *demos, *taught]):
        learned, checked = map(digests, apart(named(given), 20))
        assert not set(learned) & set(checked)
        assert set(learned) | set(checked) == set(given)
        assert len(checked) == len(set(checked)) == len(set(given)) // 20
        assert all(learned.count(name) == given.count(name) for name in learned)  # as often as it was named


def test_more_data_behind_it_changes_nothing_of_what_is_checked_on():
    demos, more = [f"demo {k}" for k in range(50)], [f"more {k}" for k in range(30)]
    before = digests(apart(named(demos), 20)[1])
    assert before == ["demo 19", "demo 39"]
    assert digests(apart(named([*demos, *more]), 20)[1])[:2] == before


def test_nothing_is_kept_aside_where_nothing_should_be():
    assert apart(named("abc"), 0)[1] == []


def test_going_on_otherwise_is_told(tmp_path):
    from swing import record
    from train import Options
    from training.setup import prepared

    def begun(**changed):
        console = Console(record=True, width=200, quiet=False)
        prepared(replace(options, **changed), console, PartialState(cpu=True))
        return [line for line in console.export_text().splitlines() if "otherwise" in line]

    (tmp_path / "data").mkdir()
    log = record(tmp_path / "data" / "one.mcap")
    small = json.dumps({"dim": 16, "heads": 2, "channels": [4, 4], "reading": 1, "writing": 1})
    options = Options((tmp_path / "data",), tmp_path / "run", settings=small, cache=tmp_path / "cache", device="cpu")
    assert begun() == begun() == []
    assert "steps was 3000, is 5000 now" in begun(steps=5000)[0]
    shutil.copy(log, tmp_path / "data" / "two.mcap")
    assert "frames was 12, is 24 now" in begun()[0]
