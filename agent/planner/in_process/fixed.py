"""Reading on from a cache of fixed size, one reply at a time, so that on CUDA each step is one captured graph.

A step always reads the same number of tokens. What the chunk does not fill is padding behind it, which no token sees
and the next step overwrites: a decoding step of a large model costs what its weights cost to read, whether it reads one
token or thirty-two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from transformers import PreTrainedModel, StaticCache
from transformers.cache_utils import StaticLayer

from tandem.agent.planner.in_process.grouped import PIECE, grouped
from tandem.agent.planner.in_process.reader import Read

_SIZES = (8, 32)  # tokens of a step
_GRAIN = 4 * PIECE  # places of a cache, in steps of this many: a graph belongs to one size of cache
_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")


def may_be_fixed(model: PreTrainedModel) -> bool:
    """Whether every layer attends to everything before it, and always does the same work: dense models without windows.

    What a mixture of experts computes depends on the token, and a graph cannot.
    """
    text = model.config.get_text_config(decoder=True)
    if any(getattr(text, name, None) for name in _EXPERTS) or text._attn_implementation != "sdpa":
        return False
    return all(type(layer) is StaticLayer for layer in StaticCache(model.config, 1).layers)


class Workbench:
    """The caches of one model, and the steps that read into them; both outlive the questions.

    Args:
        model: that reads.
    """

    def __init__(self, model: PreTrainedModel):
        self._model = model
        self._shelves: dict[int, Shelf] = {}

    def place(self, read: Read, room: int) -> Fixed:
        """Go on after a prompt, with room for this many tokens more."""
        places = read.cache.get_seq_length() + room + max(_SIZES)
        places = -(-places // _GRAIN) * _GRAIN
        if places not in self._shelves:
            self._shelves[places] = Shelf(self._model, places)
        return Fixed(self._shelves[places], read)


class Shelf:
    """One cache with a fixed number of places.

    Args:
        model: that reads.
        places: tokens that it holds.
    """

    def __init__(self, model: PreTrainedModel, places: int):
        self.model, self.cache = model, StaticCache(model.config, places)
        self._places = torch.arange(places, device=model.device)
        self._steps: dict[tuple[int, int], Step] = {}

    def load(self, read: Read) -> None:
        """Copy a prompt's keys and values to the first places."""
        for mine, theirs in zip(self.cache.layers, read.cache.layers, strict=True):
            if not mine.is_initialized:
                mine.lazy_initialization(theirs.keys, theirs.values)
            length = theirs.keys.shape[2]
            mine.keys[:, :, :length].copy_(theirs.keys)
            mine.values[:, :, :length].copy_(theirs.values)

    def step(self, size: int, axes: int) -> Step:
        """The step that reads `size` tokens, whose positions have this many axes."""
        if (size, axes) not in self._steps:
            self._steps[size, axes] = Step(self, size, axes, self._places)
        return self._steps[size, axes]


class Step:
    """Reads a chunk at a place. On CUDA it is compiled and captured when it is first used: minutes for a large model.

    Args:
        shelf: whose cache it reads into.
        size: tokens that it reads, padding included.
        axes: of positions.
        places: 0, 1, ... of the cache.
    """

    def __init__(self, shelf: Shelf, size: int, axes: int, places: torch.Tensor):
        device = shelf.model.device
        self._shelf, self._places, self._size = shelf, places, size
        self._offsets = torch.arange(size, device=device)
        self._ids = torch.zeros(1, size, dtype=torch.long, device=device)
        # Rehearsals write where no token ever stands: behind the prompt and all that may follow it.
        self._start = torch.full((1,), len(places) - size, device=device)
        self._last = torch.zeros(1, dtype=torch.long, device=device)
        self._position = torch.zeros(axes, 1, 1, dtype=torch.long, device=device)
        self._text = shelf.model.config.get_text_config(decoder=True)
        self._run = self._forward
        if device.type == "cuda":
            with grouped(self._text):
                self._run = self._captured()

    def __call__(self, chunk: list[int], start: int, position: torch.Tensor) -> torch.Tensor:
        """Read a chunk at a place; float logits (V,) after its last token, overwritten by the next step."""
        self._ids.copy_(torch.tensor([chunk + [0] * (self._size - len(chunk))]))
        self._start.fill_(start)
        self._last.fill_(len(chunk) - 1)
        self._position.copy_(position)
        with grouped(self._text):
            return self._run()

    def _forward(self) -> torch.Tensor:
        for layer in self._shelf.cache.layers:
            layer.cumulative_length.copy_(self._start[0])
        seen = self._places <= (self._start + self._offsets)[:, None]
        positions = self._position + self._offsets
        out = self._shelf.model(
            input_ids=self._ids, attention_mask=seen[None, None], use_cache=True, logits_to_keep=self._last,
            position_ids=positions if len(positions) > 1 else positions[0], past_key_values=self._shelf.cache,
        )
        return out.logits[0, 0].float()

    def _captured(self) -> Callable[[], torch.Tensor]:
        run = torch.compile(self._forward, dynamic=False)
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                run()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            logits = run()

        def replay() -> torch.Tensor:
            graph.replay()
            return logits

        return replay


class Fixed:
    """Reads on after one prompt.

    Args:
        shelf: with room for what comes.
        read: the prompt.
    """

    def __init__(self, shelf: Shelf, read: Read):
        self._shelf, self._start, self._position = shelf, read.cache.get_seq_length(), read.position
        shelf.load(read)

    def feed(self, chunks: Sequence[list[int]]) -> torch.Tensor:
        """Read the chunk, in pieces where it is longer than a step; float logits (1, V) after it."""
        [rest] = chunks
        while True:
            size = next((size for size in _SIZES if size >= len(rest)), _SIZES[-1])
            piece, rest = rest[:size], rest[size:]
            logits = self._shelf.step(size, len(self._position))(piece, self._start, self._position)
            self._start += len(piece)
            self._position = self._position + len(piece)
            if not rest:
                return logits[None]

    def keep(self, rows: list[int]) -> None:
        """There is one reply only."""
