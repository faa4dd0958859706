"""Counts the disturbances that really struck: an episode in which none did says nothing about them."""

from __future__ import annotations

from tandem.bridge.contract import EpisodeResult, EpisodeStart, Event, EventKind, Step


class Strikes:
    """A subscriber.

    Attributes:
        count: disturbances so far.
    """

    def __init__(self):
        self.count = 0

    def on_episode_start(self, start: EpisodeStart) -> None:
        """Nothing to count yet."""

    def on_step(self, step: Step) -> None:
        """Steps are not counted."""

    def on_event(self, event: Event) -> None:
        """Count it if it is a disturbance."""
        self.count += event.kind is EventKind.DISTURBANCE

    def on_episode_end(self, result: EpisodeResult) -> None:
        """Nothing more to count."""
