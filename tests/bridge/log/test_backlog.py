"""A backlog that is full either waits or says so; nothing is lost in silence, and what arrives is what was put."""

import os
import signal
import threading
import time

import numpy as np
import pytest
from dummy_recording import Episode, result
from hypothesis import given, settings
from hypothesis import strategies as st

from tandem.bridge.contract import EventKind, LogUnwritable
from tandem.bridge.log import LogReader, Recorder, backlog
from tandem.bridge.log.arrivals import Arrivals
from tandem.bridge.log.backlog import Backlog
from tandem.bridge.log.entries import PictureEntry, pack, unpack


def drained(waiting):
    arrivals = Arrivals(waiting.memory, waiting.bell)
    return [(bytes(arrival[0]), bytes(arrival[1])) for arrival in arrivals if arrival is not None]


def test_order_is_kept_and_everything_arrives():
    waiting, got = Backlog(10_000), []
    thread = threading.Thread(target=lambda: got.extend(drained(waiting)))
    thread.start()
    sent = [(b"%d" % number, bytes([number % 251]) * (number % 700)) for number in range(2000)]
    for head, body in sent:
        assert waiting.put(head, body, wait=True)  # many times what fits at once
    waiting.close()
    thread.join(10)
    assert got == sent


@settings(max_examples=100, deadline=None)
@given(
    sizes=st.lists(st.tuples(st.integers(1, 900), st.integers(0, 900)), max_size=60),
    takes=st.lists(st.integers(0, 5), min_size=60, max_size=60),
)
def test_no_entry_lies_on_another_whatever_is_put_and_taken_in_between(sizes, takes):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backlog, "EVENT_RESERVE", 0)  # a small room, so that its end is met
        patch.setattr(backlog, "SPARE_BYTES", 0)
        waiting = Backlog(2500)
    arrivals, put, got = iter(Arrivals(waiting.memory, waiting.bell)), [], []
    for number, ((head, body), take) in enumerate(zip(sizes, takes, strict=False)):
        entry = bytes([number]) * head, bytes([255 - number]) * body
        if waiting.put(*entry, wait=False):
            put.append(entry)
        while take and len(got) < len(put):
            arrival = next(arrivals)
            if arrival is not None:
                got.append((bytes(arrival[0]), bytes(arrival[1])))
                take -= 1
    waiting.close()
    got += [(bytes(arrival[0]), bytes(arrival[1])) for arrival in arrivals if arrival is not None]
    assert got == put


def test_what_does_not_fit_is_refused_unless_it_may_use_the_reserve():
    waiting = Backlog(1024)
    assert waiting.put(b"a", bytes(800), wait=False)
    assert not waiting.put(b"b", bytes(300), wait=False)
    assert waiting.put(b"c", bytes(300), wait=False, reserve=1024)
    waiting.close()
    assert [head for head, _ in drained(waiting)] == [b"a", b"c"]


def test_one_entry_larger_than_the_backlog_goes_through_alone():
    waiting = Backlog(100, largest=2**27)
    assert waiting.put(b"model", bytes(2**27), wait=False)
    assert not waiting.put(b"next", wait=False)


def test_a_writer_that_stands_still_is_an_error_and_no_deadlock():
    waiting = Backlog(100, stall_s=0.05)
    waiting.put(b"a", bytes(100), wait=True)
    with pytest.raises(LogUnwritable, match="taken nothing"):
        waiting.put(b"b", bytes(100), wait=True)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, ">f4"])
@pytest.mark.parametrize("change", [np.array, np.asfortranarray, lambda array: array[::-1, ::2]])
def test_pictures_of_any_layout_arrive(dtype, change):
    array = change(np.random.default_rng(0).integers(0, 255, (8, 6, 3)).astype(dtype))
    head, body = pack(PictureEntry(5, "image.front", array))
    entry = unpack(head, memoryview(body))
    assert (entry.time_ns, entry.key, entry.array.dtype) == (5, "image.front", array.dtype)
    np.testing.assert_array_equal(entry.array, array)


def resume(recorder, after_s):
    """Let a stopped writer go on, later."""
    timer = threading.Timer(after_s, os.kill, (recorder._writer.pid, signal.SIGCONT))
    timer.start()
    return timer


def test_drops_are_counted_and_logged_and_events_never_dropped(tmp_path, monkeypatch):
    monkeypatch.setattr("tandem.bridge.log.recorder.STEP_RESERVE", 10_000)
    episode = Episode(look_every=1)
    with Recorder(tmp_path / "e.mcap", state=episode.state, lossless=False, queue_bytes=30_000) as recorder:
        episode.play(recorder, 60, begun=lambda: os.kill(recorder._writer.pid, signal.SIGSTOP), end=False)
        resume(recorder, 0.0).join()
        time.sleep(1.0)
        recorder.on_episode_end(result(60))
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


def test_lossless_waits_instead(tmp_path):
    episode = Episode(look_every=1)
    with Recorder(tmp_path / "e.mcap", state=episode.state, queue_bytes=30_000) as recorder:

        def stop():
            os.kill(recorder._writer.pid, signal.SIGSTOP)
            resume(recorder, 0.5)

        start = time.monotonic()
        episode.play(recorder, 30, begun=stop)
        assert time.monotonic() - start > 0.4
    log = LogReader(tmp_path / "e.mcap")
    assert log.result["dropped"] == {"steps": 0, "pictures": 0}
    assert log.channels["/action"] == 30
    assert log.channels["/seen"] == 60
