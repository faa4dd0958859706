"""Tells every subscriber, in order, and keeps one that breaks from silencing the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tandem.bridge.contract import EpisodeResult, EpisodeStart, Event, LogUnwritable, Step, Subscriber


class Broadcast:
    """All subscribers as one.

    A `LogUnwritable` is raised once, after every other subscriber has heard the same message; from then on that
    subscriber hears only the end. Any other error is a mistake in a program and is raised at once, except at the
    end, which everybody hears first.

    Args:
        subscribers: told in this order.
    """

    def __init__(self, subscribers: Iterable[Subscriber]):
        self._subscribers = tuple(subscribers)
        self._begun: list[Subscriber] = []
        self._silent: list[Subscriber] = []

    def start(self, start: EpisodeStart) -> None:
        """The episode begins."""
        def begin(subscriber: Subscriber) -> None:
            self._begun.append(subscriber)
            subscriber.on_episode_start(start)

        self._tell(begin, self._subscribers)

    def step(self, step: Step) -> None:
        """A control step was carried out."""
        self._tell(lambda subscriber: subscriber.on_step(step), self._begun)

    def event(self, event: Event) -> None:
        """Something happened."""
        self._tell(lambda subscriber: subscriber.on_event(event), self._begun)

    def end(self, result: EpisodeResult) -> list[Exception]:
        """The episode is over: everybody who heard it begin hears it end. Returns the errors, in order."""
        return [error for subscriber in self._begun if (error := self._last_word(subscriber, result)) is not None]

    def _last_word(self, subscriber: Subscriber, result: EpisodeResult) -> Exception | None:
        try:
            subscriber.on_episode_end(result)
        except LogUnwritable as error:
            return None if subscriber in self._silent else error
        except Exception as error:  # noqa: BLE001 the caller raises it once everybody has heard
            return error
        return None

    def _tell(self, message: Callable[[Subscriber], None], subscribers: Iterable[Subscriber]) -> None:
        unwritable: LogUnwritable | None = None
        for subscriber in subscribers:
            if subscriber in self._silent:
                continue
            try:
                message(subscriber)
            except LogUnwritable as error:
                self._silent.append(subscriber)
                unwritable = unwritable or error
        if unwritable is not None:
            raise unwritable
