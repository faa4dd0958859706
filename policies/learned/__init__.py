"""Policies learned from logged episodes: what they sense, the networks, and what becomes of their answers."""

from tandem.bridge.contract import MissingDependency

try:
    from tandem.policies.learned.policy import LearnedPolicy
    from tandem.policies.learned.store import load_policy
except ModuleNotFoundError as reason:
    raise MissingDependency(f"Python module {reason.name!r}", "pip install 'tandem[policies]'") from reason

__all__ = ["LearnedPolicy", "load_policy"]
