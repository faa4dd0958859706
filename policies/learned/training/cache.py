"""Frames decoded once: what a network sees of every episode, in files that are mapped into memory.

A folder for each episode, named by the digest of the episode and of what is cached of it, so that nothing stale is ever
read; a folder that is not whole has another name. Trainings that share a cache, such as the processes of one on several
GPUs, decode no episode twice: one of them does at a time. Random access costs a copy of a few kilobytes.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tandem.bridge.checkpoints import digest_of, digests
from tandem.bridge.contract import BodySpec, Subgoal, UnusableDataset, skill_named
from tandem.bridge.datasets import open_dataset
from tandem.bridge.log.folder import logs_below
from tandem.bridge.log.parts import parts_beside
from tandem.policies.learned import senses
from tandem.policies.learned.eyes import Eyes, Window
from tandem.policies.learned.training.episodes import Episode, Shown, Stretch, read_log, read_trajectory
from tandem.policies.motion.kinematics import Arm

FORMAT = 3
_NUMBERS = ("actions", "tools", "q", "opening", "tool", "aim", "step", "stretch", "ends")


@dataclass(frozen=True)
class Source:
    """An episode: the log, or a dataset's folder and the number of the episode in it; and its digest."""

    path: Path
    episode: int | None
    digest: str


@dataclass(frozen=True, eq=False)
class Cached:
    """One episode in the cache.

    Attributes:
        source: its name.
        spec: of the body, plain types.
        skills: of each stretch.
        words: of each stretch.
        sentences: of each stretch, its instruction in plain words; empty in a cache that was made without them.
        digest: of the episode; two of the same digest are the same.
        actions: (T, n + 1) what the demonstrator wanted.
        tools: (T, 7) poses of the tool where these lead.
        q: (F, n) of each frame.
        opening: (F,).
        tool: (F, 7).
        aim: (F, 3) NaN without a point.
        step: (F,) the control step that the frame precedes.
        stretch: (F,) which stretch it belongs to.
        ends: (S,) control step behind the last of each stretch.
        frames: for each window uint8 (F, h, w, 3), margins included.
    """

    source: str
    spec: dict
    skills: tuple[str, ...]
    words: tuple[tuple[str, ...], ...]
    actions: np.ndarray
    tools: np.ndarray
    q: np.ndarray
    opening: np.ndarray
    tool: np.ndarray
    aim: np.ndarray
    step: np.ndarray
    stretch: np.ndarray
    ends: np.ndarray
    frames: tuple[np.ndarray, ...]
    sentences: tuple[str, ...] = ()
    digest: str = ""

    def __len__(self) -> int:
        return len(self.step)


class Cache:
    """See the module.

    Args:
        folder: of the cache; made if it is not there.
        windows: what is cut out of the pictures.
        skill: what the episodes of a dataset in others' formats show; logs say it themselves.
    """

    def __init__(self, folder: Path, windows: Sequence[Window], skill: str = "pick"):
        self._folder, self._windows, self._skill = folder, tuple(windows), skill
        folder.mkdir(parents=True, exist_ok=True)

    def fill(self, sources: Iterable[Source], say: Callable[[str], None] = lambda words: None) -> Iterator[Cached]:
        """Each episode that holds a lesson, decoded if it is not there yet."""
        for source in sources:
            place = self._place(source)
            if not place.is_dir():
                with self._alone():
                    if not place.is_dir():
                        say(source.path.name)
                        self._write(place, source)
            if len(cached := read(place)):
                yield cached

    def _place(self, source: Source) -> Path:
        """Its folder, there or not: by all that what is cached of it depends on."""
        what = [FORMAT, [window.to_dict() for window in self._windows]]
        told = what if source.episode is None else [*what, self._skill]
        digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
        return self._folder / f"{source.digest[:16]}-{digest[:12]}"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No other process writes into this cache; however one ends, the next may."""
        lock = os.open(self._folder, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _write(self, place: Path, source: Source) -> None:
        draft = place.with_name(f"{place.name}.part")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        if source.episode is None:
            episode, shown = read_log(source.path)
        else:
            episode, shown = read_trajectory(open_dataset(source.path).episode(source.episode), self._skill)
        _write(draft, source, episode, shown, self._windows)
        draft.rename(place)


def sources_of(path: Path) -> list[Source]:
    """The episodes of a log, a folder of logs (or of demonstrations), or a dataset in LeRobot's format, in order.

    Raises `UnusableDataset` when there is none.
    """
    if path.is_dir() and (path / "meta" / "info.json").is_file():
        told = _digest_of_all(path)
        numbers = range(len(open_dataset(path)))
        return [Source(path, k, hashlib.sha256(f"{told} {k}".encode()).hexdigest()) for k in numbers]
    logs = [path] if path.is_file() else logs_below(path)
    if not logs:
        raise UnusableDataset(f"{path} holds no episode logs (*.mcap) and no dataset: name a folder of collect.py")
    return [Source(log, None, digest_of(digests(parts_beside(log)))) for log in logs]


def _digest_of_all(folder: Path) -> str:
    """Of every file in a folder: numbers and films may change where what describes them stays the same."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return digest_of({file.relative_to(folder).as_posix(): digest_of(digests([file])) for file in files})


def read(place: Path) -> Cached:
    """One episode of the cache."""
    about = json.loads((place / "about.json").read_text(encoding="utf-8"))
    with np.load(place / "numbers.npz", allow_pickle=False) as numbers:
        loaded = {name: numbers[name] for name in _NUMBERS}
    count = about["windows"] if len(loaded["step"]) else 0
    frames = tuple(np.load(place / f"window-{k}.npy", mmap_mode="r", allow_pickle=False) for k in range(count))
    return Cached(
        about["source"], about["spec"], tuple(about["skills"]), tuple(map(tuple, about["words"])), **loaded,
        frames=frames, sentences=tuple(about.get("sentences", ())), digest=about["digest"],
    )


def _write(
    draft: Path, source: Source, episode: Episode, shown: Iterable[Shown], windows: tuple[Window, ...]
) -> None:
    arm = Arm(episode.spec)
    eyes = Eyes(episode.spec, arm, windows)
    rows: dict[str, list] = {name: [] for name in ("q", "opening", "tool", "aim", "step", "stretch")}
    seen: list[list[np.ndarray]] = [[] for _ in windows]
    for step, pictures in shown:
        number = next((k for k, one in enumerate(episode.stretches) if one.first <= step < one.end), None)
        if number is None:
            continue
        if unseen := sorted({window.camera for window in windows} - pictures.keys()):
            raise UnusableDataset(f"{source.path} has no pictures of {', '.join(unseen)}: record it with that camera")
        q, tool = episode.q[step], episode.tool[step]
        aim = _aim(episode.spec, eyes, episode.stretches[number], q)
        for kept, one in zip(seen, eyes.see(pictures, q, tool, aim, margins=True), strict=True):
            kept.append(one)
        values = (q, episode.opening[step], tool, aim, step, number)
        for name, value in zip(rows, values, strict=True):
            rows[name].append(value)
    for k, kept in enumerate(seen):
        if kept:
            np.save(draft / f"window-{k}.npy", np.array(kept), allow_pickle=False)
    ends = np.array([stretch.end for stretch in episode.stretches], int)
    numbers = {name: np.array(values) for name, values in rows.items()}
    np.savez(draft / "numbers.npz", actions=episode.actions, tools=episode.tools(arm), ends=ends, **numbers)
    about = {
        "source": source.path.name, "digest": source.digest, "windows": len(windows), "spec": episode.spec.to_dict(),
        "skills": [stretch.subgoal.skill for stretch in episode.stretches],
        "words": [senses.words_of(stretch.subgoal) for stretch in episode.stretches],
        "sentences": [_sentence(stretch.subgoal) for stretch in episode.stretches],
    }
    (draft / "about.json").write_text(json.dumps(about), encoding="utf-8")


def _sentence(subgoal: Subgoal) -> str:
    return subgoal.instruction or skill_named(subgoal.skill).words(subgoal.arguments)[0]


def _aim(spec: BodySpec, eyes: Eyes, stretch: Stretch, q: np.ndarray) -> np.ndarray:
    point = senses.point_of(stretch.subgoal)
    if point is None:
        return senses.NOWHERE
    return senses.on_plane(point, spec.camera(point.camera), eyes.pose(point.camera, q))
