"""What an episode needs of this machine: one function per check, each giving one finding with its remedy.

Used by `doctor.py`. It imports nothing of Tandem and nothing that may be missing, so that it can say what is.
"""

import ctypes
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from itertools import pairwise
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements.lock"
EPISODE_EXTRAS = ("bridge", "sim", "motion", "log", "launch")
SETUP = "make setup"

_MIN_PYTHON = (3, 11)
_MIN_FREE_GB = {"fail": 0.5, "warn": 5.0}
_RENDER_TIMEOUT_S = 120
_GL_LIBRARY = {
    "egl": ("libEGL.so.1", "sudo apt install libegl1 libgl1-mesa-dri"),
    "osmesa": ("libOSMesa.so.8", "sudo apt install libosmesa6"),
}
_RENDER_ONE_FRAME = """
import time, mujoco
from OpenGL.GL import GL_RENDERER, glGetString
model = mujoco.MjModel.from_xml_string(
    '<mujoco><visual><quality shadowsize="0" offsamples="0"/></visual>'
    '<worldbody><light pos="0 0 2"/><geom type="sphere" size=".3"/></worldbody></mujoco>')
data = mujoco.MjData(model)
mujoco.mj_forward(model, data)
renderer = mujoco.Renderer(model, 224, 224)
renderer.update_scene(data)
renderer.render()
begin = time.perf_counter()
frame = renderer.render()
elapsed_ms = 1e3 * (time.perf_counter() - begin)
assert frame.std() > 1, 'the frame is empty'
print('FRAME', round(elapsed_ms, 1), glGetString(GL_RENDERER).decode(), flush=True)
renderer.close()
"""


@dataclass(frozen=True)
class Finding:
    """The outcome of one check.

    Attributes:
        name: what was looked at.
        status: `ok`, `warn` (an episode runs) or `fail` (an episode cannot run).
        detail: what was found.
        remedy: a command or an action that changes it; empty when all is well.
    """

    name: str
    status: str
    detail: str
    remedy: str = ""


def python() -> Finding:
    """The interpreter is new enough."""
    found = f"{platform.python_version()} at {sys.executable}"
    if sys.version_info < _MIN_PYTHON:
        return Finding("python", "fail", found, "sudo apt install python3.11 python3.11-venv, then make setup")
    return Finding("python", "ok", found)


def packages(lock: Path = LOCK) -> Finding:
    """What an episode imports is installed, at the versions of the lock."""
    if not lock.exists():
        return Finding("packages", "warn", f"no {lock.name} to compare with", "run the doctor in a clone of Tandem")
    try:
        needed = sorted(_needed("tandem", EPISODE_EXTRAS))
    except metadata.PackageNotFoundError:
        return Finding("packages", "fail", "tandem is not installed in this environment", SETUP)
    locked = dict(re.findall(r"^([\w.-]+)==(\S+)", lock.read_text(), flags=re.MULTILINE))
    installed = {name: _version(name) for name in needed}
    missing = [name for name in needed if installed[name] is None]
    if missing:
        return Finding("packages", "fail", f"missing: {', '.join(missing)}", SETUP)
    differing = [f"{name} {installed[name]} (lock: {locked.get(name, 'none')})" for name in needed
                 if installed[name] != locked.get(name)]  # fmt: skip
    if differing:
        return Finding("packages", "warn", f"not as in the lock: {', '.join(differing)}", SETUP)
    return Finding("packages", "ok", f"{len(needed)} packages at the locked versions, mujoco {installed['mujoco']}")


def rendering() -> Finding:
    """The GL backend renders one frame, tried in a process of its own because a broken driver may kill it."""
    backend = os.environ.get("MUJOCO_GL") or "egl"
    library, install = _GL_LIBRARY.get(backend, ("", "MUJOCO_GL=egl (no display needed), osmesa or glfw"))
    try:
        run = subprocess.run(
            [sys.executable, "-c", _RENDER_ONE_FRAME], env=os.environ | {"MUJOCO_GL": backend},
            capture_output=True, text=True, timeout=_RENDER_TIMEOUT_S, check=False)  # fmt: skip
    except subprocess.TimeoutExpired:
        return Finding("rendering", "fail", f"{backend}: no frame within {_RENDER_TIMEOUT_S} s", install)
    if frame := re.search(r"^FRAME (\S+) (.*)$", run.stdout, flags=re.MULTILINE):
        return Finding("rendering", "ok", f"{backend}: 224x224 in {frame[1]} ms on {frame[2]}")
    if "No module named" in run.stderr:
        return Finding("rendering", "fail", "mujoco is not installed", SETUP)
    if library and not _loads(library):
        return Finding("rendering", "fail", f"{backend}: system library {library} is missing", install)
    errors = [line for line in run.stderr.splitlines() if re.match(r"\w*(Error|Exception)\b", line)]
    reason = errors[0] if errors else f"the process ended with code {run.returncode}"
    return Finding("rendering", "fail", f"{backend}: {reason}", f"{install}; or another backend in MUJOCO_GL")


def gpu() -> Finding:
    """An NVIDIA GPU and its memory, if there is one; an episode without a model needs none."""
    try:
        run = subprocess.run(
            ["nvidia-smi", "--query-gpu=name,memory.total,memory.free,driver_version", "--format=csv,noheader,nounits"],
            capture_output=True, text=True, timeout=30, check=True)  # fmt: skip
    except FileNotFoundError:
        return Finding("gpu", "ok", "none: the embedded model, the scripted planner and the motion policy need none")
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        return Finding("gpu", "warn", f"nvidia-smi fails: {error}", "reload the NVIDIA driver, or reboot")
    rows = [row.split(", ") for row in run.stdout.strip().splitlines()]
    described = [f"{name}, {int(free) / 1024:.1f} of {int(total) / 1024:.1f} GiB free, driver {driver}"
                 for name, total, free, driver in rows]  # fmt: skip
    return Finding("gpu", "ok", "; ".join(described) or "none")


def disk(folder: Path) -> Finding:
    """There is room for logs: an episode with images and video takes some tens of megabytes."""
    free_gb = shutil.disk_usage(_existing(folder)).free / 1e9
    found = f"{free_gb:.1f} GB free for {folder}"
    for status, limit_gb in _MIN_FREE_GB.items():
        if free_gb < limit_gb:
            return Finding("disk", status, found, f"free {limit_gb:g} GB, or choose another --log-dir")
    return Finding("disk", "ok", found)


def clock() -> Finding:
    """The monotonic clock is fine enough for a control loop, and the wall clock is not years off."""
    resolution_s = time.get_clock_info("monotonic").resolution
    stamps = [time.monotonic_ns() for _ in range(1000)]
    steps = [later - earlier for earlier, later in pairwise(stamps) if later > earlier]
    tick_us = min(steps, default=int(1e9)) / 1e3
    today = datetime.now(UTC)
    found = f"monotonic ticks of {tick_us:.2f} us, wall clock {today:%Y-%m-%d %H:%M} UTC"
    if resolution_s > 1e-3 or tick_us > 1e3:
        return Finding("clock", "fail", found, "choose a better clock source (/sys/devices/system/clocksource)")
    if not 2025 <= today.year < 2100:
        return Finding("clock", "warn", found, "sudo timedatectl set-ntp true")
    return Finding("clock", "ok", found)


def log_folder(folder: Path) -> Finding:
    """Logs can be written; nothing is left behind."""
    if folder.exists() and not folder.is_dir():
        return Finding("log folder", "fail", f"{folder} is a file", "remove it, or choose another --log-dir")
    parent = _existing(folder)
    try:
        with tempfile.TemporaryFile(dir=parent) as probe:
            probe.write(b"tandem")
            probe.flush()
    except OSError as error:
        remedy = f"chown or chmod {parent}, or choose another --log-dir"
        return Finding("log folder", "fail", f"cannot write to {parent}: {error.strerror}", remedy)
    return Finding("log folder", "ok", f"{folder} can be written" + ("" if folder.exists() else " (it will be made)"))


def examine(folder: Path) -> Iterator[Finding]:
    """Every check in turn; logs go to `folder`."""
    yield python()
    yield packages()
    yield rendering()
    yield gpu()
    yield disk(folder)
    yield clock()
    yield log_folder(folder)


def _needed(distribution: str, extras: tuple[str, ...]) -> set[str]:
    """Names of everything that a distribution with these extras requires here, transitive ones included."""
    names, queue = set(), [(distribution, frozenset(extras))]
    seen = set(queue)
    while queue:
        name, wanted = queue.pop()
        for requirement in map(Requirement, metadata.requires(name) or ()):
            if not _applies(requirement, wanted):
                continue
            dependency = canonicalize_name(requirement.name)
            names.add(dependency)
            entry = (dependency, frozenset(requirement.extras))
            if entry not in seen and _version(dependency) is not None:
                seen.add(entry)
                queue.append(entry)
    return names - {distribution}


def _applies(requirement: Requirement, extras: frozenset[str]) -> bool:
    if requirement.marker is None:
        return True
    return any(requirement.marker.evaluate({"extra": extra}) for extra in (*extras, ""))


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _existing(folder: Path) -> Path:
    """The folder itself, or the nearest one above it that exists."""
    absolute = folder.absolute()
    return next(parent for parent in (absolute, *absolute.parents) if parent.is_dir())
