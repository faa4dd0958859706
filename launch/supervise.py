"""What a person who stands by an arm may do over the bridge: see how it stands, stop it, clear a fault, take it over.

    python launch/supervise.py status tcp://arm:7000 --keys keys
    python launch/supervise.py stop tcp://arm:7000 --keys keys --reason "a hand in the way"
    python launch/supervise.py clear tcp://arm:7000 --keys keys             # shows the fault, and asks
    python launch/supervise.py clear tcp://arm:7000 --keys keys --fault 3   # one that you have looked at
    python launch/supervise.py take tcp://arm:7000 --keys keys              # nobody else commands until Ctrl-C

Nothing here moves the arm. The software stop is no emergency stop. Exit code 1 when the arm is in a fault, or was left
in one, and when what was taken is somebody else's again.
"""

import sys
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from script import run

from tandem.bridge.client import Contact, Link
from tandem.bridge.contract import BodyStopped, BodyUnresponsive, InvalidOption

_LOOK_S = 0.2


@dataclass(frozen=True)
class Reached(ABC):
    """A controller, and as whom it is reached."""

    endpoint: tyro.conf.Positional[str]
    """tcp://HOST:PORT of its control socket."""
    keys: Path | None = None
    """Folder of keys, for a guarded controller."""
    key: str = "supervisor"
    """A supervisor's key in it; to look and to stop, any."""

    def run(self) -> int:
        link = Link(Contact.at(self.endpoint, keys=self.keys, key=self.key), name="supervisor")
        try:
            return self.act(link)
        finally:
            link.close()

    @abstractmethod
    def act(self, link: Link) -> int:
        """Do it; the exit code."""


class Status(Reached):
    """How the arm stands, and who commands it."""

    def act(self, link: Link) -> int:
        status = link.request("status")
        print(f"{link.spec.robot}: {status['mode']}, {status['holder'] or 'nobody'} holds the lease")
        if fault := status["fault"]:
            print(_words(fault))
        return 1 if fault else 0


@dataclass(frozen=True)
class Stop(Reached):
    """Decelerate the arm within its limits, and let it stand until the fault that this latches is cleared."""

    reason: str = "stopped by a person"
    """What those who find it standing are told."""

    def act(self, link: Link) -> int:
        number = link.stop(self.reason)
        print(f"stopped. It stands until a supervisor clears fault {number}")
        return 0


@dataclass(frozen=True)
class Clear(Reached):
    """Clear a latched fault, having looked at the arm and removed the cause."""

    fault: int | None = None
    """Number of the fault that you have looked at; without it you are shown the fault and asked."""

    def act(self, link: Link) -> int:
        fault = link.request("status")["fault"]
        if not fault:
            print("no fault")
            return 0
        number = fault["number"] if self.fault is None else self.fault
        if self.fault is None and not _seen_to(fault):
            print("not cleared")
            return 1
        link.clear(number)
        print(f"fault {number} is cleared; every lease has ended, nothing goes on by itself")
        return 0


class Take(Reached):
    """Take the lease from whoever holds it: a moving arm stops. It is held, and nothing moved, until Ctrl-C."""

    def act(self, link: Link) -> int:
        before = link.request("status")["holder"]
        grant = link.acquire(force=True)
        print(f"yours; {before or 'nobody'} held it before. Nobody else commands until Ctrl-C", flush=True)
        try:
            while True:
                time.sleep(_LOOK_S)
                status = link.request("status")
                if fault := status["fault"]:
                    raise BodyStopped(_words(fault))
                if status.lease != grant.token:
                    grant = None  # nothing is left to give back
                    raise BodyStopped(_lost(status["holder"]))
        except KeyboardInterrupt:
            print("given back")
            return 0
        finally:
            link.leave(grant)


def _words(fault: dict) -> str:
    return f"fault {fault['number']}, {fault['code']}: {fault['detail']}"


def _lost(holder: str) -> str:
    return (
        f"the lease is no longer yours: {holder or 'nobody'} holds it, and the arm may move. Take it again "
        "(launch/supervise.py take), or stop the arm (launch/supervise.py stop)"
    )


def _seen_to(fault: dict) -> bool:
    print(_words(fault))
    if not sys.stdin.isatty():
        raise InvalidOption(f"nobody is asked here; look at the arm, then give --fault {fault['number']}")
    return input(f"Look at the arm and remove the cause. Type {fault['number']} to clear the fault: ").strip() == str(
        fault["number"]
    )


Command = (
    Annotated[Status, tyro.conf.subcommand("status")]
    | Annotated[Stop, tyro.conf.subcommand("stop")]
    | Annotated[Clear, tyro.conf.subcommand("clear")]
    | Annotated[Take, tyro.conf.subcommand("take")]
)

if __name__ == "__main__":
    run(lambda: tyro.cli(Command, description=__doc__).run(), failures=(BodyStopped, BodyUnresponsive), orderly=True)
