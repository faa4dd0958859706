"""How the controller stands: mode, latched fault, lease."""

from __future__ import annotations

from collections.abc import Iterator

from machine import Finding

from tandem.bridge.client import Link


def mode(link: Link) -> Iterator[Finding]:
    """Mode and latched fault: its number, its code, and who must clear it."""
    status = link.request("status")
    if fault := status["fault"]:
        detail = f"{status['mode']}: fault {fault['number']}, {fault['code']}: {fault['detail']}"
        yield Finding("mode", "fail", detail, clear_words(link, fault["number"]))
    elif status["mode"] == "IDLE":
        yield Finding("mode", "warn", "IDLE: the arm is not there yet", "switch it on; look at its driver's output")
    else:
        yield Finding("mode", "ok", f"{status['mode']}, no fault")


def lease(link: Link) -> Iterator[Finding]:
    """Who may command now."""
    holder = link.request("status")["holder"]
    if holder:
        yield Finding("lease", "warn", f"{holder} holds it", f"wait for {holder}, or let a supervisor take it over")
    else:
        yield Finding("lease", "ok", "free")


def clear_words(link: Link, number: int) -> str:
    """Who clears a fault, and how."""
    keys = " --keys FOLDER" if link.contact.mine else ""
    call = f"python launch/supervise.py clear {link.contact.endpoint()}{keys} --fault {number}"
    return f"look at the arm and remove the cause; then a person with a supervisor's key clears it: {call}"
