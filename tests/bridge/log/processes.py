"""What tests ask of processes that they do not own."""

import time
from pathlib import Path


def gone(pid, patience_s=10.0):
    """Whether a process ends in time. One that was killed may stay a zombie until its new parent looks at it."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.01)
    return False
