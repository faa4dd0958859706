"""Chat templates in the shape of the makers' own: the same markers in the same places, and no more."""

from __future__ import annotations

_PARTS = (
    "{% if message.content is string %}{{ message.content }}{% else %}{% for part in message.content %}"
    "{% if part.type == 'image' %}IMAGE{% else %}{{ part.text }}{% endif %}{% endfor %}{% endif %}"
)


def _turns(turn: str, image: str, ending: str, beginning: str = "") -> str:
    """A template of equal turns."""
    body = turn.replace("PARTS", _PARTS.replace("IMAGE", image))
    return (
        f"{beginning}{{% for message in messages %}}{body}{{% endfor %}}"
        f"{{% if add_generation_prompt %}}{ending}{{% endif %}}"
    )


_NO_THOUGHT = "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}"

CHATML = _turns(
    "<|im_start|>{{ message.role }}\nPARTS<|im_end|>\n", "<|vision_start|><|image_pad|><|vision_end|>",
    "<|im_start|>assistant\n" + _NO_THOUGHT,
)
INTERNVL = _turns(
    "<|im_start|>{{ message.role }}\nPARTS<|im_end|>\n", "<IMG_CONTEXT>\n", "<|im_start|>assistant\n"
)
DEEPSEEK_VL = _turns(
    "{% if message.role == 'system' %}PARTS\n\n{% else %}User: PARTS\n\n{% endif %}", "<image_placeholder>",
    "Assistant:", "<｜begin▁of▁sentence｜>",
)
KIMI = _turns(
    "<|im_{{ message.role }}|>{{ message.role }}<|im_middle|>PARTS<|im_end|>",
    "<|media_begin|>image<|media_content|><|media_pad|><|media_end|>",
    "<|im_assistant|>assistant<|im_middle|>"
    "{% if thinking is defined and not thinking %}<think></think>{% else %}<think>{% endif %}",
)
MINIMAX = _turns(
    "]~b]{% if message.role == 'system' %}developer{% else %}{{ message.role }}{% endif %}\nPARTS[e~[\n", "]<]image[>[",
    "]~b]ai\n{% if thinking_mode == 'disabled' %}</mm:think>{% elif thinking_mode == 'enabled' %}<mm:think>{% endif %}",
    "]~!b[]~b]system\nYou are a helpful assistant.[e~[\n",
)
LLAMA3 = _turns(
    "<|start_header_id|>{{ message.role }}<|end_header_id|>\n\nPARTS<|eot_id|>", "<|image|>",
    "<|start_header_id|>assistant<|end_header_id|>\n\n", "<|begin_of_text|>",
)
LLAMA4 = _turns(
    "<|header_start|>{{ message.role }}<|header_end|>\n\nPARTS<|eot|>", "<|image|>",
    "<|header_start|>assistant<|header_end|>\n\n", "<|begin_of_text|>",
)
GEMMA3 = _turns(
    "<start_of_turn>{{ message.role }}\nPARTS<end_of_turn>\n", "<start_of_image>", "<start_of_turn>model\n", "<bos>"
)
GPT_OSS = _turns(
    "{% if message.role == 'system' %}<|start|>developer<|message|># Instructions\n\nPARTS<|end|>"
    "{% else %}<|start|>{{ message.role }}<|message|>PARTS<|end|>{% endif %}",
    "", "<|start|>assistant", "<|start|>system<|message|>Reasoning: low<|end|>",
)
DEEPSEEK_R1 = _turns(
    "{% if message.role == 'system' %}PARTS{% else %}<｜User｜>PARTS{% endif %}", "", "<｜Assistant｜><think>\n",
    "<｜begin▁of▁sentence｜>",
)
