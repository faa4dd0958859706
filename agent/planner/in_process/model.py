"""Any open checkpoint as a `Model`, in this process: transformers reads, a grammar masks, forced text costs no step.

Whatever the weights, a reply satisfies its schema or `PlannerFailed` says why there is none.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from functools import lru_cache
from typing import Any

import torch

from tandem.agent.planner.in_process.asking import Asking, Desk, value_of
from tandem.agent.planner.in_process.chat import Chat
from tandem.agent.planner.in_process.decode import Continuation, Growing, may_share_a_batch, write
from tandem.agent.planner.in_process.fixed import Workbench, may_be_fixed
from tandem.agent.planner.in_process.grammar import Grammars
from tandem.agent.planner.in_process.load import load
from tandem.agent.planner.in_process.options import Options, Sampling
from tandem.agent.planner.in_process.reader import Read, Reader
from tandem.agent.planner.in_process.writer import Writer
from tandem.agent.planner.model import Answer, Question
from tandem.agent.planner.record import check_pictures, model_record
from tandem.bridge.checkpoints import digest_of
from tandem.bridge.contract import PlannerFailed


class InProcessModel:
    """A checkpoint, loaded and ready. Satisfies `tandem.agent.planner.model.Model`.

    Questions are read one after another, each after its kept prefix, and answered side by side where the model's cache
    allows it (`decode.may_share_a_batch`); otherwise one after another.

    Args:
        name: folder or hub id.
        options: where and how it runs.

    Raises:
        ModelUnusable, UnknownName, InvalidOption, MissingDependency: see `load`.
    """

    def __init__(self, name: str, options: Options | None = None):
        self.options = options or Options()
        self._loaded = load(name, self.options)
        self.family = self._loaded.checkpoint.family
        self._model, self._tokenizer = self._loaded.model, self._loaded.tokenizer
        text = self._model.config.get_text_config(decoder=True)
        self.context = min(self.options.context, text.max_position_embeddings)
        self._chat = Chat(self.family, self._loaded.processor, self._tokenizer)
        self._resized = lru_cache(maxsize=64)(self._chat.resized)
        self._desk = Desk(
            self._chat, Grammars(self._tokenizer, text.vocab_size), self.options, self.context, self._stops(),
            self.family.think if self.options.think_tokens else None,
        )
        self._reader = Reader(self._model, self.options.reuse_prefix and self.family.prefix_reuse)
        self._bench = self._workbench()
        self._who = model_record(
            self, id=name, revision=self._loaded.checkpoint.revision, digest=digest_of(self._loaded.digests)
        )
        self._turn = threading.Lock()

    def resized(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of a picture after the family's own resizing."""
        return self._resized(width, height) if self.family.sees else (width, height)

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """One answer for each question, in order. Raises `PlannerFailed` when one of them cannot be had."""
        with self._turn, torch.inference_mode():
            began = time.perf_counter()
            askings = [self._open(question) for question in questions]
            reads = [self._read(asking) for asking in askings]
            self._write(askings, reads)
            return self._answers(askings, reads, time.perf_counter() - began)

    def describe(self) -> dict[str, Any]:
        """What a log must say of this model."""
        need, sampling = self._loaded.need, self.options.sampling
        return {
            **self._who, "weights": dict(self._loaded.digests), "backend": "in_process",
            "device": str(self._model.device), "dtype": str(self._model.dtype).removeprefix("torch."),
            "bits": self.options.bits, "accelerated": self._bench is not None,
            "parameters": need.parameters, "estimated_bytes": need.total,
            "context": self.context, "think_tokens": self.options.think_tokens if self._desk.thinks else 0,
            "sampling": {"temperature": sampling.temperature, "top_p": sampling.top_p, "seed": sampling.seed},
            "grammar": self.options.grammar,
        }

    def with_sampling(self, sampling: Sampling) -> InProcessModel:
        """The same weights, other words: a model that chooses tokens in another way. They take turns."""
        twin = copy(self)
        twin.options = replace(self.options, sampling=sampling)
        twin._desk = self._desk.with_options(twin.options)
        return twin

    def _open(self, question: Question) -> Asking:
        check_pictures(question, sees=self.family.sees)
        return self._desk.open(question)

    def _read(self, asking: Asking) -> Read:
        return self._reader.read(asking.prompt, self._chat.shared(asking.question, thinking=self._desk.thinks))

    def _write(self, askings: Sequence[Asking], reads: Sequence[Read]) -> None:
        together = len(reads) > 1 and may_share_a_batch(reads)
        for rows in [range(len(reads))] if together else [[row] for row in range(len(reads))]:
            writers, part = [askings[row].writer for row in rows], [reads[row] for row in rows]
            write(writers, [read.logits for read in part], self._continuation(writers, part))

    def _continuation(self, writers: Sequence[Writer], reads: Sequence[Read]) -> Continuation:
        if self._bench is not None and len(reads) == 1:
            return self._bench.place(reads[0], writers[0].longest)
        return Growing(self._model, reads)

    def _answers(self, askings: Sequence[Asking], reads: Sequence[Read], seconds: float) -> list[Answer]:
        """Each question is said to have taken its share of the time."""
        records = [
            asking.record(self, self._who, read, self._tokenizer, seconds / len(askings))
            for asking, read in zip(askings, reads, strict=True)
        ]
        errors = [record["error"] for record in records if record["error"]]
        if errors:
            raise PlannerFailed(errors[0], records)
        return [Answer(value_of(record), record) for record in records]

    def _workbench(self) -> Workbench | None:
        wanted = self.options.accelerate_decoding
        if wanted is None:
            wanted = self._model.device.type == "cuda"
        return Workbench(self._model) if wanted and may_be_fixed(self._model) else None

    def _stops(self) -> set[int]:
        """Tokens that end any text of this model."""
        ends = self._model.generation_config.eos_token_id
        listed = ends if isinstance(ends, list) else [ends]
        return {token for token in (*listed, self._tokenizer.eos_token_id) if token is not None}
