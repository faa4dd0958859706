"""What an arm does by itself: it stops when no more setpoints come, and does not go on before it was told of that.

A stop by the driver acknowledges what is wrong; the words go once the cause is gone, too. The first setpoint after that
moves the arm again. Before the first setpoint after `rest` the arm just holds: nothing is missing yet.
"""

from __future__ import annotations

from tandem.sim.plant.exchange import Command

SILENCE_NS = 50_000_000
SILENCE_WORDS = "the arm stopped by itself: no setpoint for 50 ms"


class Reflex:
    """Decides in every turn whether the arm follows its setpoint or brakes and holds.

    Args:
        tick_ns: ns from one turn to the next.

    Attributes:
        fault: what the arm reports, "" when all is well.
    """

    def __init__(self, tick_ns: int):
        self._most = 2 * tick_ns  # of a turn that count as silence: the rest of a gap was this side's own absence
        self._writes = self._stops = self._last = 0
        self.rest()

    def rest(self) -> None:
        """Hold without a fault until the next setpoint."""
        self.fault, self._until, self._acknowledged = "", 0, False
        self._following, self._silent = False, 0

    def trip(self, fault: str, until: int = 0) -> None:
        """Brake, and report this at least until that time, ns, and until the driver has acknowledged it."""
        self.fault, self._until, self._acknowledged, self._following = fault, until, False, False

    def follows(self, command: Command | None, now: int) -> bool:
        """Whether the arm follows its setpoint in this turn, at `now` ns; it brakes and holds if not."""
        passed, self._last = min(now - self._last, self._most), now
        if command is None:
            return False
        fresh, stopped = command.writes != self._writes, command.stops != self._stops
        self._writes, self._stops = command.writes, command.stops
        if stopped:
            self._acknowledged, self._following = True, False
        if self.fault and not (self._acknowledged and now >= self._until):
            return False
        self.fault = ""
        if fresh and command.live:
            self._following, self._silent = True, 0
        elif self._following:
            self._silent += passed
            if self._silent > SILENCE_NS:
                self.trip(SILENCE_WORDS)
        return self._following
