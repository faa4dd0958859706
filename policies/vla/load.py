"""From words to a pi0 that is ready: base and adapter, reader and statistics, every mistake with a name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from tandem.bridge.contract import InvalidOption, MissingDependency, ModelUnusable, UnknownName

try:
    import torch
    from peft import LoraConfig, get_peft_model
    from safetensors import SafetensorError
    from safetensors.torch import load_file
    from transformers import PI0ForConditionalGeneration, PI0Processor

    from tandem.bridge.checkpoints import digest_of, digests, fetch, weight_files
    from tandem.policies.vla import adapter as adapters
    from tandem.policies.vla import checkpoint as checkpoints
    from tandem.policies.vla import statistics
    from tandem.policies.vla.adapter import Adapter
    from tandem.policies.vla.checkpoint import READER, Checkpoint
    from tandem.policies.vla.memory import Need, admit, device_named, dtype_named
    from tandem.policies.vla.network import Asked, Network
    from tandem.policies.vla.reader import Reader
    from tandem.policies.vla.sampling import SPEEDS, Field, field_of
    from tandem.policies.vla.statistics import Statistics
    from tandem.policies.vla.words import Named
except ModuleNotFoundError as reason:
    raise MissingDependency(f"Python module {reason.name!r}", "pip install 'tandem[vla]'") from reason


@dataclass(frozen=True)
class Options:
    """Where and how a model runs.

    Attributes:
        device: "auto" takes CUDA, then the CPU.
        dtype: of the weights; "auto" is bfloat16 on a GPU and float32 on a CPU.
        speed: see `sampling.field_of`.
        steps: of denoising; None takes the model's own, 10.
        seed: of the noise that chunks are drawn from.
        reserve_gb: memory in gigabytes that is left for others, for example the planner.
        tokenizer: folder or hub id with tokenizer and picture processor, for a checkpoint that brings none.
        statistics: file with those of the training data, for a checkpoint that brings none or others.
    """

    device: str = "auto"
    dtype: str = "auto"
    speed: str = "eager"
    steps: int | None = None
    seed: int = 0
    reserve_gb: float = 0.0
    tokenizer: str | None = None
    statistics: Path | None = None

    def __post_init__(self):
        if self.speed not in SPEEDS:
            raise UnknownName("speed", self.speed, SPEEDS)
        if (self.steps is not None and self.steps < 1) or self.reserve_gb < 0:
            raise InvalidOption(f"denoising takes at least 1 step and reserves at least 0 GB, got {self}")


@dataclass(frozen=True, eq=False)
class Loaded:
    """A model in memory.

    Attributes:
        checkpoint: where its base came from.
        model: in evaluation mode, its adapter merged into its weights.
        reader: observations to tensors.
        statistics: None where nobody gave any.
        adapter: what was put on top, if anything.
        need: what it was estimated to need.
        digests: sha256 of each weight file of the base, by name.
        options: as it was loaded.
    """

    checkpoint: Checkpoint
    model: PI0ForConditionalGeneration
    reader: Reader
    statistics: Statistics | None
    adapter: Adapter | None
    need: Need
    digests: Mapping[str, str]
    options: Options

    @cached_property
    def network(self) -> Network:
        """Its two halves."""
        return Network(self.model)

    @cached_property
    def alone(self) -> Lock:
        """Held while a chunk is drawn: in buffers that policies share, two at once would draw one from both."""
        return Lock()

    @cached_property
    def field(self) -> Field:
        """The network as it is run; policies share it, since what is captured or compiled has cost its time."""
        return field_of(self.network, self.options.speed)

    def warm(self, pictures: int) -> None:
        """Capture and compile for that many pictures now rather than while an arm waits."""
        network = self.network
        tokens, told = self.reader.tokens("", pictures)
        side = np.zeros((self.reader.side, self.reader.side, 3), np.uint8)
        prefix = self.field.read(Asked(
            tokens.to(network.device), told.to(network.device),
            self.reader.pixels([side] * pictures, network.device, network.dtype)[None],
            torch.zeros(1, network.config.max_state_dim, device=network.device, dtype=network.dtype),
        ))
        noise = torch.zeros(network.horizon, network.width, device=network.device)
        self.field.velocity(prefix, noise, noise.new_zeros(1))

    def describe(self) -> dict[str, Any]:
        """What a log must say of it."""
        source, weight = self.checkpoint.source, self.model.action_out_proj.weight
        told = {
            "kind": "pi0", "id": source.name, "revision": source.revision, "digest": digest_of(dict(self.digests)),
            "weights": dict(self.digests), "device": str(weight.device), "dtype": str(weight.dtype).split(".")[-1],
            "parameters": self.need.parameters, "estimated_bytes": self.need.total, "speed": self.options.speed,
            "steps": self.options.steps or self.model.config.num_inference_steps, "seed": self.options.seed,
            "statistics": None if self.statistics is None else self.statistics.origin,
        }
        if self.adapter is None:
            return told
        return {**told, "adapter": str(self.adapter.folder), "adapter_weights": dict(self.adapter.digests)}


def load(name: Named, options: Options | None = None) -> Loaded:
    """Load what was named. The order is the point: configuration, memory, and only then the files.

    Raises:
        ModelUnusable: no such model, none in safetensors, damaged or altered, too big, or of another base.
        InvalidOption: the device is not here.
    """
    options = options or Options()
    device = device_named(options.device)
    dtype = dtype_named(options.dtype, device)
    adapter = _adapter(name)
    base = _base(name, adapter)
    checkpoint = checkpoints.find(base.base, base.revision, options.tokenizer)
    need = admit(base.base, checkpoint.config, device, dtype, options.reserve_gb)
    folder = fetch(checkpoint.source)
    files = digests(weight_files(base.base, folder))
    if adapter is not None and adapter.about.base.get("digest") != digest_of(files):
        raise ModelUnusable(f"{adapter.folder} was trained on other weights than those of {base.base}: their sha256 "
                            f"differs. Its base is {adapter.about.base.get('id')}")
    reader = Reader(checkpoint.config, _processor(checkpoint))
    model = _weights(checkpoint, folder, device, dtype)
    if adapter is not None:
        model = _with(model, adapter)
    found = statistics.read(options.statistics) if options.statistics else _statistics(folder, adapter)
    return Loaded(checkpoint, model.eval().requires_grad_(False), reader, found, adapter, need, files, options)


def _adapter(name: Named) -> Adapter | None:
    folder = name.adapter or Path(name.base).expanduser()
    return adapters.read(folder) if name.adapter is not None or adapters.is_adapter(folder) else None


def _base(name: Named, adapter: Adapter | None) -> Named:
    """The base that is meant; an adapter alone names its own."""
    if adapter is None or name.adapter is not None:
        return name
    told = adapter.about.base
    return replace(name, base=str(told.get("id")), revision=told.get("revision"))


def _statistics(folder: Path, adapter: Adapter | None) -> Statistics | None:
    return statistics.find(folder) if adapter is None else adapter.statistics


def _processor(checkpoint: Checkpoint) -> PI0Processor:
    folder = fetch(checkpoint.reader, READER)
    try:
        return PI0Processor.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, ImportError) as error:
        raise ModelUnusable(f"{checkpoint.reader.name}: its processor cannot be loaded: {error}") from error


def _weights(
    checkpoint: Checkpoint, folder: Path, device: torch.device, dtype: torch.dtype
) -> PI0ForConditionalGeneration:
    name = checkpoint.source.name
    placed: dict[str, Any] = {} if device.type == "cpu" else {"device_map": {"": device}}
    try:
        model, report = PI0ForConditionalGeneration.from_pretrained(
            folder, config=checkpoint.config, dtype=dtype, use_safetensors=True, trust_remote_code=False,
            local_files_only=True, output_loading_info=True, attn_implementation="sdpa", **placed,
        )
    except (OSError, ValueError, RuntimeError, SafetensorError, KeyError) as error:
        raise ModelUnusable(f"{name} cannot be loaded: {error}") from error
    missing = sorted(key for key in report["missing_keys"] if not key.endswith("dit.embed_tokens.weight"))
    if missing:
        raise ModelUnusable(f"{name}: {len(missing)} weights are not in its files, for example {missing[0]}: they "
                            "belong to another configuration")
    model.model.dit.embed_tokens = None  # the words of the action expert, which nothing ever reads: 0.5 GB
    return model


def _with(model: PI0ForConditionalGeneration, adapter: Adapter) -> PI0ForConditionalGeneration:
    """The model with an adapter's weights added into its own."""
    try:
        adapted = get_peft_model(model, LoraConfig.from_pretrained(adapter.folder))
        saved, places = load_file(adapter.folder / adapters.WEIGHTS), adapters.places(adapted)
        if differing := sorted(saved.keys() ^ places.keys()):
            raise ModelUnusable(f"{adapter.folder} does not fit its base: {', '.join(differing[:2])}")
        with torch.no_grad():
            for weight_name, place in places.items():
                place.copy_(saved[weight_name])
        return adapted.merge_and_unload(safe_merge=True)
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, SafetensorError) as error:
        raise ModelUnusable(f"{adapter.folder} cannot be loaded: {error}") from error
