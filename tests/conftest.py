"""What holds for every test: rendering needs no display, and none leaves the process scheduled otherwise."""

import os

import pytest

os.environ.setdefault("MUJOCO_GL", "egl")  # MuJoCo reads it once, when it is first imported


@pytest.fixture(autouse=True)
def _scheduled_as_before():
    """A child begins as its parent is: one test that becomes real-time would make every later servo loop late."""
    before = os.sched_getscheduler(0)
    yield
    now = os.sched_getscheduler(0)
    os.sched_setscheduler(0, before, os.sched_param(0))
    assert now == before
