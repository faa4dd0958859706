"""The log's benchmark measures what its table names, and physics replays bit for bit in it."""

import pytest
from benchmarks.log import ASKED, LogBenchmark
from benchmarks.peer import python_of

SMALL = {"episodes": 1, "frames": 6, "reads": 5, "seconds": 2.0}


@pytest.mark.slow
def test_every_figure_is_measured():
    figures = LogBenchmark(**SMALL, peers=False).run()
    beside = {"record_x_lerobot", "random_read_x_lerobot"}
    assert set(ASKED) - beside <= set(figures)
    assert all(value >= 0 for name, value in figures.items() if "overhead" not in name)


@pytest.mark.peer
@pytest.mark.skipif(python_of("lerobot") is None, reason="make peers NAME=lerobot")
def test_lerobot_records_and_reads_the_same_pictures():
    figures = LogBenchmark(**SMALL).run()
    assert set(ASKED) <= set(figures)
