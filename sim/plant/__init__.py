"""A simulated arm in real time, in processes of its own, behind the driver interface of a controller."""

from tandem.sim.plant.driver import SimDriver

__all__ = ["SimDriver"]
