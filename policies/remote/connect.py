"""A remote policy from the words of a command line: "gr00t:tcp://HOST:PORT#MAP"."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tandem.bridge.contract import SKILLS, BodySpec, InvalidOption, SkillSpec
from tandem.policies.remote.gr00t import Gr00tLink
from tandem.policies.remote.link import Link
from tandem.policies.remote.mapping import KeyMap
from tandem.policies.remote.policy import RemotePolicy
from tandem.policies.remote.presets import key_map

FORMS = ("gr00t:tcp://HOST:PORT", "openpi:ws://HOST:PORT", "vla-eval:ws://HOST:PORT")
_ADDRESS = re.compile(
    r"(?P<wire>gr00t|openpi|vla-eval):(?P<address>(?P<scheme>tcp|wss?)://[^\s/#]+:\d{1,5}(?:/[^\s#]*)?)(?:#(?P<map>.+))?"
)
_DEFAULT_MAPS = {"gr00t": "gr00t", "openpi": "droid", "vla-eval": "vla-eval"}


def is_remote(words: str) -> bool:
    """Whether the words name a policy server."""
    found = _ADDRESS.fullmatch(words)
    return found is not None and (found["wire"] == "gr00t") == (found["scheme"] == "tcp")


def remote_policy(
    words: str, spec: BodySpec, *, timeout_s: float = 10.0, token: str | None = None,
    skills: Mapping[str, SkillSpec] = SKILLS, done_s: float | None = None,
) -> RemotePolicy:
    """Connect to a policy server and compare before anything moves.

    Args:
        words: one of `FORMS`, and "#MAP" for another key map than the wire's usual one: a name of `presets.PRESETS`, or
            a TOML file.
        spec: of the body.
        timeout_s: for each message.
        token: of the server, None if it wants none.
        skills: what the server is good for.
        done_s: see `RemotePolicy`.

    Raises:
        InvalidOption, UnknownName: the words name no server or no key map.
        MissingDependency: the library of the wire is not there.
        SpecMismatch, ServerUnresponsive, ServerRefused, Undecodable: as `RemotePolicy`.
    """
    if not is_remote(words):
        raise InvalidOption(f"{words!r} names no policy server; write {' or '.join(FORMS)}, and #MAP for its own keys")
    if not 0 < timeout_s < 3600:
        raise InvalidOption(f"timeout_s must be above 0 and below an hour, got {timeout_s}")
    found = _ADDRESS.fullmatch(words)
    keymap = key_map(found["map"] or _DEFAULT_MAPS[found["wire"]], spec)
    link = _link(found["wire"], found["address"], keymap, timeout_s, token)
    return RemotePolicy(spec, keymap, link, skills=skills, done_s=done_s)


def _link(wire: str, address: str, keymap: KeyMap, timeout_s: float, token: str | None) -> Link:
    if wire == "gr00t":
        return Gr00tLink(address, keymap, timeout_s=timeout_s, token=token)
    if wire == "openpi":
        from tandem.policies.remote.openpi import OpenpiLink

        return OpenpiLink(address, keymap, timeout_s=timeout_s, token=token)
    from tandem.policies.remote.vla_eval import VlaEvalLink

    return VlaEvalLink(address, keymap, timeout_s=timeout_s)
