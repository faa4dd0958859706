"""A benchmark that is killed leaves no worker behind that waits for it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

LAUNCH = Path(__file__).parents[2] / "launch"
PROGRAM = """
import os, sys, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from orphans import follow_parent

if __name__ == "__main__":
    with ProcessPoolExecutor(2, mp_context=get_context(sys.argv[1]), initializer=follow_parent) as pool:
        held = [pool.submit(time.sleep, 0.5) for _ in range(2)]
        print(*pool._processes, flush=True)
        time.sleep(600)
"""


def alive(pid):
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"  # ended, and nobody here to fetch it
    except (ProcessLookupError, FileNotFoundError):
        return False


@pytest.mark.parametrize("how", ["spawn", "fork"])
def test_the_workers_of_a_pool_end_with_the_process_that_started_them(tmp_path, how):
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    environment = {**os.environ, "PYTHONPATH": str(LAUNCH)}
    parent = subprocess.Popen([sys.executable, script, how], stdout=subprocess.PIPE, text=True, env=environment)
    workers = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(workers) == 2
    parent.kill()
    parent.wait()
    end = time.monotonic() + 30
    while any(alive(pid) for pid in workers) and time.monotonic() < end:
        time.sleep(0.05)
    left = [pid for pid in workers if alive(pid)]
    for pid in left:
        os.kill(pid, 9)
    assert not left
