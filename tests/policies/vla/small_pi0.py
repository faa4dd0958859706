"""pi0 as transformers writes it to disk: its classes, a small configuration, random weights, a tokenizer made here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import transformers as hf
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

SENTENCES = ["pick up the red cube", "put the green cube into the blue bin", "return the arm to its rest pose"]
SIDE, PATCH = 28, 14  # pixels; 4 tokens a picture


def build(folder: Path, *, chunk: int = 8, statistics: int | None = None, **config: Any) -> Path:
    """Write a checkpoint.

    Args:
        folder: where to.
        chunk: actions.
        statistics: size of state and action, whose means and deviations go into the processor; None for none.
        config: fields of the configuration.
    """
    torch.manual_seed(0)
    tokenizer = gemma()
    extra = {} if statistics is None else {
        f"{name}_{kind}": [value + 0.001 * i for i in range(statistics)]
        for name, kind, value in (
            ("state", "mean", 0.1), ("state", "std", 0.5), ("actions", "mean", 0.01), ("actions", "std", 0.05))
    }
    eyes = hf.PI0ImageProcessor(
        size={"max_height": SIDE, "max_width": SIDE}, pad_size={"height": SIDE, "width": SIDE}, image_seq_length=4,
    )
    processor = hf.PI0Processor(eyes, tokenizer, chunk_size=chunk, **extra)
    model = hf.PI0ForConditionalGeneration(_config(processor, chunk, config))
    with torch.no_grad():  # at the usual deviation of 0.02 a small model says hardly anything
        for name, weight in model.named_parameters():
            if weight.ndim > 1 and "embed_tokens" not in name:
                weight.mul_(4.0)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def _config(processor: hf.PI0Processor, chunk: int, fields: dict[str, Any]) -> hf.PI0Config:
    text = {
        "model_type": "gemma", "vocab_size": len(processor.tokenizer) + 8, "hidden_size": 32, "intermediate_size": 64,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 8,
        "max_position_embeddings": 512,
    }
    vision = {
        "model_type": "siglip_vision_model", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 2, "image_size": SIDE, "patch_size": PATCH, "vision_use_head": False,
    }
    vlm = hf.PaliGemmaConfig(
        text_config=text, vision_config=vision, projection_dim=32, image_token_id=processor.image_token_id,
    )
    expert = {**text, "hidden_size": 16, "intermediate_size": 32}
    expert.pop("model_type")
    return hf.PI0Config(vlm_config=vlm, dit_config=hf.GemmaConfig(**expert), **{"chunk_size": chunk, **fields})


def as_lerobot(folder: Path, cameras: list[str], size: int) -> Path:
    """The same as LeRobot writes it: its configuration, its names of weights, no tokenizer and no processor."""
    from safetensors.torch import load_file, save_file

    told = json.loads((folder / "config.json").read_text())
    keys = ("chunk_size", "max_state_dim", "max_action_dim", "num_inference_steps", "vlm_config", "dit_config")
    inputs = {camera: {"type": "VISUAL", "shape": [3, SIDE, SIDE]} for camera in cameras}
    inputs["observation.state"] = {"type": "STATE", "shape": [size]}
    outputs = {"action": {"type": "ACTION", "shape": [size]}}
    fields = {"type": "pi0", "input_features": inputs, "output_features": outputs, **{key: told[key] for key in keys}}
    (folder / "config.json").write_text(json.dumps(fields))
    weights = load_file(folder / "model.safetensors")
    renamed = {_lerobots(name): weight for name, weight in weights.items()}
    save_file({f"model.{name}": weight for name, weight in renamed.items()}, folder / "model.safetensors")
    scale = {f"{name}.{kind}": torch.full((size,), value) for name in ("observation.state", "action")
             for kind, value in (("mean", 0.01), ("std", 0.05))}
    save_file(scale, folder / "policy_preprocessor_step_5_normalizer_processor.safetensors")
    for file in ("tokenizer.json", "tokenizer_config.json", "processor_config.json"):
        (folder / file).unlink()
    return folder


def _lerobots(name: str) -> str:
    both = "paligemma_with_expert"
    for ours, theirs in (
        ("embed_action_time.", ""),
        ("model.vlm.language_model.embed_tokens", f"{both}.paligemma.lm_head"),
        ("model.dit.embed_tokens", f"{both}.gemma_expert.lm_head"),
        ("model.vlm.", f"{both}.paligemma.model."),
        ("model.dit.", f"{both}.gemma_expert.model."),
    ):
        if name.startswith(ours):
            return theirs + name.removeprefix(ours)
    return name


def gemma() -> hf.GemmaTokenizer:
    """Gemma's class: spaces as "▁", bytes as "<0x00>", no space put before a text."""
    trainer = trainers.BpeTrainer(
        vocab_size=400, show_progress=False,
        special_tokens=["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *(f"<0x{byte:02X}>" for byte in range(256))],
    )
    inner = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    inner.normalizer = normalizers.Replace(" ", "▁")
    inner.pre_tokenizer = pre_tokenizers.Split(Regex(r"[^▁]+▁?|▁"), behavior="isolated")
    inner.train_from_iterator([*SENTENCES * 4, *map(chr, range(32, 127))], trainer)
    trained = json.loads(inner.to_str())["model"]
    return hf.GemmaTokenizer(vocab=trained["vocab"], merges=[tuple(pair) for pair in trained["merges"]])
