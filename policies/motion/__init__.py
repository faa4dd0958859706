"""Motion planning as a policy: inverse kinematics, jerk-limited trajectories, skills as recipes."""

from tandem.policies.motion.pace import Pace
from tandem.policies.motion.policy import MotionPolicy

__all__ = ["MotionPolicy", "Pace"]
