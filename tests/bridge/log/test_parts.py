"""A long run in several files: any of them opens all, and a crash costs the last one's open chunk only."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from dummy_recording import DT, Episode

from tandem.bridge.contract import InvalidOption, LogUnreadable, LogUnwritable
from tandem.bridge.log import LogReader, Recorder
from tandem.bridge.log.source import open_source

STEPS = 120


def record(path, *, end=True, **options):
    episode = Episode(size=200)
    with Recorder(path, state=episode.state, model=bytes(50_000), **options) as recorder:
        episode.play(recorder, STEPS, end=end)
    return episode


def check_whole(log, episode):
    assert log.recovered is None
    assert log.damage == ()
    assert [step.index for step in log.steps()] == list(range(STEPS))
    np.testing.assert_array_equal(log.states()[1], episode.states)
    assert log.result["steps"] == STEPS
    assert log.model()[1] == bytes(50_000)
    seen = [step.before["time"][0] for step in episode.steps if "image.front" in step.before.read]
    assert [picture.time_s for picture in log.images("front")] == pytest.approx(seen)


@pytest.mark.parametrize("limit", [{"rotate_s": 2.0}, {"rotate_bytes": 60_000}], ids=["by time", "by size"])
def test_the_parts_read_as_one_from_whichever_is_opened(tmp_path, limit):
    episode = record(tmp_path / "e.mcap", **limit)
    parts = sorted(tmp_path.iterdir())
    assert len(parts) >= 3
    for path in parts:
        check_whole(LogReader(path), episode)
        assert open_source(path).metadata["manifest"]["seed"] == "0"
    log = LogReader(parts[0])
    for time_s in np.arange(0, STEPS * DT, 0.7):
        found = log.measurement_at(time_s)
        assert found.index == int(np.floor(time_s / DT + 1e-6)) - 1
        assert log.picture_at("image.front", time_s).time_s <= time_s + 1e-9
    assert log.picture("image.front", 39).time_s == pytest.approx(39 * 3 * DT)


def test_without_limits_there_is_one_file_that_names_no_part(tmp_path):
    record(tmp_path / "e.mcap")
    assert [path.name for path in tmp_path.iterdir()] == ["e.mcap"]
    assert set(open_source(tmp_path / "e.mcap").metadata) == {"manifest", "result"}


def test_a_crash_costs_the_last_part_only(tmp_path):
    path, episode = tmp_path / "e.mcap", Episode(size=200)
    recorder = Recorder(path, state=episode.state, rotate_s=2.0)
    episode.play(recorder, STEPS, end=False)
    while not (tmp_path / "e-part3.mcap").exists():
        pass
    os.kill(recorder._writer.pid, signal.SIGKILL)
    recorder.close()
    log = LogReader(tmp_path / "e-part2.mcap")
    steps = [step.index for step in log.steps()]
    assert steps == list(range(len(steps)))
    assert len(steps) >= 2 * 2.0 / DT - 1
    assert "e-part3.mcap" in log.recovered
    assert log.damage == ()
    assert log.result is None


def test_a_part_that_is_gone_is_named(tmp_path):
    record(tmp_path / "e.mcap", rotate_s=2.0)
    (tmp_path / "e-part2.mcap").unlink()
    log = LogReader(tmp_path / "e.mcap")
    assert "part e-part2.mcap cannot be read: there is no log" in log.recovered
    assert len(log.damage) == 1
    assert 60 < len(list(log.steps())) < STEPS
    (tmp_path / "e-part3.mcap").unlink()
    assert "there is no log" in LogReader(tmp_path / "e.mcap").recovered


def test_a_part_of_another_run_is_not_mixed_in(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        record(tmp_path / name / "e.mcap", rotate_s=2.0)
    Path(tmp_path / "b" / "e-part2.mcap").replace(tmp_path / "a" / "e-part2.mcap")
    assert "e-part2.mcap belongs to another run" in LogReader(tmp_path / "a" / "e.mcap").recovered


def test_a_later_part_is_never_overwritten_and_limits_are_positive(tmp_path):
    (tmp_path / "e-part2.mcap").touch()
    with pytest.raises(LogUnwritable, match=r"e-part2\.mcap exists and is never overwritten"):
        Recorder(tmp_path / "e.mcap")
    for limit in ({"rotate_s": 0.0}, {"rotate_bytes": -1}):
        with pytest.raises(InvalidOption, match="must be positive or None"):
            Recorder(tmp_path / "f.mcap", **limit)
    with pytest.raises(LogUnreadable):
        LogReader(tmp_path / "e-part2.mcap")
