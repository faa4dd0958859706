"""What is written under which moment of an episode, from its log alone."""

from dataclasses import replace

import numpy as np
import pytest
from dummy_recording import ATTEMPT, DT, Episode, result

from tandem.bridge.contract import Event, EventKind
from tandem.bridge.log import LogReader, Recorder, typography
from tandem.bridge.log.captions import CaptionState
from tandem.bridge.log.marks import Marks
from tandem.bridge.log.storyboard import LINGER_S, Storyboard


def board(path, *, outcome=None, end=True):
    with Recorder(path) as recorder:
        episode = Episode()
        episode.play(recorder, 20, end=False)
        if end:
            start = {"index": 1, "of": 2, **ATTEMPT.subgoal.to_dict(), "instruction": "place it"}
            recorder.on_event(Event(EventKind.SUBGOAL_START, 20 * DT, "place", start))
            failed = replace(ATTEMPT, claimed=False, seen=None, measured=False, failure="TIMEOUT")
            recorder.on_event(Event(EventKind.SUBGOAL_END, 40 * DT, "TIMEOUT", {"index": 1, **failed.to_dict()}))
            recorder.on_episode_end(outcome or result(20))
    return Storyboard(LogReader(path))


def test_captions_follow_the_subgoals(tmp_path):
    story = board(tmp_path / "e.mcap")
    first = story.caption(0.5)
    assert (first.text, first.state, first.place, first.phase) == (
        "pick the red cube", CaptionState.RUNNING, "1/1", "reach"
    )
    assert story.caption(1.0 + LINGER_S / 2).state is CaptionState.DONE  # stays a moment, then the next one starts
    second = story.caption(1.0 + LINGER_S)
    assert (second.text, second.state, second.place) == ("place it", CaptionState.RUNNING, "2/2")
    assert story.caption(2.0).state is CaptionState.FAILED


def test_a_tile_shows_each_subgoal_at_its_end(tmp_path):
    asked = []

    def frame_at(time_s):
        asked.append(time_s)
        return np.zeros((4, 4, 3), np.uint8)

    tiles = board(tmp_path / "e.mcap").tiles(frame_at, 2.0)
    assert asked == [1.0, 2.0]
    assert [(tile.title, tile.marks, tile.note, tile.failure) for tile in tiles] == [
        ("pick the red cube", Marks(True, True, True), "1.0 s", ""),
        ("place it", Marks(False, None, False), "2.0 s", "TIMEOUT"),
    ]


@pytest.mark.parametrize("lost", [(), (0,), (1,), (2,), (3,), (5,), (1, 2), (3, 4), (0, 3), (1, 3, 5)])
def test_whatever_events_are_lost_no_subgoal_is_told_with_the_end_of_another(tmp_path, monkeypatch, lost):
    events = []
    for number in range(3):
        start = {"index": number, "of": 3, **ATTEMPT.subgoal.to_dict(), "instruction": f"number {number}"}
        end = {"index": number, **replace(ATTEMPT, detail=f"number {number}").to_dict()}
        events += [Event(EventKind.SUBGOAL_START, float(number), "pick", start),
                   Event(EventKind.SUBGOAL_END, number + 1.0, "done", end)]
    board(tmp_path / "e.mcap")
    monkeypatch.setattr(LogReader, "events", lambda self: (one for k, one in enumerate(events) if k not in lost))
    story = Storyboard(LogReader(tmp_path / "e.mcap"))
    assert [scene.text for scene in story.scenes] == [f"number {n}" for n in range(3) if 2 * n not in lost]
    for scene in story.scenes:
        number = int(scene.start_s)
        ended = 2 * number + 1 not in lost
        assert scene.end_s == (number + 1 if ended else float("inf"))
        assert (scene.attempt or {}).get("detail") == (scene.text if ended else None)
    asked = []
    story.tiles(lambda time_s: asked.append(time_s) or np.zeros((4, 4, 3), np.uint8), 3.0)
    assert all(begun.start_s < time_s for begun, time_s in zip(story.scenes, asked, strict=True))
    assert asked == sorted(asked)


@pytest.mark.parametrize(
    ("changes", "title", "colour"),
    [
        ({"measured": True}, "Done", typography.GOOD),
        ({}, "Claimed, but not done", typography.BAD),
        ({"measured": None}, "Claimed done", typography.GOOD),
        ({"claimed": False, "failure": "TIMEOUT"}, "Failed: TIMEOUT", typography.BAD),
        ({"claimed": False, "infeasible": True, "expected": False}, "Cannot be done", typography.GOOD),
        ({"claimed": False, "infeasible": True}, "Refused, though it can be done", typography.BAD),
    ],
)
def test_the_verdict_is_what_was_measured(tmp_path, changes, title, colour):
    closing = board(tmp_path / "e.mcap", outcome=replace(result(20), **changes)).closing
    assert (closing.title, closing.colour) == (title, colour)


def test_a_log_without_end_is_shown_as_far_as_it_goes(tmp_path):
    story = board(tmp_path / "e.mcap", end=False)
    assert story.closing.title == "The log has no end"
    assert len(story.scenes) == 1


def test_an_episode_without_subgoals_has_one_tile(tmp_path):
    with Recorder(tmp_path / "e.mcap") as recorder:
        episode = Episode()
        episode.tell = lambda recorder, event: None
        episode.play(recorder, 1)
    tile, = Storyboard(LogReader(tmp_path / "e.mcap")).tiles(lambda _: np.zeros((4, 4, 3), np.uint8), DT)
    assert tile.title == "Claimed, but not done"
