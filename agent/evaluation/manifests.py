"""Why would these numbers differ? Two plans of evaluations (or manifests of episodes) side by side, in words.

What may change an outcome (MuJoCo's version, the weights, an option) comes before what only tells two runs apart (the
computer's name, the time). A name that is not known here is taken to matter.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

GROUPS = ("arm", "models", "options", "episodes", "versions", "code", "machine", "body", "other", "record")
"""In the order of telling; the last explains nothing."""
_GROUP_OF = {
    "arm": "arm", "planner": "models", "perceiver": "models", "models": "models", "policy": "models",
    "system": "options", "options": "options", "tasks": "episodes", "episodes": "episodes", "first_seed": "episodes",
    "seed": "episodes", "seeds": "episodes", "versions": "versions", "python": "versions", "git": "code",
    "environment": "machine", "cpu": "machine", "gpu": "machine", "gl": "machine", "platform": "record",
    "cpus": "record", "body": "body", "spec": "body", "started": "record", "ended": "record", "argv": "record",
    "host": "record", "hostname": "record", "format": "record", "workers": "record", "out": "record",
    "resumed": "code",
}
_EXPLAINS_NOTHING = frozenset({
    *(f"versions.{name}" for name in ("mcap", "foxglove-sdk", "protobuf", "av", "pyzmq", "msgpack")),
    "environment.CUDA_VISIBLE_DEVICES", "body.session", "body.endpoint", "body.clock", "body.key", "body.role",
    "system.key", "system.keys", "system.standby_s",
})
_WHY = {
    "versions.mujoco": "even a patch release of MuJoCo changes trajectories",
    "versions.torch": "sums are rounded in another order",
    "versions.transformers": "pictures and prompts may be prepared in another way",
    "git.dirty": "what ran is not what the commit says",
    "environment.MUJOCO_GL": "another renderer draws other pixels",
    "first_seed": "other initial states",
    "system.clock": "thinking is charged in another way",
}
_WHY_LAST = {"resumed": "it was gone on with under this", "digest": "other weights", "weights": "other weights",
             "revision": "another revision of the model"}
_FIRST = ("mujoco", "digest", "id", "revision")  # within their group
_NOTHING = object()
_WIDE = 60
_SHA256 = re.compile(r"[0-9a-f]{40,64}")


@dataclass(frozen=True)
class Difference:
    """One thing in which two manifests differ.

    Attributes:
        group: one of `GROUPS`.
        path: the names that lead to it, with dots.
        first: value in the first, None where it has none.
        second: value in the second.
        explains: outcomes may differ for it.
        why: what is known about that, in plain words; may be empty.
    """

    group: str
    path: str
    first: Any
    second: Any
    explains: bool
    why: str = ""

    @property
    def words(self) -> tuple[str, str]:
        """Both values, short enough for a table; long ones by their digest."""
        return _short(self.first), _short(self.second)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return dict(vars(self))


def differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Everything in which two plans differ, what explains outcomes first.

    Code that was not committed differs from itself: what ran is known of neither.
    """
    found = [_difference(path, a, b) for path, a, b in _leaves(first, second, ())]
    if _dirty(first) and _dirty(second):
        found.append(Difference("code", "git.dirty", True, True, True, "neither commit says what ran"))
    return tuple(sorted(found, key=_order))


def _leaves(a: Any, b: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """Where two nested mappings differ, down to what is no mapping in both."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        for name in dict.fromkeys([*a, *b]):
            yield from _leaves(a.get(name, _NOTHING), b.get(name, _NOTHING), (*path, name))
    elif isinstance(a, Mapping) and b is _NOTHING:
        yield from _leaves(a, {}, path)
    elif isinstance(b, Mapping) and a is _NOTHING:
        yield from _leaves({}, b, path)
    elif _plain(a) != _plain(b):
        yield path, _plain(a), _plain(b)


def _difference(path: tuple[str, ...], a: Any, b: Any) -> Difference:
    name = ".".join(path)
    group = _GROUP_OF.get(path[0], "other")
    silent = group == "record" or any(name == known or name.startswith(f"{known}.") for known in _EXPLAINS_NOTHING)
    why = _WHY.get(name) or next((_WHY_LAST[part] for part in path if part in _WHY_LAST), "")
    return Difference(group, name, a, b, not silent, why)


def _order(difference: Difference) -> tuple[Any, ...]:
    last = difference.path.rpartition(".")[2]
    prominent = _FIRST.index(last) if last in _FIRST else len(_FIRST)
    return not difference.explains, GROUPS.index(difference.group), prominent, difference.path


def _dirty(manifest: Mapping[str, Any]) -> bool:
    git = manifest.get("git")
    return isinstance(git, Mapping) and git.get("dirty") is True


def _plain(value: Any) -> Any:
    """A tuple and the list that JSON makes of it are one, and so are nothing and None."""
    if value is _NOTHING:
        return None
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _short(value: Any) -> str:
    if value is None:
        return "-"
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    if _SHA256.fullmatch(text):
        return f"{text[:12]}..."
    if len(text) <= _WIDE and "\n" not in text:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return f"{' '.join(text.split())[:_WIDE - 32]}... ({len(text)} characters, {digest})"
