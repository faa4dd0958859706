"""What is needed to make an episode again: versions, machine, command line, code, and what the caller adds.

Reads metadata only. No library is imported to learn its version.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Any

LIBRARIES = (
    "tandem", "numpy", "mujoco", "gymnasium", "mink", "daqp", "ruckig", "scipy", "opencv-python-headless", "mcap",
    "foxglove-sdk", "protobuf", "av", "torch", "torchvision", "transformers", "xgrammar", "safetensors", "pyzmq",
    "msgpack",
)
ENVIRONMENT = (
    "MUJOCO_GL", "PYOPENGL_PLATFORM", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "CUBLAS_WORKSPACE_CONFIG",
)
_GIT_S = 5.0


def manifest(**given: Any) -> dict[str, Any]:
    """Everything known about this process, then what is given (seeds, resolved options, models), plain types.

    A given name replaces one of the same name, so a caller that knows better has the last word.
    """
    return {
        "started": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "python": platform.python_version(),
        "versions": versions(LIBRARIES),
        "platform": platform.platform(),
        "cpu": _cpu(),
        "cpus": os.cpu_count(),
        "environment": {name: os.environ.get(name) for name in ENVIRONMENT},
        "argv": list(sys.argv),
        "git": dict(_git(Path(__file__).parent)),
        "torch": _determinism(sys.modules.get("torch")),
        **given,
    }


def versions(names: Iterable[str]) -> dict[str, str | None]:
    """Version of each distribution, None for one that is not installed."""
    return {name: _version(name) for name in names}


@cache
def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


@cache
def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


@cache
def _git(folder: Path) -> tuple[tuple[str, Any], ...]:
    ours = _ask_git(folder, "ls-files", "--error-unmatch", Path(__file__).name)  # else: some repository around us
    commit = _ask_git(folder, "rev-parse", "HEAD") if ours else None
    changes = _ask_git(folder, "status", "--porcelain", "--untracked-files=no") if commit else None
    diff = _run_git(folder, "diff", "--binary", "HEAD") if changes else None
    return (
        ("commit", commit or None), ("dirty", None if changes is None else bool(changes)),
        ("diff_sha256", None if diff is None else sha256(diff).hexdigest()),  # of `git diff --binary HEAD`
    )


def _determinism(torch: Any) -> dict[str, Any] | None:
    """What decides whether torch computes the same again; None when nobody has loaded it."""
    if torch is None:
        return None
    cudnn = torch.backends.cudnn
    return {
        "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
        "warn_only": torch.is_deterministic_algorithms_warn_only_enabled(),
        "cudnn_deterministic": cudnn.deterministic, "cudnn_benchmark": cudnn.benchmark,
        "cuda_tf32": torch.backends.cuda.matmul.allow_tf32, "cudnn_tf32": cudnn.allow_tf32,
        "float32_matmul_precision": torch.get_float32_matmul_precision(), "threads": torch.get_num_threads(),
    }


def _ask_git(folder: Path, *arguments: str) -> str | None:
    """What git answers, None where there is no git or no repository."""
    answer = _run_git(folder, *arguments)
    return None if answer is None else answer.decode(errors="replace").strip()


def _run_git(folder: Path, *arguments: str) -> bytes | None:
    try:
        answer = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, timeout=_GIT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout
