"""Keys and the allow-list: who may reach a controller, and as what.

A folder of keys holds, for each name, a pair in ZeroMQ's certificate format (`NAME.key` public, `NAME.key_secret`), and
`allowed.toml`, which gives a role to each public key that the controller lets in. Secrets and the list are for their
owner's eyes alone (mode 0600); others are refused.
"""

from __future__ import annotations

import json
import os
import re
import stat
import tomllib
from dataclasses import dataclass
from pathlib import Path

import zmq.auth

from tandem.bridge.contract.errors import InvalidOption, TandemError
from tandem.bridge.roles import Role, role_named

CONTROLLER = "controller"
ALLOWED = "allowed.toml"
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_KEY_LENGTH = 40  # of a CURVE key in z85


class KeyProblem(TandemError):
    """A key or the allow-list is missing, damaged, or readable by others."""


@dataclass(frozen=True)
class KeyPair:
    """One side's long-term CURVE key, z85 text.

    Attributes:
        name: whose it is.
        public: may be known by everybody.
        secret: never shown, never logged.
    """

    name: str
    public: str
    secret: str

    def __repr__(self) -> str:
        return f"KeyPair({self.name!r}, {self.public!r}, secret=...)"


@dataclass(frozen=True)
class Allowed:
    """One line of the allow-list."""

    name: str
    role: Role
    public: str


def make_pair(folder: Path, name: str) -> KeyPair:
    """A new pair in the folder, which is made if need be. Raises `InvalidOption` for a name that is taken or unfit."""
    if not _NAME.fullmatch(name):
        raise InvalidOption(f"{name!r} is no name for a key: small letters, digits, - and _, a letter first")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if (folder / f"{name}.key_secret").exists():
        raise InvalidOption(f"{folder / name}.key_secret exists; revoke it first, or choose another name")
    mask = os.umask(0o077)
    try:
        public, secret = zmq.auth.create_certificates(folder, name)
    finally:
        os.umask(mask)
    for path in (public, secret):
        Path(path).chmod(0o600)
    return load_pair(folder, name)


def load_pair(folder: Path, name: str) -> KeyPair:
    """The pair of that name. Raises `KeyProblem`."""
    path = folder / f"{name}.key_secret"
    _check_private(path)
    try:
        public, secret = zmq.auth.load_certificate(path)
    except (OSError, ValueError) as reason:
        raise KeyProblem(f"{path} is no key: {reason}. Make one with: python launch/keys.py make {name}") from reason
    if secret is None:
        raise KeyProblem(f"{path} holds no secret key. Make one with: python launch/keys.py make {name}")
    if _public_of(secret) != public:
        raise KeyProblem(f"{path}: its two keys are no pair, nobody could connect. Put the file back as it was made, "
                         f"or delete it and make one with: python launch/keys.py make {name}")
    return KeyPair(name, public.decode(), secret.decode())


def _public_of(secret: bytes) -> bytes:
    """What belongs to a secret key (z85); nothing when it is none."""
    try:
        return zmq.curve_public(secret)
    except (zmq.ZMQError, ValueError):
        return b""


def load_public(path: Path) -> str:
    """The public key in a `NAME.key` file. Raises `KeyProblem`."""
    try:
        return zmq.auth.load_certificate(path)[0].decode()
    except (OSError, ValueError) as reason:
        raise KeyProblem(f"{path} is no public key: {reason}. Copy the controller's controller.key there") from reason


def load_allowed(folder: Path) -> dict[str, Allowed]:
    """The allow-list by public key. Raises `KeyProblem` or `UnknownName` (a role)."""
    path = folder / ALLOWED
    _check_private(path)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        rows = [Allowed(name, role_named(row["role"]), row["key"]) for name, row in table.items()]
    except (tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError) as reason:
        words = f"{path} is no allow-list: {reason}. Each line: name = {{ role = ..., key = ... }}"
        raise KeyProblem(words) from reason
    for row in rows:
        if not isinstance(row.public, str) or len(row.public) != _KEY_LENGTH:
            raise KeyProblem(f"{path}: the key of {row.name} is no CURVE key of {_KEY_LENGTH} characters")
    listed: dict[str, Allowed] = {}
    for row in rows:
        if (other := listed.setdefault(row.public, row)) is not row:
            raise KeyProblem(f"{path}: {other.name} and {row.name} have the same key; a key has one name and one role: "
                             "take one of the lines out")
    return listed


def allow(folder: Path, name: str, role: Role, public: str) -> None:
    """Let a key in as a role, or change its role. Raises `InvalidOption` for one that is listed by another name."""
    rows = _listed(folder)
    for row in rows.values():
        if row.public == public and row.name != name:
            raise InvalidOption(f"this key is on the list already, as {row.name!r}; revoke that first")
    rows[name] = Allowed(name, Role(role), public)
    _write_allowed(folder, rows)


def revoke(folder: Path, name: str) -> None:
    """Let a key in no more. Raises `InvalidOption` when it was not."""
    rows = _listed(folder)
    if name not in rows:
        raise InvalidOption(f"{name!r} is not on the list; on it: {', '.join(rows) or 'nobody'}")
    del rows[name]
    _write_allowed(folder, rows)


def _listed(folder: Path) -> dict[str, Allowed]:
    if not (folder / ALLOWED).exists():
        return {}
    return {row.name: row for row in load_allowed(folder).values()}


def _write_allowed(folder: Path, rows: dict[str, Allowed]) -> None:
    lines = [f"{json.dumps(row.name)} = {{ role = {json.dumps(str(row.role))}, key = {json.dumps(row.public)} }}\n"
             for row in rows.values()]
    path = folder / ALLOWED
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("# Who may reach the controller, and as what: observer, commander or supervisor.\n" + "".join(lines))
    fresh.replace(path)


def _check_private(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except OSError as reason:
        raise KeyProblem(f"{path}: {reason.strerror}. {_remedy(path)}") from reason
    if stat.S_IMODE(mode) & 0o077:
        raise KeyProblem(f"{path} can be read by others (mode {stat.S_IMODE(mode):04o}); run: chmod 600 {path}")


def _remedy(path: Path) -> str:
    """How to make a pair that is missing: the first ones together, further ones by their name."""
    if (path.parent / f"{CONTROLLER}.key_secret").exists():
        return f"Make this one with: python launch/keys.py make {path.stem}, or name another with --key"
    return "Make keys with: python launch/keys.py init"
