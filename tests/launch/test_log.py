"""launch/log.py: what it prints, and its exit codes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tandem.bridge.log import LogReader, Recorder

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tests" / "bridge" / "log"))
from dummy_recording import Episode  # noqa: E402 the recorder's own dummy

STEPS = 60


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    """A whole log, one that is cut off, and one in parts."""
    folder, episode = tmp_path_factory.mktemp("runs"), Episode(size=400)
    for name, limits in (("whole", {}), ("long", {"rotate_s": 1.0})):
        with Recorder(folder / f"{name}.mcap", state=episode.state, model=bytes(3000), **limits) as recorder:
            episode.play(recorder, STEPS)
    (folder / "cut.mcap").write_bytes((folder / "whole.mcap").read_bytes()[:-90_000])
    return folder


def run(*arguments):
    command = [sys.executable, ROOT / "launch" / "log.py", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_info_is_one_screen(logs):
    done = run("info", logs / "whole.mcap")
    assert done.returncode == 0
    for words in ("put the red cube in the bin", "dummy", "/sim/state", "20.0", "claimed yes", "whole"):
        assert words in done.stdout
    assert len(done.stdout.splitlines()) < 40


def test_info_of_a_cut_log_says_how_much_is_left(logs):
    done = run("info", logs / "cut.mcap")
    assert done.returncode == 1
    assert "recovered" in done.stdout
    assert "it has no end" in done.stdout


def test_ls_is_a_row_for_each_log_whole_or_not(logs):
    done = run("ls", logs)
    assert done.returncode == 1, "one of them is damaged"
    rows = [line for line in done.stdout.splitlines() if ".mcap" in line]
    assert len(rows) == 3, "parts are one log"
    assert run("ls", logs / "whole.mcap").returncode == 0


def test_cat_is_json_lines_between_two_times(logs):
    done = run("cat", logs / "long.mcap", "--topic", "/measured", "--from", "0.5", "--to", "2.0")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert [line["message"]["index"] for line in lines] == list(range(9, 40))
    assert {line["topic"] for line in lines} == {"/measured"}
    plain = run("cat", logs / "whole.mcap", "--topic", "/event/data", "--json")
    assert json.loads(plain.stdout.splitlines()[0])["kind"] == "plan"


def test_recover_writes_a_whole_log_that_says_what_it_is(logs, tmp_path):
    out = tmp_path / "out.mcap"
    done = run("recover", logs / "cut.mcap", "--out", out)
    assert done.returncode == 0
    assert done.stdout.startswith("recovered ")
    assert " of about " in done.stdout
    cut, log = LogReader(logs / "cut.mcap"), LogReader(out)
    assert log.channels == cut.channels
    assert log.recovered == cut.recovered
    assert [step.index for step in log.steps()] == [step.index for step in cut.steps()]
    assert log.model() == cut.model()
    assert run("recover", logs / "cut.mcap", "--out", out).returncode == 2, "never overwritten"


def test_recover_puts_parts_together(logs, tmp_path):
    assert run("recover", logs / "long-part2.mcap", "--out", tmp_path / "one.mcap").returncode == 0
    log = LogReader(tmp_path / "one.mcap")
    assert log.recovered is None
    assert [step.index for step in log.steps()] == list(range(STEPS))
    assert log.result is not None


@pytest.mark.parametrize("arguments, words", [
    (("info", "nothing.mcap"), "there is no log"), (("ls", "launch"), "there are no logs"), (("info",), "name a log"),
    (("cat", "{whole}", "--topic", "/smell"), "no channel '/smell'"),
])
def test_what_cannot_be_done_is_one_line_and_status_2(logs, arguments, words):
    done = run(*(str(one).format(whole=logs / "whole.mcap") for one in arguments))
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_info_of_what_can_be_read_comes_in_spite_of_what_cannot(logs):
    done = run("info", logs / "cut.mcap", "nothing.mcap", logs / "whole.mcap")
    assert done.returncode == 1
    assert "whole.mcap" in done.stdout
    assert "there is no log" in done.stderr
