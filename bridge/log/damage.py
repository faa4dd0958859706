"""What of a log is gone: which chunk, where in the file, which messages, and how much of the whole that is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_WRITER_HOLDS_S = 0.5  # of body time or so: what a killed writer had not handed to the disk


@dataclass(frozen=True)
class Damage:
    """One damaged place.

    Attributes:
        what: "chunk 3", counted from 0 in the file, or what else it is.
        start: position of its first byte in the file.
        end: position behind its last byte.
        reason: what is wrong with it.
        lost: how many messages of each topic are gone; empty where it cannot be told.
        from_s, to_s: body time of the first and of the last of them.
        tail: nothing readable follows.
        spare: it holds no messages.
    """

    what: str
    start: int
    end: int
    reason: str
    lost: Mapping[str, int]
    from_s: float | None = None
    to_s: float | None = None
    tail: bool = False
    spare: bool = False

    def __str__(self) -> str:
        return f"{self.what} at byte {self.start} to {self.end} is damaged ({self.reason}){self._lost()}"

    def _lost(self) -> str:
        if self.spare:
            return ""
        if not self.lost:
            return ", which messages it held cannot be told"
        listed = ", ".join(f"{count} of {topic}" for topic, count in sorted(self.lost.items()))
        return f", lost with it, t={self.from_s:.2f} to {self.to_s:.2f} s: {listed}"


@dataclass(frozen=True)
class Account:
    """How much of a file is there.

    Attributes:
        count: messages that can be read.
        first_s, last_s: body time of the first and of the last of them.
        chunk_bytes: of the file that they take.
        damage: the damaged places.
        ended: the data have an end: the writer closed the file.
        indexed: so has the file, with a summary as it was written.
        total: messages that the summary promises; None without one.
    """

    count: int
    first_s: float
    last_s: float
    chunk_bytes: int
    damage: Sequence[Damage]
    ended: bool
    indexed: bool
    total: int | None

    def words(self) -> str | None:
        """None for a whole file; else how much could be read, what is lost, and where the readable part ends."""
        if self.indexed and self.ended and not self.damage:
            return None
        whole = self.about()
        of = "" if whole is None else f" of about {whole}"
        parts = [str(one) for one in self.damage if not one.tail]
        if whole is None:
            parts.append(self._untold())
        elif self.ended and not self.indexed:
            parts.append("the summary at its end is damaged")
        told = "".join(f"; {part}" for part in parts)
        return f"recovered {self.count}{of} messages{told}; the last at t={self.last_s:.2f} s"

    def about(self) -> int | None:
        """How many messages there were; None when it cannot be told: the file just stops between two records."""
        if self.total is not None:
            return max(self.total, self.count)
        if not self.ended and not any(one.tail for one in self.damage):
            return None
        return self.count + sum(self._estimate(one) for one in self.damage)

    def _estimate(self, damage: Damage) -> int:
        """As many as are listed, or as so many bytes usually hold."""
        if damage.lost or damage.spare:
            return sum(damage.lost.values())
        density = self.count / self.chunk_bytes if self.chunk_bytes else 0.0
        return max(round((damage.end - damage.start) * density), 1)

    def _untold(self) -> str:
        rate = self.count / max(self.last_s - self.first_s, _WRITER_HOLDS_S)
        return (
            "how many are missing cannot be told, for the file stops between two records (a writer that is killed "
            f"loses the last {_WRITER_HOLDS_S} s or so, here about {round(rate * _WRITER_HOLDS_S)} messages)"
        )


def listed(messages: Sequence[tuple[str, int]]) -> dict[str, object]:
    """Fields of a `Damage` from the topics and times (ns) of the messages that an index lists."""
    if not messages:
        return {"lost": {}}
    times = [time_ns for _, time_ns in messages]
    lost = dict(Counter(topic for topic, _ in messages))
    return {"lost": lost, "from_s": min(times) / 1e9, "to_s": max(times) / 1e9}
