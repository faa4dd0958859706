"""Checkpoints with real architectures, small configurations and random weights, written to disk as a maker would.

Each family gets the classes that transformers gives it, a tokenizer that is trained here, and a chat template in the
shape of the maker's own.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
import transformers as hf
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

SENTENCES = [
    "put the red cube in the blue bin and the green cube on the yellow plate, then go home",
    '{"feasible":true,"steps":[{"skill":"pick","object":{"name":"red cube","point":[512,430]}}]}',
    '{"feasible":false,"reason":"there is no red cube"}',
    '{"things":[{"name":"blue bin","point":[300,610],"where":"on the table"}]}',
    "You plan for a robot arm. Answer with the steps, and nothing else.",
    "true false null 0 1 2 3 4 5 6 7 8 9 10 100 999",
]
PATTERN = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def trained(size: int = 512) -> Tokenizer:
    """A byte-level tokenizer of a few hundred tokens, cut as Qwen's and Llama's are."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PATTERN), behavior="isolated"), pre_tokenizers.ByteLevel(False, use_regex=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(SENTENCES * 4, trainer)
    return tokenizer


def fast(special: list[str], *, plain: list[str] = (), eos: str, **named: str) -> hf.PreTrainedTokenizerFast:
    """The tokenizer with control tokens; `plain` ones are added but no control tokens, as `<think>` often is."""
    tokenizer = hf.PreTrainedTokenizerFast(
        tokenizer_object=trained(), eos_token=eos, pad_token=eos, extra_special_tokens=named,
        model_input_names=["input_ids", "attention_mask"],
    )
    tokenizer.add_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    tokenizer.add_tokens([AddedToken(token, special=False, normalized=False) for token in plain])
    return tokenizer


def qwen_tokenizer(special: list[str]) -> hf.Qwen2Tokenizer:
    """The class that Qwen's checkpoints name."""
    inner = trained()
    model = __import__("json").loads(inner.to_str())["model"]
    tokenizer = hf.Qwen2Tokenizer(
        vocab=model["vocab"], merges=[tuple(pair) for pair in model["merges"]], eos_token="<|im_end|>",
    )
    tokenizer.add_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    tokenizer.add_tokens([AddedToken(token, special=False, normalized=False) for token in ("<think>", "</think>")])
    return tokenizer


CHATML = """\
{%- for message in messages -%}
<|im_start|>{{ message.role }}
{% if message.content is string %}{{ message.content }}{% else %}{% for part in message.content -%}
{% if part.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part.text }}{% endif %}
{%- endfor %}{% endif %}<|im_end|>
{% endfor -%}
{%- if add_generation_prompt %}<|im_start|>assistant
{% if enable_thinking is defined and not enable_thinking %}<think>

</think>

{% endif %}{% endif -%}"""
QWEN_SPECIAL = ["<|im_start|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
ROPE = {"rope_type": "default", "rope_theta": 10000.0}
TEXT = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "max_position_embeddings": 4096}
QWEN_TEXT = {**TEXT, "head_dim": 16, "rope_parameters": {**ROPE, "mrope_section": [4, 2, 2], "mrope_interleaved": True}}


def save(model: hf.PreTrainedModel, processor: object, folder: Path) -> Path:
    """What a maker uploads."""
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def qwen3_vl(folder: Path, **text: object) -> Path:
    tokenizer = qwen_tokenizer(QWEN_SPECIAL)
    ids = tokenizer.convert_tokens_to_ids
    config = hf.Qwen3VLConfig(
        text_config={**QWEN_TEXT, "vocab_size": 640, **text},
        vision_config={"depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "patch_size": 16,
                       "out_hidden_size": text.get("hidden_size", 32), "num_position_embeddings": 64,
                       "deepstack_visual_indexes": [0]},
        image_token_id=ids("<|image_pad|>"), video_token_id=ids("<|video_pad|>"),
        vision_start_token_id=ids("<|vision_start|>"), vision_end_token_id=ids("<|vision_end|>"),
        tie_word_embeddings=True,
    )
    size = {"shortest_edge": 64 * 64, "longest_edge": 128 * 128}
    processor = hf.Qwen3VLProcessor(
        hf.Qwen2VLImageProcessor(patch_size=16, merge_size=2, size=size), tokenizer,
        hf.Qwen3VLVideoProcessor(patch_size=16, merge_size=2), chat_template=CHATML,
    )
    return save(hf.Qwen3VLForConditionalGeneration(config), processor, folder)


BUILDERS: dict[str, Callable[[Path], Path]] = {"qwen3_vl": qwen3_vl}


def build(model_type: str, folder: Path) -> Path:
    """Write the small checkpoint of a model type to a folder."""
    torch.manual_seed(0)
    return BUILDERS[model_type](folder)
