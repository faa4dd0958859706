"""A file that is there whole or not at all: written under another name beside it, then renamed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tandem.bridge.contract.errors import LogUnwritable


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives the name to write to; what is there becomes `path` on success and is removed otherwise.

    Raises `LogUnwritable` when the disk or the folder does not take it.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        os.replace(part, path)
    except OSError as reason:
        raise LogUnwritable(
            f"cannot write {path}: {reason.strerror or reason}. Choose a folder that exists and has room"
        ) from reason
    finally:
        part.unlink(missing_ok=True)
