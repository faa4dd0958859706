"""MuJoCo worlds as bodies and as Gymnasium environments (`tandem/PickPlace-v0`, ...)."""

from tandem.sim.environment import TaskEnvironment, register_environments

register_environments()

__all__ = ["TaskEnvironment"]
