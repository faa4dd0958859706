"""A backlog that is full either waits or says so; nothing is lost in silence."""

import threading
import time

import pytest
from dummy_recording import Episode

from tandem.bridge.contract import EventKind, LogUnwritable
from tandem.bridge.log import LogReader, Recorder
from tandem.bridge.log.backlog import Backlog
from tandem.bridge.log.channels import Channels


def drained(backlog):
    return [entry for entry in backlog.drain() if entry is not None]


def test_order_is_kept_and_everything_arrives():
    backlog = Backlog(10_000)
    got = []
    thread = threading.Thread(target=lambda: got.extend(drained(backlog)))
    thread.start()
    for number in range(5000):
        assert backlog.put(number, 10, wait=True)  # five times what fits at once
    backlog.close()
    thread.join(10)
    assert got == list(range(5000))


def test_what_does_not_fit_is_refused_unless_it_may_use_the_reserve():
    backlog = Backlog(100)
    assert backlog.put("a", 80, wait=False)
    assert not backlog.put("b", 30, wait=False)
    assert backlog.put("c", 30, wait=False, reserve=20)
    backlog.close()
    assert drained(backlog) == ["a", "c"]


def test_one_entry_larger_than_the_backlog_goes_through_alone():
    backlog = Backlog(100)
    assert backlog.put("model", 5000, wait=False)
    assert not backlog.put("next", 1, wait=False)


def test_a_writer_that_stands_still_is_an_error_and_no_deadlock():
    backlog = Backlog(100, stall_s=0.05)
    backlog.put("a", 100, wait=True)
    with pytest.raises(LogUnwritable, match="taken nothing"):
        backlog.put("b", 100, wait=True)


@pytest.fixture
def slow_disk(monkeypatch):
    fast = Channels.write

    def slow(self, entry):
        time.sleep(0.01)
        fast(self, entry)

    monkeypatch.setattr(Channels, "write", slow)


@pytest.mark.usefixtures("slow_disk")
def test_drops_are_counted_and_logged_and_events_never_dropped(tmp_path, monkeypatch):
    monkeypatch.setattr("tandem.bridge.log.recorder._STEP_RESERVE", 10_000)
    episode = Episode(look_every=1)
    with Recorder(tmp_path / "e.mcap", state=episode.state, lossless=False, queue_bytes=30_000) as recorder:
        episode.play(recorder, 60, pause_s=0.004)
    log = LogReader(tmp_path / "e.mcap")
    dropped = log.result["dropped"]
    assert dropped == recorder.dropped
    assert dropped["pictures"] > 0
    assert dropped["steps"] > 0
    assert log.channels["/action"] == 60 - dropped["steps"]
    assert log.channels["/seen"] == 120 - dropped["pictures"]
    told = [event for event in log.events() if event.kind is not EventKind.NOTE]
    assert told == episode.events
    notes = [event for event in log.events() if event.kind is EventKind.NOTE]
    assert notes[-1].data["dropped"] == dropped


@pytest.mark.usefixtures("slow_disk")
def test_lossless_waits_instead(tmp_path):
    episode = Episode(look_every=1)
    with Recorder(tmp_path / "e.mcap", state=episode.state, queue_bytes=30_000) as recorder:
        episode.play(recorder, 30)
    log = LogReader(tmp_path / "e.mcap")
    assert log.result["dropped"] == {"steps": 0, "pictures": 0}
    assert log.channels["/action"] == 30
    assert log.channels["/seen"] == 60
