"""Tokenizers of a few hundred tokens, trained here, with the control tokens and the classes of each maker."""

from __future__ import annotations

import json
from collections.abc import Sequence

import transformers as hf
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

SENTENCES = [
    "put the red cube in the blue bin and the green cube on the yellow plate, then go home",
    '{"feasible":true,"steps":[{"skill":"pick","object":{"name":"red cube","point":[512,430]}}]}',
    '{"feasible":false,"reason":"there is no red cube"}',
    '{"things":[{"name":"blue bin","point":[300,610],"where":"on the table"}]}',
    "You plan for a robot arm. Answer with the steps, and nothing else.",
    "true false null 0 1 2 3 4 5 6 7 8 9 10 100 999",
]
PATTERN = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def byte_level(control: Sequence[str], eos: str, plain: Sequence[str] = (), **named: str) -> hf.PreTrainedTokenizerFast:
    """Cut as Qwen's and Llama's are. Tokens in `plain` are added but no control tokens, as `<think>` often is."""
    tokenizer = hf.PreTrainedTokenizerFast(
        tokenizer_object=_trained_bytes(), eos_token=eos, pad_token=eos, extra_special_tokens=named,
        model_input_names=["input_ids", "attention_mask"],
    )
    return _with(tokenizer, control, plain)


def qwen(control: Sequence[str], **named: str) -> hf.Qwen2Tokenizer:
    """The class that Qwen's checkpoints name, and InternVL's."""
    trained = json.loads(_trained_bytes().to_str())["model"]
    tokenizer = hf.Qwen2Tokenizer(
        vocab=trained["vocab"], merges=[tuple(pair) for pair in trained["merges"]], eos_token="<|im_end|>",
        extra_special_tokens=named,
    )
    return _with(tokenizer, ["<|im_start|>", *control], ["<think>", "</think>"])


def gemma(control: Sequence[str], **named: str) -> hf.GemmaTokenizer:
    """Gemma's class: spaces as "▁", bytes as "<0x00>", no space put before a text."""
    trainer = trainers.BpeTrainer(
        vocab_size=560, show_progress=False,
        special_tokens=["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *(f"<0x{byte:02X}>" for byte in range(256))],
    )
    inner = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    inner.normalizer = normalizers.Replace(" ", "▁")
    inner.pre_tokenizer = pre_tokenizers.Split(Regex(r"[^▁]+▁?|▁"), behavior="isolated")
    inner.train_from_iterator([*SENTENCES * 4, *map(chr, range(32, 127))], trainer)
    trained = json.loads(inner.to_str())["model"]
    tokenizer = hf.GemmaTokenizer(
        vocab=trained["vocab"], merges=[tuple(pair) for pair in trained["merges"]], extra_special_tokens=named,
    )
    return _with(tokenizer, control, ())


def _trained_bytes() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PATTERN), behavior="isolated"), pre_tokenizers.ByteLevel(False, use_regex=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=512, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(SENTENCES * 4, trainer)
    return tokenizer


def _with(tokenizer: hf.PreTrainedTokenizerFast, control: Sequence[str], plain: Sequence[str]):
    tokenizer.add_tokens([AddedToken(token, special=True, normalized=False) for token in control])
    tokenizer.add_tokens([AddedToken(token, special=False, normalized=False) for token in plain])
    return tokenizer
