"""What a peg's hole is worth by one look and by two: measured here against ground truth, not by the policy.

Everything is of an episode's first insertion, the moment at which the peg begins to go down.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from composition import Rig, System
from rich.table import Table

from tandem.bridge.contract import EpisodeResult, EpisodeStart, Event, EventKind, Step

FEEL_M = 0.004  # the policy's own choice
LOOKS = {"one_look": False, "second_look": True}
WORLDS: dict[str, tuple[tuple[str, ...], float]] = {
    "": ((), FEEL_M), "_unfelt": ((), 0.0), "_noise": (("noise",), FEEL_M), "_noise_unfelt": (("noise",), 0.0),
}
"""By suffix: disturbances, and how far the policy may feel around; unfelt it goes down once where it believes."""


def variants(base: System) -> Iterator[tuple[str, System, float]]:
    """Name, system and search radius of every row."""
    for world, (disturb, search_m) in WORLDS.items():
        for look, second in LOOKS.items():
            yield look + world, replace(base, task="insert", second_look=second, disturb=disturb), search_m


class InsertionMeter:
    """A subscriber that measures the first insertion of an episode.

    Args:
        rig: whose policy's belief is compared with whose truth.

    Attributes:
        figures: `hole_mm`, `yaw_deg`, `felt`, `kept`, `insert_s`, `first_try`; empty when nothing was inserted.
    """

    def __init__(self, rig: Rig):
        self._rig, self._hole, self._done = rig, "", False
        self.figures: dict[str, float] = {}

    def on_episode_start(self, start: EpisodeStart) -> None:
        """Nothing yet."""

    def on_event(self, event: Event) -> None:
        """The first insertion begins and ends."""
        if self._done or event.kind not in (EventKind.SUBGOAL_START, EventKind.SUBGOAL_END):
            return
        if event.kind is EventKind.SUBGOAL_START:
            self._hole = event.data["arguments"]["target"] if event.data["skill"] == "insert" else ""
        elif self._hole and self.figures:
            seconds = float(event.data["end_s"] - event.data["start_s"])
            self.figures |= {"insert_s": seconds, "first_try": float(event.data["measured"] is True)}
            self._done = True

    def on_step(self, step: Step) -> None:
        """The moment before the descent, and whether it feels around."""
        if self._done or not self._hole:
            return
        if step.phase == "insert" and "hole_mm" not in self.figures:
            self.figures |= {"felt": 0.0, "kept": 0.0, **self.figures, **self._errors()}
        elif step.phase == "feel":
            self.figures["felt"] = 1.0
        elif step.phase == "first look kept":
            self.figures["kept"] = 1.0

    def on_episode_end(self, result: EpisodeResult) -> None:
        """Nothing more."""

    def _errors(self) -> dict[str, float]:
        believed, true = self._rig.policy.memory.landmarks[self._hole], self._rig.truth.target(self._hole)
        off = np.linalg.norm(believed.surface[:2] - true.surface[:2])
        turn = (believed.yaw_rad - true.yaw_rad + np.pi / 4) % (np.pi / 2) - np.pi / 4
        return {"hole_mm": float(off) * 1e3, "yaw_deg": abs(float(np.degrees(turn)))}


def summary(name: str, rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Flat figures of one row of the table, from the meters' figures of its episodes."""
    rows = [row for row in rows if "first_try" in row]
    if not rows:
        return {}
    column = {key: np.array([row[key] for row in rows]) for key in rows[0]}
    figures = {
        f"{key}_p{share}": float(np.percentile(column[source], share))
        for key, source in (("hole_error_mm", "hole_mm"), ("yaw_error_deg", "yaw_deg")) for share in (50, 95)
    }
    figures |= {
        "hole_within_1mm": (column["hole_mm"] < 1.0).mean(), "first_try": column["first_try"].mean(),
        "feel_share": column["felt"].mean(), "kept_share": column["kept"].mean(),
        "insert_s": column["insert_s"].mean(),
    }
    return {f"{key}_{name}": float(value) for key, value in figures.items()}


def table(results: dict[str, list[dict[str, Any]]]) -> Table:
    """A row for each variant, from the outcomes of its episodes. Half the clearance is 1 mm."""
    made = Table(title="insert: the hole by one look, and by a second from the wrist camera", title_justify="left")
    columns = ("", "success", "first try", "hole mm p50/p95", "< 1 mm", "yaw deg p50/p95", "felt", "kept", "time")
    for column in columns:
        made.add_column(column, justify="right" if column else "left")
    for name, rows in results.items():
        figures = summary(name, [row["insertion"] for row in rows])
        good = sum(bool(row["success"]) for row in rows)
        cells = [name, f"{good}/{len(rows)}"]
        if figures:
            cells += [
                f"{figures[f'first_try_{name}']:.0%}", _spread(figures, "hole_error_mm", name),
                f"{figures[f'hole_within_1mm_{name}']:.0%}", _spread(figures, "yaw_error_deg", name),
                f"{figures[f'feel_share_{name}']:.0%}", f"{figures[f'kept_share_{name}']:.0%}",
                f"{figures[f'insert_s_{name}']:.1f} s",
            ]
        made.add_row(*cells)
    return made


def _spread(figures: dict[str, float], key: str, name: str) -> str:
    return f"{figures[f'{key}_p50_{name}']:.2f} / {figures[f'{key}_p95_{name}']:.2f}"
