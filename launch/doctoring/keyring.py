"""This side's keys as they lie on the disk, and whether the controller is guarded as it must be."""

from __future__ import annotations

import re
import stat
from pathlib import Path

from machine import Finding

from tandem.bridge.contract import TandemError
from tandem.bridge.keys import ALLOWED, CONTROLLER, Allowed, load_allowed, load_pair, load_public
from tandem.bridge.security import is_loopback

_GET_KEYS = "on the controller's computer: python launch/keys.py init; copy NAME.key_secret and controller.key here"


def key_files(folder: Path | None, name: str, host: str) -> Finding:
    """The folder's and the files' modes, and which key it is."""
    if folder is None:
        if is_loopback(host):
            return Finding("keys", "ok", "none: plain, this computer only")
        detail = f"none, and {host} is not this computer: only a guarded controller may be reached there"
        return Finding("keys", "fail", detail, f"--keys FOLDER --key NAME ({_GET_KEYS})")
    if not folder.is_dir():
        return Finding("keys", "fail", f"there is no folder {folder}", _GET_KEYS)
    try:
        load_pair(folder, name)
        load_public(folder / f"{CONTROLLER}.key")
    except TandemError as reason:
        words, *advice = re.split(r"; run: |\. (?=Make|Copy)", str(reason))
        remedy = advice[0] if "can be read by others" in words else ""
        others = sorted(path.stem for path in folder.glob("*.key_secret") if path.stem != CONTROLLER)
        remedy = remedy or f"--key with one of: {', '.join(others) or 'none here'}; {_GET_KEYS}"
        return Finding("keys", "fail", words, remedy)
    return _modes(folder, name, host)


def _modes(folder: Path, name: str, host: str) -> Finding:
    mode = stat.S_IMODE(folder.stat().st_mode)
    detail = f"{name}.key_secret (mode {_mode(folder / f'{name}.key_secret')}) in {folder} (mode {mode:04o})"
    if mode & 0o022:
        return Finding("keys", "fail", f"{detail}: others may put their own keys there", f"chmod 700 {folder}")
    if mode & 0o077:
        return Finding("keys", "warn", f"{detail}: others may look in", f"chmod 700 {folder}")
    secret = folder / f"{CONTROLLER}.key_secret"
    if secret.exists() and not is_loopback(host):
        detail = f"{detail}; the controller's own secret lies there as well"
        return Finding("keys", "warn", detail, f"it belongs on {host} alone: remove {secret} here")
    return Finding("keys", "ok", detail)


def _mode(path: Path) -> str:
    return f"{stat.S_IMODE(path.stat().st_mode):04o}"


def guard(mechanism: str, folder: Path | None, host: str) -> Finding:
    """Whether both sides agree on keys."""
    if mechanism == "CURVE" and folder is None:
        return Finding("guard", "fail", "the controller is guarded (CURVE), and this side has no key",
                       f"--keys FOLDER --key NAME ({_GET_KEYS})")
    if mechanism == "NULL" and folder is not None:
        return Finding("guard", "fail", "the controller is plain, and this side has keys",
                       "leave --keys out, or start the controller with --keys")
    if mechanism == "NULL" and not is_loopback(host):
        return Finding("guard", "fail", f"plain at {host}: whoever reaches it may move the arm",
                       "start the controller with --keys")
    return Finding("guard", "ok", "CURVE on both sides" if folder else "plain on both sides, on this computer only")


def listed(folder: Path | None, name: str) -> Allowed | None:
    """This key's line in the allow-list beside it; None when there is no such list or line."""
    if folder is None or not (folder / ALLOWED).exists():
        return None
    try:
        return load_allowed(folder).get(load_pair(folder, name).public)
    except TandemError:
        return None
