"""What a servo loop is given for its block, and that nothing of it stays behind."""

import os
import threading
from pathlib import Path

import pytest

from tandem.bridge.controller import realtime as module
from tandem.bridge.controller.realtime import realtime


def _is_open(path: Path) -> bool:
    return any(os.path.realpath(f"/proc/self/fd/{number}") == str(path) for number in os.listdir("/proc/self/fd"))


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "cpu_dma_latency"
    monkeypatch.setattr(module, "WAKE_UP_LATENCY", path)
    return path


def test_processors_stay_awake_for_the_block_and_no_longer(device):
    device.write_bytes(b"")
    with realtime() as words:
        assert device.read_bytes() == bytes(4)
        assert _is_open(device)
        assert words.endswith("processors kept awake")
    assert not _is_open(device)


def test_where_there_is_no_such_device_the_loop_goes_on_and_says_so(device):
    with realtime() as words:
        assert "may sleep" in words
        assert str(device) in words
    assert not device.exists()


def test_the_scheduling_is_the_blocks_alone(device):
    seen = []

    def loop() -> None:
        with realtime() as words:
            seen.extend((words, os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK))
        seen.append(os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK)

    thread = threading.Thread(target=loop)
    thread.start()
    thread.join()
    words, within, after = seen
    assert words.startswith("SCHED_FIFO" if within == os.SCHED_FIFO else "SCHED_OTHER (not permitted")
    assert after == os.SCHED_OTHER
