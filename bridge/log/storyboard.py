"""How an episode looks to a person, read from its log: what to write under which moment, and the verdict.

The pictures themselves come from elsewhere: from the log's own images, or rendered again from its states.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tandem.bridge.contract.episode import Event, EventKind
from tandem.bridge.contract.plan import Outcome
from tandem.bridge.log.captions import Caption, CaptionState, Closing
from tandem.bridge.log.contact_sheet import Tile
from tandem.bridge.log.marks import Marks
from tandem.bridge.log.reader import LogReader

LINGER_S = 0.6  # for how long "done" or "failed" stays when the next subgoal starts at once


@dataclass(frozen=True)
class Scene:
    """One subgoal that was tried.

    Attributes:
        text: in words.
        place: such as "2/5".
        start_s: body time.
        end_s: body time, infinity when the log ends before.
        attempt: `Attempt.to_dict`, None when the log ends before, or has lost how it ended.
    """

    text: str
    place: str
    start_s: float
    end_s: float
    attempt: dict[str, Any] | None

    def state(self, time_s: float) -> CaptionState:
        """How it stands at a body time."""
        if time_s < self.end_s or self.attempt is None:
            return CaptionState.RUNNING
        return CaptionState.FAILED if self.attempt["failure"] else CaptionState.DONE

    @property
    def marks(self) -> Marks:
        """Claimed, seen, measured."""
        if self.attempt is None:
            return Marks(None, None, None)
        seen = (self.attempt["seen"] or {}).get("outcome", Outcome.INCONCLUSIVE)
        known = {Outcome.SUCCESS: True, Outcome.FAILURE: False}
        return Marks(self.attempt["claimed"], known.get(seen), self.attempt["measured"])

    @property
    def failure(self) -> str:
        """Why it failed: the code, then the words; empty when it did not."""
        if self.attempt is None or not self.attempt["failure"]:
            return ""
        return f"{self.attempt['failure']}  {self.attempt['detail']}".rstrip()


class Storyboard:
    """What to show of an episode.

    Args:
        log: its log, whole or recovered.

    Attributes:
        instruction: the task in plain words.
        scenes: the subgoals that were tried, in order.
        closing: the verdict.
    """

    def __init__(self, log: LogReader):
        self.instruction: str = log.manifest["instruction"]
        self.scenes = _scenes(list(log.events()))
        self.closing = _closing(log)
        steps = [(step.time_s, step.phase) for step in log.steps()] if "/action" in log.channels else []
        self._times, self._phases = [time_s for time_s, _ in steps], [phase for _, phase in steps]
        self._starts = [scene.start_s for scene in self.scenes]

    def caption(self, time_s: float) -> Caption:
        """What stands under a picture of that body time."""
        number = bisect_right(self._starts, time_s) - 1
        if number < 0:
            return Caption(self.instruction, CaptionState.RUNNING, time_s)
        scene = self.scenes[number]
        if number and scene.start_s - self.scenes[number - 1].end_s < LINGER_S > time_s - scene.start_s:
            scene = self.scenes[number - 1]
        state = scene.state(time_s)
        phase = self._phase(time_s) if state is CaptionState.RUNNING else state.value
        return Caption(scene.text, state, time_s, scene.place, phase)

    def tiles(self, frame_at: Callable[[float], np.ndarray], end_s: float) -> list[Tile]:
        """A tile for each subgoal, with the picture that `frame_at` gives of its end.

        An episode without subgoals (refused, or broken off) has one tile, of its end.

        Args:
            frame_at: from a body time to uint8 (H, W, 3) RGB.
            end_s: body time of the episode's end.
        """
        if not self.scenes:
            return [Tile(frame_at(end_s), self.closing.title, self.closing.marks, f"{end_s:.1f} s")]
        over = zip(self.scenes, [*self._starts[1:], end_s], strict=True)  # at the latest when the next one begins
        return [
            Tile(frame_at(min(scene.end_s, until)), scene.text, scene.marks, f"{min(scene.end_s, until):.1f} s",
                 scene.failure)
            for scene, until in over
        ]

    def _phase(self, time_s: float) -> str:
        number = bisect_right(self._times, time_s) - 1
        return self._phases[number] if number >= 0 else ""


def _scenes(events: list[Event]) -> list[Scene]:
    """An end belongs to the start before it, if it is of that subgoal: damage may have taken either."""
    scenes, start = list[Scene](), None
    for event in events:
        if event.kind not in (EventKind.SUBGOAL_START, EventKind.SUBGOAL_END):
            continue
        ends = event.kind is EventKind.SUBGOAL_END
        if start is not None:
            number = start.data["index"]
            scenes.append(_scene(start, event if ends and event.data.get("index", number) == number else None))
        start = None if ends else event
    return scenes if start is None else [*scenes, _scene(start, None)]


def _scene(start: Event, end: Event | None) -> Scene:
    place = f"{start.data['index'] + 1}/{start.data['of']}"
    text = start.data["instruction"] or start.message
    if end is None:
        return Scene(text, place, start.time_s, float("inf"), None)
    return Scene(text, place, start.time_s, end.time_s, dict(end.data))


def _closing(log: LogReader) -> Closing:
    result = log.result
    if result is None:
        return Closing("The log has no end", Marks(None, None, None), log.recovered or "the episode was broken off")
    marks = Marks(result["claimed"], result["seen"], result["measured"])
    return Closing(_title(result), marks, result["reason"], result["success"])


def _title(result: dict[str, Any]) -> str:
    if result["infeasible"]:
        return "Cannot be done" if result["expected"] is not True else "Refused, though it can be done"
    if not result["claimed"]:
        return f"Failed: {result['failure']}"
    return {True: "Done", False: "Claimed, but not done", None: "Claimed done"}[result["measured"]]
