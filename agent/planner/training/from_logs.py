"""Samples of episodes that went well: what a model was asked there, and what it answered, verbatim.

Only what proved right is taught: plans whose every step was done, and judgements that ground truth agrees with. What is
left out is counted by the reason, so that nobody trains on little without knowing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tandem.agent.planner.answers import parse, unfenced
from tandem.agent.planner.family import Family, Frame
from tandem.agent.planner.model import Picture, Question
from tandem.agent.planner.terse import terse
from tandem.agent.planner.training.samples import Sample, compact
from tandem.bridge.contract import EventKind, InvalidOption, LogUnreadable, PlannerFailed
from tandem.bridge.log import LogReader

OUTCOMES = ("measured", "seen", "any")
EVALUATION = range(100_000)  # seeds whose episodes measure a planner, and so must not teach it
_FIELDS = frozenset({"kind", "system", "parts", "reply", "model", "error"})


@dataclass(frozen=True)
class Wanted:
    """What may be learnt from.

    Attributes:
        family: of the model that is taught.
        resized: its own resizing of pictures, width and height.
        terse: it is asked tersely.
        outcome: episodes that were "measured" a success by the simulator, "seen" to be one by the verifier, or "any".
        excluded: seeds of the body whose episodes are passed over.
    """

    family: Family
    resized: Callable[[int, int], tuple[int, int]]
    terse: bool = False
    outcome: str = "measured"
    excluded: range = EVALUATION

    def __post_init__(self) -> None:
        if self.outcome not in OUTCOMES:
            raise InvalidOption(f"logs are chosen by outcome {', '.join(OUTCOMES)}, got {self.outcome!r}")


@dataclass(frozen=True, eq=False)
class LogSamples:
    """Satisfies `Source`. Pictures are kept packed, so that many logs fit into memory.

    Attributes:
        recorded: what can be learnt, in order.
        used: logs that it comes from, of `read`.
        left_out: how many logs or calls were not taken, by the reason.
    """

    recorded: tuple[Recorded, ...]
    used: int
    read: int
    left_out: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.recorded)

    def draw(self, rng: np.random.Generator) -> Sample:
        """One of them."""
        return self.recorded[rng.integers(len(self.recorded))].sample()

    def describe(self) -> dict[str, Any]:
        """Plain types only."""
        kinds = Counter(one.kind for one in self.recorded)
        return {"logs": self.read, "used": self.used, "calls": dict(kinds), "left_out": dict(self.left_out)}


@dataclass(frozen=True, eq=False)
class Recorded:
    """One exchange; a picture is its camera and its PNG."""

    kind: str
    system: str
    parts: tuple[str | tuple[str, bytes], ...]
    answer: str

    def sample(self) -> Sample:
        """With its pictures unpacked."""
        parts = tuple(part if isinstance(part, str) else _unpacked(*part) for part in self.parts)
        return Sample(Question(self.kind, self.system, parts, {}), self.answer)


def from_logs(paths: Iterable[Path], wanted: Wanted) -> LogSamples:
    """Read logs, each whole or cut off; one that cannot be read is counted, too."""
    recorded, left_out, used, read = [], Counter(), 0, 0
    for path in paths:
        read += 1
        try:
            found = _of_one(LogReader(path), wanted, left_out)
        except LogUnreadable:
            left_out["logs that cannot be read"] += 1
            continue
        recorded += found
        used += bool(found)
    return LogSamples(tuple(recorded), used, read, dict(+left_out))


def _of_one(log: LogReader, wanted: Wanted, left_out: Counter[str]) -> list[Recorded]:
    if (reason := _unfit(log, wanted)) is not None:
        left_out[reason] += 1
        return []
    calls = list(_proven(log, left_out))
    if not calls:
        left_out["logs without a call of a model that proved right"] += 1
        return []
    frame_fits, pictures = _frame_fits(calls, wanted), _pictures(log, calls)
    found = []
    for call in calls:
        reason = _unusable(call, wanted, frame_fits, pictures)
        if reason is None:
            found.append(_recorded(call, wanted, pictures))
        else:
            left_out[reason] += 1
    return found


def _unfit(log: LogReader, wanted: Wanted) -> str | None:
    """Why nothing of an episode may be learnt."""
    seed, excluded = log.manifest.get("seed"), wanted.excluded
    if seed is not None and seed in excluded:
        return f"logs of seeds {excluded.start}:{excluded.stop}, which are left to evaluation"
    if log.result is None:
        return "logs that have no end"
    ended = {"measured": log.result["success"], "seen": log.result["claimed"] and log.result["seen"], "any": True}
    return None if ended[wanted.outcome] else "logs of episodes that did not succeed"


def _proven(log: LogReader, left_out: Counter[str]) -> Iterator[Mapping[str, Any]]:
    """Calls of plans without a failed step, and right judgements."""
    planned: Sequence[Mapping[str, Any]] = ()
    judged: list[Mapping[str, Any]] | None = None  # those of the present attempt, None outside one
    failed = False
    for event in log.events():
        if event.kind is EventKind.PLAN:
            yield from _unless(failed, planned, left_out)
            planned, failed = event.data.get("calls", ()), False
        elif event.kind is EventKind.SUBGOAL_START:
            judged = []
        elif event.kind is EventKind.CALLS and judged is not None:
            judged += event.data["calls"] if event.data["what"] == "verifier" else ()
        elif event.kind is EventKind.SUBGOAL_END:
            done, measured = event.data["failure"] is None, event.data["measured"]
            failed |= not done or measured is False
            truth = done or None if measured is None else measured
            right = [call for call in judged or () if _is_right(call, truth)]
            left_out["judgements that nothing proves"] += len(judged or ()) - len(right)
            yield from right
            judged = None
    yield from _unless(failed, planned, left_out)


def _unless(failed: bool, calls: Sequence[Mapping[str, Any]], left_out: Counter[str]) -> Sequence[Mapping[str, Any]]:
    if failed:
        left_out["calls that led to a failed attempt"] += len(calls)
    return () if failed else calls


def _is_right(call: Mapping[str, Any], truth: bool | None) -> bool:
    """Whether a judgement says what is true; without ground truth only a success that the loop built on counts."""
    try:
        verdict = parse(unfenced(call["reply"])).get("verdict")
    except (PlannerFailed, AttributeError, KeyError):
        return False
    return verdict == {True: "success", False: "failure"}.get(truth)


def _frame_fits(calls: Sequence[Mapping[str, Any]], wanted: Wanted) -> bool:
    """Whether pixels of the model that answered are pixels of the one that is taught."""
    if wanted.family.frame is Frame.THOUSANDTHS:
        return True
    shown = [part for call in calls for part in call.get("parts", ()) if not isinstance(part, str)]
    return bool(shown) and all(wanted.resized(*part["size"]) == tuple(part["resized"]) for part in shown)


def _pictures(log: LogReader, calls: Sequence[Mapping[str, Any]]) -> dict[str, bytes]:
    """PNGs by the digest of what was looked at."""
    shown = [part for call in calls for part in call.get("parts", ()) if not isinstance(part, str)]
    digests, found = {part["sha256"] for part in shown}, {}
    for camera in sorted({part["picture"] for part in shown} & set(log.cameras)):
        for picture in log.images(camera):
            if picture.digest in digests and picture.digest not in found:
                found[picture.digest] = _packed(picture.array)
    return found


def _unusable(
    call: Mapping[str, Any], wanted: Wanted, frame_fits: bool, pictures: Mapping[str, bytes]
) -> str | None:
    """Why an exchange cannot be learnt by this model."""
    if not call.keys() >= _FIELDS:
        return "calls of another version"
    shown = [part for part in call["parts"] if not isinstance(part, str)]
    if call["error"]:
        return "calls that were no answer"
    if shown and not wanted.family.sees:
        return "calls with a picture, for a model that reads text only"
    if call["model"]["frame"] != str(wanted.family.frame) or not frame_fits:
        return "calls with points in another frame"
    if call["system"] == call["kind"] and not wanted.terse:
        return "calls that were asked tersely, for a model that is asked in full"
    if not {part["sha256"] for part in shown} <= pictures.keys():
        return "calls whose picture is not in their log"
    return None


def _recorded(call: Mapping[str, Any], wanted: Wanted, pictures: Mapping[str, bytes]) -> Recorded:
    parts = tuple(
        part if isinstance(part, str) else (part["picture"], pictures[part["sha256"]]) for part in call["parts"]
    )
    answer = compact(parse(unfenced(call["reply"])))
    asked = Question(call["kind"], call["system"], (), {})
    return Recorded(call["kind"], (terse(asked) if wanted.terse else asked).system, parts, answer)


def _packed(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".png", pixels[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()


def _unpacked(camera: str, png: bytes) -> Picture:
    pixels = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    return Picture(camera, cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))
