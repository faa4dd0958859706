"""From the word behind --policy to a learned policy: weights are loaded once, each episode has a policy of its own.

A trained policy of Tandem's own goes by its name, such as "flow"; others by their folder.

torch is not imported before a choice needs it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tandem.bridge.contract import BodySpec, ModelUnusable, Policy
from tandem.policies.hybrid import HybridPolicy
from tandem.policies.motion import MotionPolicy
from tandem.policies.motion.targets import DepthTargets

HYBRID, TAUGHT = "hybrid:", "taught:"
TRAINED = Path(__file__).parent.parent / "policies" / "learned" / "trained"
SHIPPED = tuple(sorted(folder.name for folder in TRAINED.glob("*/")))
FORMS = (*SHIPPED, "<folder of a learned policy>", f"{HYBRID}<name or folder>", f"{TAUGHT}<name or folder>")
_MANIFEST = "policy.json"


def is_learned(word: str) -> bool:
    """Whether a word stands for a learned policy."""
    return word.startswith((HYBRID, TAUGHT)) or (folder_of(word) / _MANIFEST).is_file()


def folder_of(word: str) -> Path:
    """Where a policy of a name or folder is; the folder of a training holds its policy in one of its own."""
    if word in SHIPPED:
        return TRAINED / word
    folder = Path(word).expanduser()
    return folder / "policy" if (folder / "policy" / _MANIFEST).is_file() else folder


class Learned:
    """A learned policy, from disk.

    Args:
        word: its name or folder; after "hybrid:" the motion policy takes over where it is not sure, or was not taught;
            after "taught:" the demonstrator goes on where it has led.
        device: auto, cuda, cpu.

    Attributes:
        taught: it needs a demonstrator.

    Raises `ModelUnusable` when there is none, or it is damaged.
    """

    def __init__(self, word: str, device: str = "auto"):
        from tandem.policies.learned.store import load_network

        self._folder = folder_of(word.removeprefix(HYBRID).removeprefix(TAUGHT))
        self._hybrid, self.taught = word.startswith(HYBRID), word.startswith(TAUGHT)
        if not (self._folder / _MANIFEST).is_file():
            raise ModelUnusable(f"{self._folder} holds no learned policy ({_MANIFEST}); make one with launch/train.py")
        self._manifest, self._network = load_network(self._folder)
        self._device = _device(device)

    def check(self, spec: BodySpec) -> None:
        """Raise `SpecMismatch` for a body that it is not made for."""
        self._manifest.check(spec)

    def policy(self, spec: BodySpec, *, executed: bool = False) -> Policy:
        """A new one for a body; `executed` for an executor, which decides itself how much of a chunk is carried out."""
        first = self._whole(spec) if executed and self._manifest.architecture == "flow" else self._plain(spec)
        if not self._hybrid:
            return first
        return HybridPolicy(first, MotionPolicy(spec, DepthTargets(spec)), preflight=first.preflight)

    def _plain(self, spec: BodySpec) -> Policy:
        from tandem.policies.learned import LearnedPolicy

        return LearnedPolicy(spec, self._manifest, self._network, device=self._device)

    def _whole(self, spec: BodySpec) -> Policy:
        from tandem.policies.executors.learned import LearnedFlow

        return LearnedFlow(spec, self._manifest, self._network, device=self._device)

    def describe(self) -> dict[str, Any]:
        """Which weights, and how they were trained; plain types, for manifests."""
        from tandem.policies.learned.store import described

        kind = {"hybrid": self._hybrid, "taught": self.taught}
        return {**described(self._folder, self._manifest), **kind, "device": self._device}


def _device(wanted: str) -> str:
    import torch

    return ("cuda" if torch.cuda.is_available() else "cpu") if wanted == "auto" else wanted
