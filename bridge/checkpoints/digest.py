"""Digests of weight files, once for each file and process: what answered must be known, not assumed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path


def digests(files: Sequence[Path]) -> dict[str, str]:
    """sha256 of each file, hex, by file name."""
    return {file.name: _digest(file.resolve(), file.stat().st_mtime_ns, file.stat().st_size) for file in files}


def digest_of(by_name: dict[str, str]) -> str:
    """One digest for all: of a single file its own, of several the sha256 of the lines that `sha256sum` prints."""
    if len(by_name) == 1:
        return next(iter(by_name.values()))
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(by_name.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


@lru_cache(maxsize=1024)
def _digest(file: Path, modified_ns: int, size: int) -> str:
    """Modification time and size are part of the key, so that a file that changed is read again."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
