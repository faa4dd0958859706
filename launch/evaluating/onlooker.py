"""Looks through every camera each so many control steps: what is looked at, the log keeps."""

from __future__ import annotations

from tandem.bridge.contract import BodySpec, EpisodeResult, EpisodeStart, Event, Observation, Step
from tandem.bridge.contract.observation import image_key


class Onlooker:
    """A subscriber; it comes before the recorder.

    Args:
        every: control steps from one look to the next.
    """

    def __init__(self, every: int):
        self._every = every
        self._spec: BodySpec | None = None

    def on_episode_start(self, start: EpisodeStart) -> None:
        """The first look."""
        self._spec = start.spec
        self._look(start.observation)

    def on_step(self, step: Step) -> None:
        """A look at what the step led to, before the body moves on."""
        if (step.index + 1) % self._every == 0:
            self._look(step.observation)

    def on_event(self, event: Event) -> None:
        """Nothing to see."""

    def on_episode_end(self, result: EpisodeResult) -> None:
        """Nothing to see."""

    def _look(self, observation: Observation) -> None:
        for camera in self._spec.cameras:
            observation[image_key(camera.name)]
