"""What a long benchmark has finished, on disk: stopped with Ctrl-C, it goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tandem.bridge.contract import InvalidOption


class Journal:
    """Results by key, one JSON line each; without a path they are kept in memory only.

    Args:
        path: of the file, made when the first result comes. A line cut short by a crash is left out.
    """

    def __init__(self, path: Path | None):
        self._path, self._known = path, {}
        if path is None:
            return
        try:
            lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        except (OSError, ValueError) as reason:
            raise InvalidOption(f"cannot go on from {path}: {reason}; choose another file with --journal") from reason
        for line in lines:
            try:
                row = json.loads(line)
                self._known[_text(row["key"])] = row["result"]
            except (ValueError, KeyError, TypeError):
                continue

    def find(self, key: Mapping[str, Any]) -> dict[str, Any] | None:
        """The result of that key, None if it is not there yet."""
        return self._known.get(_text(key))

    def add(self, key: Mapping[str, Any], result: dict[str, Any]) -> None:
        """Write a result down, at once."""
        self._known[_text(key)] = result
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"key": key, "result": result}) + "\n")


def _text(key: Mapping[str, Any]) -> str:
    return json.dumps(key, sort_keys=True)
