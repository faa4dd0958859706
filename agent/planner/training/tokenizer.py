"""The embedded model's own tokenizer: byte-level, numbers as single words, the glue of answers as single words.

An answer of this system is mostly punctuation that a grammar forces. Glued together at the places where a choice is
made, it costs one token between two choices.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import Qwen2TokenizerFast

from tandem.agent.planner.training.words import COLOURS, KINDS

END, START, STOP = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
VISION_START, VISION_END, IMAGE, VIDEO = "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"
SPECIAL = (END, START, STOP, VISION_START, VISION_END, IMAGE, VIDEO)
NUMBERS = tuple(str(number) for number in range(1000))
GLUE = (
    '{"things":[', '{"name":"', '"},{"name":"', '","point":[', '],"where":"', '"},', '"}]}', '[]}', ']}},', ']}}]}',
    ']}}',
    '{"feasible":true,"steps":[', '{"feasible":false,"reason":"', '{"skill":"', '","object":{"name":"',
    '","object":"', '","target":{"name":"', ']},"target":{"name":"', '"}', '{"evidence":"', '","verdict":"',
    "\n- ", " at [", "], ",
)
DECISIONS = ('{"feasible":true,"steps":[', '{"feasible":false,"reason":"', '[]}', '"}]}', ']}},', ']}}]}', '{"skill":"')
"""Words with which an answer takes a turn: whether it can be done, whether there is more."""
PHRASES = ("on the table", "out of reach", "in the gripper", "in the ", "on the ", "stack_on")
COLOURED = ("cube", "cylinder", "brick", "block", "bin", "peg", "socket", "parcel", "drawer", "drawer handle")
NAMES = (*KINDS, *(f"{colour} {kind}" for colour in COLOURS[1:] for kind in COLOURED))
"""A name is one word: whether a thing is there is then a matter of one look."""
_WORDS = Regex(r"\d{1,3}| ?[A-Za-z]+|\s+(?!\S)|\s| ?[^\sA-Za-z\d]+")


def train(texts: Iterable[str], vocabulary: int = 3072) -> Tokenizer:
    """Learn byte pairs from texts; `vocabulary` counts everything."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(_WORDS, "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    whole = (*SPECIAL, *NUMBERS, *GLUE, *PHRASES, *NAMES)
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary - len(whole), show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=[],
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens([AddedToken(word, special=True, normalized=False) for word in SPECIAL])
    tokenizer.add_tokens([AddedToken(word, normalized=False) for word in (*NUMBERS, *GLUE, *PHRASES)])
    tokenizer.add_tokens([AddedToken(word, single_word=True, normalized=False) for word in NAMES])
    return tokenizer


def wrap(tokenizer: Tokenizer) -> Qwen2TokenizerFast:
    """As transformers loads it."""
    return Qwen2TokenizerFast(
        tokenizer_object=tokenizer, eos_token=STOP, pad_token=END, unk_token=None, bos_token=None,
        additional_special_tokens=list(SPECIAL), model_max_length=4096, clean_up_tokenization_spaces=False,
    )


def ids(tokenizer: Tokenizer) -> dict[str, int]:
    """The tokens that a model's configuration names."""
    names = {"image": IMAGE, "video": VIDEO, "vision_start": VISION_START, "vision_end": VISION_END, "end": STOP,
             "pad": END}
    return {name: tokenizer.token_to_id(word) for name, word in names.items()}


def save(tokenizer: Tokenizer, folder: Path) -> None:
    """Write the files that `AutoTokenizer` reads."""
    wrap(tokenizer).save_pretrained(folder)
