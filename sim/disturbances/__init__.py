"""Things that go wrong on purpose, by name."""

from tandem.sim.disturbances.disturbance import Disturbance

__all__ = ["Disturbance"]
