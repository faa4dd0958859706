"""The exact commands that open an episode again, safe to paste whatever a file is called."""

from __future__ import annotations

import shlex
from pathlib import Path


def commands(log: Path) -> list[tuple[str, str]]:
    """What each does, and the command."""
    name = str(log)
    path = shlex.quote(f"./{name}" if name.startswith("-") else name)
    return [
        ("what the log holds", f"python launch/log.py info {path}"),
        ("render its states again", f"python launch/replay.py {path} --mode state"),
        ("simulate its commands again", f"python launch/replay.py {path} --mode physics"),
        ("ask the policy again", f"python launch/replay.py {path} --mode policy"),
        ("ask the planner again", f"python launch/replay.py {path} --mode planner"),
    ]
