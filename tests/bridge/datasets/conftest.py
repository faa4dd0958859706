"""Lets the tests of this folder import `dummy_logs`, and with it the dummy episode of the log's own tests."""

import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "log")]

FIXTURE = Path(__file__).parents[4] / "shared" / "fixtures" / "lerobot_v3"


@pytest.fixture
def lerobots_own():
    """A dataset of three episodes that LeRobot wrote itself."""
    if not FIXTURE.is_dir():
        pytest.skip(f"{FIXTURE} is not there")
    return FIXTURE
