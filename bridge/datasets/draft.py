"""An output that is there whole or not at all: written beside its place under a hidden name, then renamed.

A killed export leaves its draft; the next one to the same place removes it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tandem.bridge.contract.errors import InvalidOption, UnusableDataset


@contextmanager
def drafted(path: Path | str, *, folder: bool) -> Iterator[Path]:
    """Gives the file or folder to write; what is there becomes `path` on success and is removed otherwise.

    Args:
        path: must not exist.
        folder: make the draft as an empty folder.

    Raises `InvalidOption` when `path` exists, `UnusableDataset` when the disk or the folder does not take it.
    """
    path = Path(path)
    refuse_existing(path)
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path)
        if folder:
            draft.mkdir()
        yield draft
        _publish(draft, path)
    except OSError as reason:
        raise UnusableDataset(
            f"cannot write {path}: {reason.strerror or reason}. Choose a folder that you may write to and that has room"
        ) from reason
    finally:
        _remove(draft)


def refuse_existing(path: Path) -> None:
    """Raise `InvalidOption` when there is something at `path`."""
    if os.path.lexists(path):
        raise InvalidOption(f"{path} exists and is never overwritten: choose another --out, or remove it")


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


def _remove_abandoned(path: Path) -> None:
    for draft in path.parent.glob(f".{path.name}.*.draft"):
        number = draft.name.removeprefix(f".{path.name}.").removesuffix(".draft")
        if number.isdecimal() and not _runs(int(number)):
            _remove(draft)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _remove(draft: Path) -> None:
    if draft.is_dir():
        shutil.rmtree(draft)
    else:
        draft.unlink(missing_ok=True)
