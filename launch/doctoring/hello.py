"""The handshake and the first words, and why they fail."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import zmq
from doctoring.keyring import listed
from machine import Finding

from tandem.bridge.client import Contact, Link
from tandem.bridge.contract import TandemError
from tandem.bridge.keys import ALLOWED
from tandem.bridge.roles import Role
from tandem.bridge.wire import REMEDIES, VERSION, Refused

# What a link says of a handshake that failed (it reads ZeroMQ's socket monitor), and what to do.
_REMEDIES = {
    "does not let this key in": "on the controller's computer: python launch/keys.py make NAME, copy NAME.key_secret "
                                "here, start the controller again",
    "wrong controller.key": "copy controller.key from the controller's own folder of keys again",
    "is guarded": "--keys FOLDER --key NAME",
    "no connection": "is this the port of its control socket? The controller prints it when it starts",
}


def explained(name: str, reason: Exception) -> Finding:
    """A finding of whatever the bridge raised."""
    if isinstance(reason, Refused):
        return Finding(name, "fail", f"{reason.code}: {reason.detail}", REMEDIES[reason.code])
    words = str(reason)
    remedy = next((remedy for sign, remedy in _REMEDIES.items() if sign in words), "look at the controller's output")
    return Finding(name, "fail", f"{type(reason).__name__}: {words}", remedy)


def connect(contact: Contact) -> Link | Finding:
    """A link, or why there is none."""
    try:
        return Link(contact, name="doctor")
    except (TandemError, zmq.ZMQError) as reason:
        return explained("hello", reason)


def role(link: Link, folder: Path | None, key: str) -> Iterator[Finding]:
    """Who this side is, as the controller sees it."""
    told = link.welcome
    detail = f"{told['security']}; you are {told['name']} with the role {told['role']}"
    here = listed(folder, key)
    if here is not None and here.role != told["role"]:
        detail += f", but {ALLOWED} in {folder} says {here.role}"
        yield Finding("hello", "warn", detail, "start the controller again: it reads the list when it starts")
    elif told["role"] == Role.OBSERVER:
        remedy = "--key with one that is a commander or supervisor (python launch/keys.py list)"
        yield Finding("hello", "warn", f"{detail}: it may look and stop, and command nothing", remedy)
    else:
        yield Finding("hello", "ok", detail)


def controller(link: Link) -> Iterator[Finding]:
    """Version, session, driver and body."""
    told = link.welcome
    about = ", ".join(f"{name} {value}" for name, value in told["about"].items()) or "tells nothing about its driver"
    offers = f"; offers {', '.join(link.extensions)}" if link.extensions else ""
    detail = f"{link.spec.robot}, protocol {told['version']}, session {link.session}, {about}{offers}"
    if told["version"] != VERSION:
        yield Finding("controller", "fail", detail, f"this side speaks {VERSION}: install the same release on both")
    elif told["digest"] != link.spec.digest():
        yield Finding("controller", "warn", f"{detail}; its digest is not its specification's",
                      "take sha256 of the canonical JSON (bridge/PROTOCOL.md, section 3)")
    else:
        yield Finding("controller", "ok", detail)
