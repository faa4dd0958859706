"""MuJoCo worlds as bodies and as Gymnasium environments (`tandem/PickPlace-v0`, ...)."""

from tandem.sim import opengl as opengl  # first: it says what is missing when MuJoCo cannot be imported
from tandem.sim.environment import TaskEnvironment, register_environments

register_environments()

__all__ = ["TaskEnvironment"]
