"""The grammar of an answer: which tokens may come next, and which text must.

Forced text is appended as tokens of its own, but only as far as whatever may follow leaves its tokens alone: of
`"red ` before `cube` or `bin` the space is left to the model, whose vocabulary has ` cube` as one token, and `red `,
too, where `red cube` was added to it as one. So the model reads the tokens it was trained on.
"""

from __future__ import annotations

import json
import string
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import torch
import xgrammar

from tandem.bridge.contract import InvalidPlan

_PROBES = string.ascii_letters + string.digits + string.punctuation + " "
# Every scene has a grammar of its own, and a process may plan for days: only the last ones are kept.
_KEPT_BYTES = 64 * 2**20
_KEPT_TEXTS = 4096


class Grammars:
    """Compiles schemas for one tokenizer, and keeps what was used last.

    Args:
        tokenizer: of the model.
        vocabulary: size of the model's output, which may be larger than the tokenizer's.
    """

    def __init__(self, tokenizer: Any, vocabulary: int):
        self.tokenizer, self.vocabulary = tokenizer, vocabulary
        info = xgrammar.TokenizerInfo.from_huggingface(tokenizer, vocab_size=vocabulary)
        self._compiler = xgrammar.GrammarCompiler(info, max_threads=1, cache_limit_bytes=_KEPT_BYTES)
        self.stable_tokens = lru_cache(maxsize=_KEPT_TEXTS)(self._stable_tokens)
        self.control = {token for token, added in tokenizer.added_tokens_decoder.items() if added.special}
        self.longest_token = max(map(len, tokenizer.get_vocab()))
        self._added = [added.content for added in tokenizer.added_tokens_decoder.values() if not added.special]
        self.text_only = bitmask(vocabulary, forbidden=self.control)
        self._probes = {char: ids[0] for char in _PROBES if len(ids := self._encode(char)) == 1}

    def compiled(self, schema: Mapping[str, Any]) -> xgrammar.CompiledGrammar:
        """The grammar of a JSON schema, written compactly. Raises `InvalidPlan` for a schema that is none."""
        try:
            return self._compiler.compile_json_schema(json.dumps(schema), any_whitespace=False, separators=(",", ":"))
        except RuntimeError as error:
            raise InvalidPlan(f"the schema of the answer has no grammar: {error}") from error

    def _stable_tokens(self, text: str, follow: str) -> list[int]:
        """The tokens of a text that stay the same whichever of the characters in `follow` comes after it."""
        tokens = self._encode(text)
        for char in follow:
            longer = self._encode(text + char)
            while tokens != longer[: len(tokens)]:
                tokens = tokens[:-1]
        return self._before_longer(tokens, text) if follow else tokens

    def _before_longer(self, tokens: list[int], text: str) -> list[int]:
        """The tokens before the first at which a word that was added to the vocabulary could begin and go on."""
        start = 0
        for count, token in enumerate(tokens):
            if any(len(word) > len(text) - start and word.startswith(text[start:]) for word in self._added):
                return tokens[:count]
            start += len(self.tokenizer.decode([token]))
        return tokens

    def allowed_chars(self, mask: torch.Tensor) -> str:
        """The characters, out of the common ones, that a bitmask allows as tokens of their own."""
        words = mask.tolist()
        return "".join(char for char, token in self._probes.items() if words[token // 32] >> (token % 32) & 1)

    def _encode(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)


class Guide:
    """Where one answer stands in its grammar.

    Args:
        grammars: of the model.
        schema: that the answer must satisfy.
    """

    def __init__(self, grammars: Grammars, schema: Mapping[str, Any]):
        self._grammars = grammars
        self._matcher = xgrammar.GrammarMatcher(grammars.compiled(schema), terminate_without_stop_token=True)
        self._mask = xgrammar.allocate_token_bitmask(1, grammars.vocabulary)

    @property
    def finished(self) -> bool:
        """The answer is complete and nothing can follow."""
        return self._matcher.is_terminated()

    def restrict(self, logits: torch.Tensor) -> torch.Tensor:
        """The logits (V,) with -inf for every token that may not come next; in place."""
        apply(self._allowed(self._matcher), logits)
        return logits

    def accept(self, token: int) -> None:
        """Go on by a token that `restrict` left over."""
        if not self._matcher.accept_token(token):
            raise AssertionError(f"token {token} was allowed and is refused")

    def forced(self) -> list[int]:
        """Tokens that must come next, accepted already; none when there is a choice."""
        text = self._matcher.find_jump_forward_string()
        if not text or self.finished:
            return []
        after = self._matcher.fork()
        if not after.accept_string(text):
            return []
        follow = "" if after.is_terminated() else self._grammars.allowed_chars(self._allowed(after)[0])
        tokens = self._grammars.stable_tokens(text, follow)
        for count, token in enumerate(tokens):
            # A tokenizer that puts a space before a text has no tokens for its middle: the model writes it then.
            if not self._matcher.accept_token(token):
                self._matcher.rollback(count)
                return []
        return tokens

    def _allowed(self, matcher: xgrammar.GrammarMatcher) -> torch.Tensor:
        matcher.fill_next_token_bitmask(self._mask)
        return torch.bitwise_and(self._mask, self._grammars.text_only, out=self._mask)


def bitmask(vocabulary: int, *, forbidden: set[int]) -> torch.Tensor:
    """int32 (1, ceil(V / 32)) with a bit for each token, zero for the forbidden ones."""
    mask = xgrammar.allocate_token_bitmask(1, vocabulary)
    allowed = torch.ones(mask.shape[1] * 32, dtype=torch.bool)
    allowed[[token for token in forbidden if token < vocabulary]] = False
    weights = 2 ** torch.arange(32, dtype=torch.int64)
    packed = (allowed.view(-1, 32) * weights).sum(dim=1)
    return packed.where(packed < 2**31, packed - 2**32).to(torch.int32)[None]


def apply(mask: torch.Tensor, logits: torch.Tensor) -> None:
    """Set the logits (V,) of tokens without a bit to -inf, in place, on the device where they are."""
    xgrammar.apply_token_bitmask_inplace(logits[None], mask.to(logits.device, non_blocking=True))
