"""Kill an episode at any moment: its log opens, at most the last second is lost, and a replay of it runs to its end.

What was lost is what a witness wrote down of each step, at once, and the log does not hold.

Once as a rule; twenty times with `-m "slow or not slow"`.
"""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tandem.bridge.log import LogReader

LAUNCH = Path(__file__).parents[2] / "launch"
EPISODE = Path(__file__).with_name("witnessed_episode.py")
LOST_S = 1.0
BEGUN_BYTES = 100_000  # the model is in the file by then, and what follows is the episode
REPEATS = [pytest.param(k, marks=[] if k < 1 else [pytest.mark.slow]) for k in range(20)]


def start(folder, seed):
    """An episode that has begun, and its log."""
    episode = subprocess.Popen(
        [sys.executable, EPISODE, folder / "times", "--planner", "scripted", "--task", "sort", "--seed", str(seed),
         "--no-pictures", "--log-dir", folder], stdout=subprocess.DEVNULL, start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not (logs := [path for path in folder.rglob("*.mcap") if path.stat().st_size > BEGUN_BYTES]):
        assert episode.poll() is None, "it ended before it began to record"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return episode, logs[0]


def kill(episode, *, writer):
    """Kill -9, and the process that writes the log with it if asked; its children."""
    children = Path(f"/proc/{episode.pid}/task/{episode.pid}/children").read_text().split()
    os.kill(episode.pid, signal.SIGKILL)
    for child in map(int, children):
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL if writer else signal.SIGCONT)
    episode.wait()
    return children


def settled(children):
    """Wait until those that outlived it have ended, as the writer does when it has written what it was given."""
    deadline = time.monotonic() + 20
    while any(_runs(child) for child in children):
        assert time.monotonic() < deadline, "the writer stays behind"
        time.sleep(0.05)


def _runs(pid):
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.mark.parametrize("repeat", REPEATS)
def test_a_killed_episode_is_readable_and_runs_again(tmp_path, repeat):
    rng = np.random.default_rng()
    episode, path = start(tmp_path, seed=repeat)
    time.sleep(rng.uniform(0.0, 3.0))
    ended = episode.poll() is not None
    children = [] if ended else kill(episode, writer=repeat % 2 == 0)
    settled(children)
    log = LogReader(path)
    steps = list(log.steps()) if "/action" in log.channels else []
    assert [step.index for step in steps] == list(range(len(steps)))
    assert log.damage == ()
    witnessed = np.fromfile(tmp_path / "times")
    lost_s = witnessed[-1] - witnessed[len(steps) - 1] if 0 < len(steps) < len(witnessed) else 0.0
    assert len(steps) > 0 or len(witnessed) < 20
    assert lost_s < LOST_S
    assert log.result is None or len(steps) == len(witnessed)  # the kill may come after the end was written
    replay = subprocess.run([sys.executable, LAUNCH / "replay.py", path, "--mode", "closed"], capture_output=True,
                            text=True, timeout=300, check=False)
    logging.getLogger(__name__).info(
        "%s %d of %d steps, lost %.3f s, %s; replay %d", "both killed:" if repeat % 2 == 0 else "episode killed:",
        len(steps), len(witnessed), lost_s, log.recovered, replay.returncode,
    )
    assert replay.returncode == 0, replay.stdout + replay.stderr
