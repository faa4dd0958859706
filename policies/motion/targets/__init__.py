"""Sources of targets that use observations alone."""

from tandem.policies.motion.targets.depth import DepthTargets

__all__ = ["DepthTargets"]
