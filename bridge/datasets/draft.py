"""An output that is there whole or not at all: written in a hidden folder beside its place, then renamed.

A killed export leaves its hidden folder; the next one to the same place removes it. A lock, which ends with the process
that holds it, tells an abandoned one from one that is being written.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tandem.bridge.contract.errors import InvalidOption, UnusableDataset

_SUFFIX = ".draft"


@contextmanager
def drafted(path: Path | str, *, folder: bool) -> Iterator[Path]:
    """Gives the file or folder to write; what is there becomes `path` on success and is removed otherwise.

    Args:
        path: must not exist.
        folder: give an empty folder, else the name of a file to make.

    Raises `InvalidOption` when `path` exists, `UnusableDataset` when the disk or the folder does not take it.
    """
    path = Path(path)
    refuse_existing(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path)
        with _hidden(path) as hidden:
            draft = hidden / path.name
            if folder:
                draft.mkdir()
            yield draft
            _publish(draft, path)
    except OSError as reason:
        raise UnusableDataset(
            f"cannot write {path}: {reason.strerror or reason}. Choose a folder that you may write to and that has room"
        ) from reason


def refuse_existing(path: Path) -> None:
    """Raise `InvalidOption` when there is something at `path`."""
    if os.path.lexists(path):
        raise InvalidOption(f"{path} exists and is never overwritten: choose another --out, or remove it")


@contextmanager
def _hidden(path: Path) -> Iterator[Path]:
    hidden = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=_SUFFIX, dir=path.parent))
    lock = os.open(hidden, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield hidden
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
        os.close(lock)


def _remove_abandoned(path: Path) -> None:
    for hidden in path.parent.glob(f".{path.name}.*{_SUFFIX}"):
        lock = os.open(hidden, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(hidden)
        except BlockingIOError:
            continue  # somebody is writing it
        finally:
            os.close(lock)


def _publish(draft: Path, path: Path) -> None:
    """Everything on the disk first, then the name, which nothing that appeared meanwhile may have."""
    for file in [draft] if draft.is_file() else [entry for entry in draft.rglob("*") if entry.is_file()]:
        _settle(file)
    if draft.is_file():
        os.link(draft, path)
    else:
        os.rename(draft, path)
    _settle(path.parent)


def _settle(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
