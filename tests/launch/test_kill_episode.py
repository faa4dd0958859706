"""Kill an episode at any moment: its log opens, at most the last second is lost, and a replay of it runs to its end.

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
LOST_S = 1.0
BEGUN_BYTES = 100_000  # the model is in the file by then, and what follows is the episode
REPEATS = [pytest.param(k, marks=[] if k < 1 else [pytest.mark.slow]) for k in range(20)]


def start(folder, seed):
    """An episode that has begun, and its log."""
    episode = subprocess.Popen(
        [sys.executable, LAUNCH / "episode.py", "--planner", "scripted", "--task", "sort", "--seed", str(seed),
         "--no-pictures", "--log-dir", folder], stdout=subprocess.DEVNULL, start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not (logs := [path for path in folder.rglob("*.mcap") if path.stat().st_size > BEGUN_BYTES]):
        assert episode.poll() is None, "it ended before it began to record"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return episode, logs[0]


def kill(episode, *, writer):
    """Kill -9, and the process that writes the log with it if asked; when that was."""
    children = Path(f"/proc/{episode.pid}/task/{episode.pid}/children").read_text().split()
    os.kill(episode.pid, signal.SIGKILL)
    killed = time.time()
    for child in map(int, children):
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL if writer else signal.SIGCONT)
    episode.wait()
    return killed, children


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
    begun = time.time()
    time.sleep(rng.uniform(0.0, 3.0))
    ended = episode.poll() is not None
    killed, children = kill(episode, writer=repeat % 2 == 0) if not ended else (time.time(), [])
    settled(children)
    log = LogReader(path)
    steps = list(log.steps())
    assert [step.index for step in steps] == list(range(len(steps)))
    assert log.damage == ()
    lost = killed - (steps[-1].wall_time if steps else begun)
    if not ended:
        assert log.result is None
        assert lost < LOST_S
    replay = subprocess.run([sys.executable, LAUNCH / "replay.py", path, "--mode", "closed"], capture_output=True,
                            text=True, timeout=300, check=False)
    logging.getLogger(__name__).info("%d steps, lost %.3f s, %s; replay %d", len(steps), lost, log.recovered,
                                     replay.returncode)
    assert replay.returncode == 0, replay.stdout + replay.stderr
