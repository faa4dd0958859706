"""A process that ends while a thought is going on ends in order, and does not wait for one that hangs."""

import subprocess
import sys
import time

import pytest

PROGRAM = """
import sys, time
import torch
from tandem.policies.executors import thinking

class Live:
    real_time = True

    def charge_s(self, wall_s):
        return wall_s

def multiply():
    weights, end_s = torch.ones(1500, 1500), time.monotonic() + 2
    while time.monotonic() < end_s:
        weights = (weights @ weights).clamp(max=1.0)
    print("thought to its end", flush=True)

def hang():
    time.sleep(60)

thinking._LEAVING_S = float(sys.argv[2])
thinking.OffThread(Live()).begin({"multiply": multiply, "hang": hang}[sys.argv[1]], 0.0)
time.sleep(0.3)
sys.exit(7)
"""


@pytest.mark.parametrize(("thought", "leaving_s", "said"), [
    ("multiply", 10, "thought to its end\n"), ("hang", 0.2, "")])
def test_a_thought_and_the_process_end_in_order(thought, leaving_s, said):
    began_s = time.monotonic()
    command = [sys.executable, "-c", PROGRAM, thought, str(leaving_s)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (7, said, "")
    assert time.monotonic() - began_s < 45
