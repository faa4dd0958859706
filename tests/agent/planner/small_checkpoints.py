"""Checkpoints with real architectures, small configurations and random weights, written to disk as a maker would.

Each family gets the classes that transformers gives it, a tokenizer that is trained here, and a chat template in the
shape of the maker's own.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import small_templates as templates
import torch
import transformers as hf
from small_tokenizers import byte_level, gemma, qwen

VOCABULARY = 640  # larger than any of the tokenizers, as it is with the real ones
ROPE = {"rope_type": "default", "rope_theta": 10000.0}
TEXT = {
    "vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 4096,
}
SIGLIP = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
          "image_size": 56, "patch_size": 14}
QWEN_CONTROL = ["<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]


def qwen3_vl(folder: Path, moe: bool = False, **text: Any) -> Path:
    tokenizer = qwen(QWEN_CONTROL)
    sparse = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32} if moe else {}
    text = {**TEXT, "head_dim": 16, **sparse, **text}
    text["rope_parameters"] = {
        **ROPE, "mrope_section": [text["head_dim"] // 4, text["head_dim"] // 8, text["head_dim"] // 8],
        "mrope_interleaved": True,
    }
    kind = hf.Qwen3VLMoeConfig if moe else hf.Qwen3VLConfig
    config = kind(
        text_config=text,
        vision_config={"depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "patch_size": 16,
                       "out_hidden_size": text["hidden_size"], "num_position_embeddings": 64,
                       "deepstack_visual_indexes": [0]},
        tie_word_embeddings=True, **_qwen_ids(tokenizer),
    )
    model = hf.Qwen3VLMoeForConditionalGeneration if moe else hf.Qwen3VLForConditionalGeneration
    return save(model(config), _qwen_processor(hf.Qwen3VLProcessor, hf.Qwen3VLVideoProcessor, tokenizer, 16), folder)


def qwen3_vl_moe(folder: Path) -> Path:
    return qwen3_vl(folder, moe=True)


def qwen3_5(folder: Path) -> Path:
    tokenizer = qwen(QWEN_CONTROL)
    config = hf.Qwen3_5Config(
        text_config={
            **TEXT, "num_hidden_layers": 4, "head_dim": 32, "linear_key_head_dim": 8, "linear_value_head_dim": 8,
            "linear_num_key_heads": 2, "linear_num_value_heads": 4,
            "rope_parameters": {**ROPE, "mrope_section": [2, 1, 1], "mrope_interleaved": True,
                                "partial_rotary_factor": 0.25},
        },
        vision_config={"depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "patch_size": 16,
                       "out_hidden_size": 32, "num_position_embeddings": 64},
        **_qwen_ids(tokenizer),
    )
    model = hf.Qwen3_5ForConditionalGeneration(config)
    return save(model, _qwen_processor(hf.Qwen3VLProcessor, hf.Qwen3VLVideoProcessor, tokenizer, 16), folder)


def qwen2_5_vl(folder: Path) -> Path:
    tokenizer = qwen(QWEN_CONTROL)
    config = hf.Qwen2_5_VLConfig(
        text_config={**TEXT, "rope_parameters": {**ROPE, "mrope_section": [2, 1, 1]}},
        vision_config={"depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": 32,
                       "fullatt_block_indexes": [1]},
        tie_word_embeddings=True, **_qwen_ids(tokenizer),
    )
    model = hf.Qwen2_5_VLForConditionalGeneration(config)
    return save(model, _qwen_processor(hf.Qwen2_5_VLProcessor, hf.Qwen2VLVideoProcessor, tokenizer, 14), folder)


def deepseek_vl(folder: Path) -> Path:
    tokenizer = _deepseek_tokenizer()
    config = hf.DeepseekVLConfig(
        text_config={**TEXT, "model_type": "llama"}, vision_config=SIGLIP, **_deepseek_ids(tokenizer)
    )
    processor = hf.DeepseekVLProcessor(
        hf.DeepseekVLImageProcessor(size={"height": 56, "width": 56}), tokenizer, templates.DEEPSEEK_VL,
        num_image_tokens=16,
    )
    return save(hf.DeepseekVLForConditionalGeneration(config), processor, folder)


def deepseek_vl_hybrid(folder: Path) -> Path:
    tokenizer = _deepseek_tokenizer()
    config = hf.DeepseekVLHybridConfig(
        text_config={**TEXT, "model_type": "llama"}, vision_config=SIGLIP,
        high_res_vision_config={
            "hidden_size": 32, "output_channels": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
            "image_size": 128, "patch_size": 16, "global_attn_indexes": [1], "num_pos_feats": 16, "mlp_dim": 64,
        },
        **_deepseek_ids(tokenizer),
    )
    processor = hf.DeepseekVLHybridProcessor(
        hf.DeepseekVLHybridImageProcessor(
            size={"height": 56, "width": 56}, high_res_size={"height": 128, "width": 128}
        ),
        tokenizer, templates.DEEPSEEK_VL, num_image_tokens=16,
    )
    return save(hf.DeepseekVLHybridForConditionalGeneration(config), processor, folder)


MLA = {
    **TEXT, "num_key_value_heads": 4, "kv_lora_rank": 16, "q_lora_rank": 16, "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 8, "v_head_dim": 8, "n_routed_experts": 4, "n_group": 2, "topk_group": 1,
    "num_experts_per_tok": 2, "moe_intermediate_size": 32, "first_k_dense_replace": 1, "num_mtp_layers": 0,
    "rope_parameters": ROPE,
}


def kimi_k25(folder: Path) -> Path:
    tokenizer = byte_level(
        ["<|im_system|>", "<|im_user|>", "<|im_assistant|>", "<|im_middle|>", "<|im_end|>", "<|media_begin|>",
         "<|media_content|>", "<|media_pad|>", "<|media_end|>", "<|kimi_k25_video_placeholder|>", "[EOS]"],
        "[EOS]", ["<think>", "</think>"],
    )
    ids = tokenizer.convert_tokens_to_ids
    config = hf.Kimi_K25Config(
        text_config={**MLA, "model_type": "deepseek_v3", **_ends(tokenizer)},
        vision_config={"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
                       "pos_emb_height": 8, "pos_emb_width": 8},
        projection_hidden_size=32, image_token_id=ids("<|media_pad|>"),
        video_token_id=ids("<|kimi_k25_video_placeholder|>"), vision_start_token_id=ids("<|media_begin|>"),
        vision_end_token_id=ids("<|media_end|>"), tie_word_embeddings=False,
    )
    processor = hf.Kimi_K25Processor(
        hf.Kimi_K25ImageProcessor(max_patches=64), tokenizer, hf.Kimi_K25VideoProcessor(),
        chat_template=templates.KIMI,
    )
    return save(hf.Kimi_K25ForConditionalGeneration(config), processor, folder)


def minimax_m3_vl(folder: Path) -> Path:
    tokenizer = byte_level(
        ["]~!b[", "]~b]", "[e~[", "]<]image[>[", "]<]video[>[", "]<]start of image[>[", "]<]end of image[>["],
        "[e~[", ["<mm:think>", "</mm:think>"],
    )
    ids = tokenizer.convert_tokens_to_ids
    config = hf.MiniMaxM3VLConfig(
        text_config={
            **TEXT, "head_dim": 16, "rotary_dim": 8, "num_local_experts": 4, "num_experts_per_tok": 2,
            "dense_intermediate_size": 64, "shared_intermediate_size": 32, "index_n_heads": 2, "index_head_dim": 8,
            "index_block_size": 8, "index_topk_blocks": 2, "mlp_layer_types": ["dense", "sparse"],
            "layer_types": ["full_attention", "minimax_m3_sparse"], "rope_parameters": ROPE, **_ends(tokenizer),
        },
        vision_config={"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2},
        projector_hidden_size=32, image_token_index=ids("]<]image[>["), video_token_index=ids("]<]video[>["),
    )
    processor = hf.MiniMaxM3VLProcessor(
        hf.MiniMaxM3VLImageProcessor(size={"shortest_edge": 56 * 56, "longest_edge": 112 * 112}), tokenizer,
        hf.MiniMaxM3VLVideoProcessor(), chat_template=templates.MINIMAX,
    )
    return save(hf.MiniMaxM3SparseForConditionalGeneration(config), processor, folder)


def mllama(folder: Path) -> Path:
    tokenizer = byte_level(
        ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|python_tag|>", "<|image|>"],
        "<|eot_id|>",
    )
    tokenizer.bos_token = "<|begin_of_text|>"
    config = hf.MllamaConfig(
        text_config={**TEXT, "num_hidden_layers": 3, "cross_attention_layers": [1], "rope_parameters": ROPE,
                     **_ends(tokenizer), "bos_token_id": tokenizer.bos_token_id},
        vision_config={
            "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_global_layers": 1,
            "attention_heads": 2, "image_size": 56, "intermediate_layers_indices": [0, 1], "vision_output_dim": 96,
        },
        image_token_index=tokenizer.convert_tokens_to_ids("<|image|>"),
    )
    processor = hf.MllamaProcessor(
        hf.MllamaImageProcessor(size={"height": 56, "width": 56}, max_image_tiles=4), tokenizer, templates.LLAMA3
    )
    return save(hf.MllamaForConditionalGeneration(config), processor, folder)


def llama4(folder: Path) -> Path:
    tokenizer = byte_level(
        ["<|begin_of_text|>", "<|header_start|>", "<|header_end|>", "<|eot|>", "<|image_start|>", "<|image_end|>",
         "<|image|>", "<|patch|>", "<|tile_x_separator|>", "<|tile_y_separator|>"],
        "<|eot|>",
    )
    ids = tokenizer.convert_tokens_to_ids
    config = hf.Llama4Config(
        text_config={
            **TEXT, "head_dim": 8, "num_hidden_layers": 4, "num_local_experts": 2, "intermediate_size_mlp": 64,
            "interleave_moe_layer_step": 2, "attention_chunk_size": 64, "rope_parameters": ROPE, **_ends(tokenizer),
        },
        vision_config={
            "hidden_size": 32, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2,
            "vision_output_dim": 64, "image_size": 56, "projector_input_dim": 64, "projector_output_dim": 64,
            "rope_parameters": ROPE,
        },
        boi_token_index=ids("<|image_start|>"), eoi_token_index=ids("<|image_end|>"),
        image_token_index=ids("<|patch|>"),
    )
    processor = hf.Llama4Processor(
        hf.Llama4ImageProcessor(size={"height": 56, "width": 56}, max_patches=4), tokenizer,
        chat_template=templates.LLAMA4,
    )
    return save(hf.Llama4ForConditionalGeneration(config), processor, folder)


def internvl(folder: Path) -> Path:
    names = {"start_image_token": "<img>", "end_image_token": "</img>", "context_image_token": "<IMG_CONTEXT>",
             "video_token": "<video>"}
    tokenizer = qwen(list(names.values()), **names)
    config = hf.InternVLConfig(
        text_config={**TEXT, "model_type": "qwen2"},
        vision_config={"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
                       "image_size": [56, 56]},
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"), image_seq_length=4,
    )
    processor = hf.InternVLProcessor(
        hf.GotOcr2ImageProcessor(size={"height": 56, "width": 56}, max_patches=4), tokenizer,
        hf.InternVLVideoProcessor(), image_seq_length=4, chat_template=templates.INTERNVL,
    )
    return save(hf.InternVLForConditionalGeneration(config), processor, folder)


def gemma3(folder: Path) -> Path:
    names = {"image_token": "<image_soft_token>", "boi_token": "<start_of_image>", "eoi_token": "<end_of_image>"}
    tokenizer = gemma(["<start_of_turn>", "<end_of_turn>", *names.values()], **names)
    ids = tokenizer.convert_tokens_to_ids
    config = hf.Gemma3Config(
        text_config={**TEXT, "num_hidden_layers": 3, "head_dim": 16, "sliding_window": 16, "query_pre_attn_scalar": 16,
                     "layer_types": ["sliding_attention", "sliding_attention", "full_attention"]},
        vision_config={**SIGLIP, "vision_use_head": False}, mm_tokens_per_image=4,
        boi_token_index=ids("<start_of_image>"), eoi_token_index=ids("<end_of_image>"),
        image_token_index=ids("<image_soft_token>"),
    )
    processor = hf.Gemma3Processor(
        hf.Gemma3ImageProcessor(size={"height": 56, "width": 56}), tokenizer, templates.GEMMA3, image_seq_length=4
    )
    return save(hf.Gemma3ForConditionalGeneration(config), processor, folder)


def gpt_oss(folder: Path) -> Path:
    tokenizer = byte_level(
        ["<|start|>", "<|end|>", "<|message|>", "<|channel|>", "<|return|>", "<|endoftext|>"], "<|return|>"
    )
    tokenizer.chat_template = templates.GPT_OSS
    config = hf.GptOssConfig(
        **TEXT, head_dim=8, num_local_experts=4, num_experts_per_tok=2, sliding_window=16, rope_parameters=ROPE,
        **_ends(tokenizer),
    )
    return save(hf.GptOssForCausalLM(config), tokenizer, folder)


def qwen3(folder: Path, moe: bool = False) -> Path:
    tokenizer = qwen([])
    tokenizer.chat_template = templates.CHATML
    if moe:
        config = hf.Qwen3MoeConfig(**TEXT, head_dim=8, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=32)
        return save(hf.Qwen3MoeForCausalLM(config), tokenizer, folder)
    return save(hf.Qwen3ForCausalLM(hf.Qwen3Config(**TEXT, head_dim=8)), tokenizer, folder)


def qwen3_moe(folder: Path) -> Path:
    return qwen3(folder, moe=True)


def deepseek_v3(folder: Path) -> Path:
    tokenizer = byte_level(
        ["<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>"], "<｜end▁of▁sentence｜>",
        ["<think>", "</think>"],
    )
    tokenizer.chat_template = templates.DEEPSEEK_R1
    return save(hf.DeepseekV3ForCausalLM(hf.DeepseekV3Config(**MLA, **_ends(tokenizer))), tokenizer, folder)


BUILDERS: dict[str, Callable[[Path], Path]] = {
    build.__name__: build for build in (
        qwen3_vl, qwen3_vl_moe, qwen3_5, qwen2_5_vl, deepseek_vl, deepseek_vl_hybrid, kimi_k25, minimax_m3_vl, mllama,
        llama4, internvl, gemma3, gpt_oss, qwen3, qwen3_moe, deepseek_v3,
    )
}


def build(model_type: str, folder: Path) -> Path:
    """Write the small checkpoint of a model type to a folder."""
    torch.manual_seed(0)
    return BUILDERS[model_type](folder)


def save(model: hf.PreTrainedModel, processor: Any, folder: Path) -> Path:
    """What a maker uploads."""
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def _qwen_ids(tokenizer: Any) -> dict[str, int]:
    names = {"image_token_id": "<|image_pad|>", "video_token_id": "<|video_pad|>",
             "vision_start_token_id": "<|vision_start|>", "vision_end_token_id": "<|vision_end|>"}
    return {name: tokenizer.convert_tokens_to_ids(token) for name, token in names.items()}


def _qwen_processor(kind: Any, video: Any, tokenizer: Any, patch: int) -> Any:
    size = {"shortest_edge": 64 * 64, "longest_edge": 128 * 128}
    images = hf.Qwen2VLImageProcessor(patch_size=patch, merge_size=2, size=size)
    return kind(images, tokenizer, video_processor=video(patch_size=patch, merge_size=2),
                chat_template=templates.CHATML)


def _deepseek_tokenizer() -> Any:
    control = ["<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<image_placeholder>"]
    return byte_level(control, "<｜end▁of▁sentence｜>", image_token="<image_placeholder>")


def _deepseek_ids(tokenizer: Any) -> dict[str, Any]:
    return {"image_token_id": tokenizer.convert_tokens_to_ids("<image_placeholder>"), "tie_word_embeddings": False}


def _ends(tokenizer: Any) -> dict[str, Any]:
    return {"bos_token_id": None, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.eos_token_id}
