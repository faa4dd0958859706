"""A learned policy on disk: a folder with `policy.json` and `model.safetensors`. Nothing in it can run code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from tandem.bridge.checkpoints import digest_of, digests
from tandem.bridge.contract import BodySpec, InvalidOption, ModelUnusable, UnknownName
from tandem.policies.learned.architectures import network_for
from tandem.policies.learned.manifest import Manifest
from tandem.policies.learned.policy import LearnedPolicy

MANIFEST, WEIGHTS = "policy.json", "model.safetensors"
_DIGEST = "weights_sha256"


def save_policy(folder: Path, manifest: Manifest, network: nn.Module) -> None:
    """Write a folder that `load_policy` reads; the manifest comes last and names the digest of the weights."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    draft = folder / f"{WEIGHTS}.part"
    save_file(weights, draft, metadata={"format": "pt"})
    draft.replace(folder / WEIGHTS)
    plain = manifest.to_dict()
    plain["about"] |= {_DIGEST: digest_of(digests([folder / WEIGHTS]))}
    Manifest.from_dict(plain).write(folder / MANIFEST)


def load_network(folder: Path) -> tuple[Manifest, nn.Module]:
    """The manifest and the network with its weights.

    Raises `ModelUnusable` when a file is missing, damaged or not what was written with the others.
    """
    manifest = Manifest.read(folder / MANIFEST)
    path = folder / WEIGHTS
    if not path.is_file():
        raise ModelUnusable(f"{folder} has no weights: {WEIGHTS} is missing; copy the whole folder")
    told = manifest.about.get(_DIGEST)
    if told != (found := digest_of(digests([path]))):
        raise ModelUnusable(f"{path} is not what {MANIFEST} names: sha256 {found}, not {told}; copy the whole folder")
    try:
        network = network_for(manifest.architecture, manifest.shapes, manifest.settings)
        network.load_state_dict(load_file(path))
    except (SafetensorError, OSError, RuntimeError, UnknownName, InvalidOption) as reason:
        raise ModelUnusable(f"{path} does not fit {MANIFEST}: {reason}") from reason
    if bad := [name for name, value in network.state_dict().items() if not value.isfinite().all()]:
        raise ModelUnusable(f"{path} holds NaN or infinity in {', '.join(bad[:3])}: train the policy again")
    return manifest, network


def load_policy(folder: Path | str, spec: BodySpec, **options: Any) -> LearnedPolicy:
    """The policy of a folder, for a body; options as of `LearnedPolicy`.

    Raises `ModelUnusable`, and `SpecMismatch` when it is made for another body.
    """
    folder = Path(folder).expanduser()
    manifest, network = load_network(folder)
    return LearnedPolicy(spec, manifest, network, about=described(folder, manifest), **options)


def described(folder: Path, manifest: Manifest) -> dict[str, Any]:
    """Which policy it is, plain types, for logs."""
    return {"name": str(folder), "digest": manifest.about[_DIGEST], "training": dict(manifest.about)}
