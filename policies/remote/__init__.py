"""Policies that run elsewhere, and Tandem's policies for others: the wires of GR00T, openpi and vla-eval."""

from tandem.bridge.contract import MissingDependency

try:
    from tandem.policies.remote.connect import FORMS, is_remote, remote_policy
    from tandem.policies.remote.errors import ServerRefused, ServerUnresponsive, Undecodable
    from tandem.policies.remote.mapping import CameraKey, KeyMap, Told, VectorKey
    from tandem.policies.remote.parts import Part, Slot
    from tandem.policies.remote.policy import RemotePolicy
    from tandem.policies.remote.presets import PRESETS, key_map
    from tandem.policies.remote.service import Service
except ModuleNotFoundError as reason:
    raise MissingDependency(f"Python module {reason.name!r}", "pip install 'tandem[remote]'") from reason

__all__ = [
    "FORMS", "PRESETS", "CameraKey", "KeyMap", "Part", "RemotePolicy", "ServerRefused", "ServerUnresponsive", "Service",
    "Slot", "Told", "Undecodable", "VectorKey", "is_remote", "key_map", "remote_policy",
]
