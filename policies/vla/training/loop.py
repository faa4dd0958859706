"""The loop that teaches adapters: all it needs to go on is in one file, and what it then does is the same to the bit.

The k-th batch, its noise and what dropout leaves out come from the seed and k. The file is safetensors, as all weights.
Several processes, one for each GPU, draw batches of their own and step by the mean of their gradients.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import PartialState
from accelerate.utils import reduce
from peft import PeftModel
from safetensors.torch import save_file
from torch import Tensor, nn

from tandem.bridge.checkpoints import digest_of
from tandem.bridge.contract import InvalidOption, ModelUnusable
from tandem.policies.learned.training import checkpoint
from tandem.policies.learned.training.curves import Curves
from tandem.policies.learned.training.feed import Feed
from tandem.policies.learned.training.loop import Schedule
from tandem.policies.learned.training.undivided import undivided
from tandem.policies.remote.mapping import KeyMap, fingerprint
from tandem.policies.vla.adapter import WEIGHTS, About, finish, places
from tandem.policies.vla.load import Loaded
from tandem.policies.vla.statistics import Statistics
from tandem.policies.vla.training.lessons import Batch, Lessons
from tandem.policies.vla.training.lora import Lora, attach

ADAPTER, ABOUT = "policy", "training.json"
_CHECKED = 32  # held-out samples


@dataclass(frozen=True)
class Teaching:
    """How adapters are taught.

    Attributes:
        schedule: steps, rate and batch; its average of weights is not used.
        lora: what is added.
        parts: into how many parts a batch is cut, which go through the model one after another.
        seed: of adapters and batches.
        data: where the lessons come from, plain types, for the record.
    """

    schedule: Schedule
    lora: Lora = field(default_factory=Lora)
    parts: int = 1
    seed: int = 0
    data: tuple[str, ...] = ()

    def __post_init__(self):
        if self.parts < 1 or self.schedule.batch % self.parts:
            raise InvalidOption(f"a batch of {self.schedule.batch} cannot be cut into {self.parts} equal parts")


class Training:
    """Teaches a model and remembers where it is. The model is changed in place.

    Args:
        loaded: the base.
        lessons: to learn from.
        held_out: to check on, None for none.
        keymap: what is called what.
        scales: statistics, of the lessons unless the training goes on.
        how: options.
        folder: for checkpoint, curves, and the adapter as it is used; what is there is gone on from.

    Attributes:
        step: how many are done.
        trained: how many numbers are trained.

    Raises:
        ModelUnusable: the checkpoint that is there is damaged.
        InvalidOption: the folder holds another training.
    """

    def __init__(
        self, loaded: Loaded, lessons: Lessons, held_out: Lessons | None, keymap: KeyMap, scales: Statistics,
        how: Teaching, folder: Path,
    ):
        self._loaded, self._lessons, self._held_out, self._keymap = loaded, lessons, held_out, keymap
        self._scales, self._how, self._folder = scales, how, folder
        self._processes = PartialState(cpu=loaded.model.device.type == "cpu")
        self._device, self._dtype = loaded.model.device, loaded.model.dtype
        folder.mkdir(parents=True, exist_ok=True)
        with self._processes.main_process_first():
            self._begin()
        self._model: PeftModel = attach(loaded.model, how.lora, how.seed)
        self._named = {name: weight for name, weight in self._model.named_parameters() if weight.requires_grad}
        self.trained = sum(weight.numel() for weight in self._named.values())
        self._optimiser = torch.optim.AdamW(
            self._named.values(), lr=how.schedule.rate, betas=(0.9, 0.95), weight_decay=0.0)
        self.step = checkpoint.read(folder, self._named, self._named, self._optimiser)
        self._stored: int | None = None
        self._curves = Curves(folder, until=self.step) if self._processes.is_main_process else None

    def run(self, tell: Callable[[int, Mapping[str, float]], None] = lambda step, figures: None) -> None:
        """Take the steps that are left; Ctrl-C and whatever else ends it leave a checkpoint of the last whole step."""
        schedule, feed = self._how.schedule, Feed(self._batch, self.step)
        sums: list[dict[str, float]] = []
        began_s, since = time.perf_counter(), self.step
        self._model.train()
        try:
            while self.step < schedule.steps:
                sums.append(self._take_step(feed.next()))
                if self.step % schedule.every == 0:
                    figures = {name: float(np.mean([one[name] for one in sums])) for name in sums[0]}
                    figures["steps_per_s"] = (self.step - since) / (time.perf_counter() - began_s)
                    began_s, since, sums = time.perf_counter(), self.step, []
                    self._note(figures, tell)
                if self.step % schedule.save == 0:
                    self.save()
                    self._note(self.check(), tell)
        finally:
            feed.close()
            if self._stored != self.step:
                self.save()
            self._model.eval()

    def loss(self, batch: Batch) -> Tensor:
        """Of a batch: how far the velocity is from the one that leads straight from noise to what was wanted."""
        device, dtype = self._device, self._dtype
        times, noise, actions = (part.to(device) for part in (batch.times, batch.noise, batch.actions))
        share = times[:, None, None]
        pixels = self._loaded.reader.pixels(batch.pixels, device, dtype)
        velocity = self._model(
            state=batch.state.to(device, dtype), noise=(share * noise + (1 - share) * actions).to(dtype),
            timestep=times, input_ids=batch.tokens.to(device), attention_mask=batch.told.to(device),
            pixel_values=pixels, pixel_attention_mask=torch.ones(pixels.shape[:2], dtype=torch.bool, device=device),
        ).logits
        return nn.functional.mse_loss(velocity.float(), noise - actions)

    @torch.no_grad()
    def check(self) -> dict[str, float]:
        """The loss on what is held out, always on the same samples and noise."""
        if self._held_out is None:
            return {}
        self._model.eval()
        size = self._how.schedule.batch // self._how.parts
        rngs = [np.random.default_rng((1, k)) for k in range(-(-_CHECKED // size))]
        losses = [float(self.loss(self._held_out.batch(rng, size, self._scales))) for rng in rngs]
        self._model.train()
        return {"held_out_loss": float(np.mean(losses))}

    def save(self) -> None:
        """Write the checkpoint and the adapter; what was there stays until the new one is whole."""
        if not self._processes.is_main_process:
            return
        checkpoint.write(self._folder, self.step, self._named, self._named, self._optimiser)
        self._write_adapter(self._folder / ADAPTER)
        self._curves.draw()
        self._stored = self.step

    def _batch(self, step: int) -> tuple[Batch, ...]:
        rng = np.random.default_rng((self._how.seed, step, self._processes.process_index))
        size = self._how.schedule.batch // self._how.parts
        return tuple(self._lessons.batch(rng, size, self._scales) for _ in range(self._how.parts))

    def _take_step(self, parts: tuple[Batch, ...]) -> dict[str, float]:
        rate = self._how.schedule.rate * self._how.schedule.share_at(self.step)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self._optimiser.zero_grad(set_to_none=True)
        seed = (self._how.seed * 1_000_003 + self.step) * 64 + self._processes.process_index
        torch.manual_seed(seed)  # of what dropout leaves out
        total = 0.0
        for part in parts:
            loss = self.loss(part) / len(parts)
            loss.backward()
            total += float(loss.detach())
        self._share()
        norm = nn.utils.clip_grad_norm_(self._named.values(), 1.0)
        with undivided():
            self._optimiser.step()
            self.step += 1
        return {"loss": total, "norm": float(norm), "rate": rate}

    def _share(self) -> None:
        """Every process gets the mean of all gradients."""
        if self._processes.num_processes > 1:
            weights = list(self._named.values())
            for weight, mean in zip(weights, reduce([weight.grad for weight in weights], "mean"), strict=True):
                weight.grad = mean

    def _note(self, figures: Mapping[str, float], tell: Callable[[int, Mapping[str, float]], None]) -> None:
        if self._curves is not None and figures:
            self._curves.add(self.step, figures)
            tell(self.step, figures)

    def _about(self) -> dict[str, Any]:
        source, lora = self._loaded.checkpoint.source, asdict(self._how.lora)
        base = {"id": source.name, "revision": source.revision, "digest": digest_of(dict(self._loaded.digests))}
        return {"base": base, "lora": lora, "seed": self._how.seed, "keys": self._keymap.lines(self._lessons.spec)}

    def _begin(self) -> None:
        """Write down what is trained here, or see that it is the same as before."""
        path, about = self._folder / ABOUT, json.loads(json.dumps(self._about()))
        if not path.exists():
            path.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
            return
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as reason:
            raise ModelUnusable(f"{path} is damaged: {reason}; choose another folder") from reason
        changed = [name for name in about if before.get(name) != about[name]]
        if changed:
            raise InvalidOption(f"{self._folder} holds the training of another adapter ({', '.join(changed)} differ): "
                                "choose another --folder")

    def _write_adapter(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        config = self._model.peft_config["default"]
        config.inference_mode, source = True, self._loaded.checkpoint.source
        config.base_model_name_or_path, config.revision = source.name, source.revision
        config.save_pretrained(folder)
        config.inference_mode = False
        weights = places(self._model)
        draft = folder / f"{WEIGHTS}.part"
        save_file({name: weight.detach().cpu().contiguous() for name, weight in weights.items()}, draft,
                  metadata={"format": "pt"})
        draft.replace(folder / WEIGHTS)
        about, spec = self._about(), self._lessons.spec
        samples = self.step * self._how.schedule.batch * self._processes.num_processes
        made = {"steps": self.step, "samples": samples, "rate": self._how.schedule.rate,
                "lora": about["lora"], "seed": self._how.seed, "data": list(self._how.data), "weights": self.trained}
        made_for = fingerprint(self._keymap, spec)
        finish(folder, About(
            about["base"], self._keymap, made_for, self._lessons.skills, self._lessons.ends, made), self._scales)
