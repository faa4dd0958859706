"""Starts a peer's script under the peer's own Python and reads the JSON lines that it prints."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

SCRIPTS = Path(__file__).parent.parent / "peers"
LIMIT_S = 300


def python_of(peer: str) -> Path | None:
    """The interpreter of an installed peer, None if it is not installed (`make peers`)."""
    home = Path(os.environ.get("TANDEM_PEERS", Path.home() / ".cache" / "tandem-peers"))
    python = home / peer / "bin" / "python"
    return python if python.exists() else None


def run_peer(peer: str, script: str, *arguments: str) -> list[dict]:
    """What the script printed, one object a line; empty when the peer is not installed. Raises if the peer fails."""
    python = python_of(peer)
    if python is None:
        return []
    done = subprocess.run(
        [python, SCRIPTS / script, *arguments], capture_output=True, text=True, timeout=LIMIT_S, check=False,
        env={**os.environ, "MUJOCO_GL": os.environ.get("MUJOCO_GL", "egl")},
    )
    if done.returncode:
        raise RuntimeError(f"the peer {peer} failed:\n{done.stderr[-2000:]}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def peer_rates(peer: str, script: str, seconds: float) -> dict[str, float]:
    """Steps per second without an image and with one of 224x224; empty when the peer is not installed."""
    names = {0: "steps_per_s_no_image", 1: "steps_per_s_1x224"}
    return {names[row["images_224"]]: row["steps_per_s"] for row in run_peer(peer, script, str(seconds))}
