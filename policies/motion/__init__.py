"""Motion planning as a policy: inverse kinematics, jerk-limited trajectories, skills as recipes."""

from tandem.bridge.contract import MissingDependency

try:
    from tandem.policies.motion.pace import Pace
    from tandem.policies.motion.policy import MotionPolicy
except ModuleNotFoundError as reason:
    raise MissingDependency(f"Python module {reason.name!r}", "pip install 'tandem[motion]'") from reason

__all__ = ["MotionPolicy", "Pace"]
