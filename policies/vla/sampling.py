"""How the network is run: as it is, or in fixed buffers, on CUDA as captured graphs, compiled if that is wanted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Protocol

import torch
from torch import Tensor

from tandem.bridge.contract import UnknownName
from tandem.policies.vla.network import Asked, Network, Prefix

SPEEDS = ("eager", "graphs", "compiled")
_WARM = 3  # calls before a capture, in which libraries take their workspaces


class Field(Protocol):
    """What samplers need of a network."""

    def read(self, asked: Asked) -> Prefix:
        """See `Network`."""

    def velocity(self, prefix: Prefix, noisy: Tensor, time: Tensor) -> Tensor:
        """See `Network`."""


def field_of(network: Network, speed: str = "eager", backend: str = "inductor") -> Field:
    """The network, run in one of the ways of `SPEEDS`.

    Args:
        network: which.
        speed: "eager"; "graphs", in fixed buffers, which CUDA replays without Python in between; "compiled", the same
            of kernels that torch.compile has fused.
        backend: of torch.compile.
    """
    if speed not in SPEEDS:
        raise UnknownName("speed", speed, SPEEDS)
    if speed == "eager":
        return network
    return Static(network, backend if speed == "compiled" else None)


class Static:
    """The same sums in fixed buffers. Shapes must stay those of the first chunk; others begin anew.

    What it gives is overwritten by the next call. A velocity that is to be differentiated is computed as it is.

    Args:
        network: which.
        backend: of torch.compile; None leaves the kernels as they are.
    """

    def __init__(self, network: Network, backend: str | None = None):
        self._network = network
        made = (network.read_tensors, network.velocity_tensors)
        if backend is not None:
            made = tuple(torch.compile(one, fullgraph=True, dynamic=False, backend=backend) for one in made)
        self._reading, self._moving = _Buffered(made[0]), _Buffered(made[1], taken=len(fields(Prefix)))

    def read(self, asked: Asked) -> Prefix:
        """See `Network`; the tensors are the buffers."""
        with torch.no_grad():
            return Prefix(*self._reading(*asked.tensors()))

    def velocity(self, prefix: Prefix, noisy: Tensor, time: Tensor) -> Tensor:
        """See `Network`."""
        if noisy.requires_grad and torch.is_grad_enabled():
            return self._network.velocity(prefix, noisy, time)
        with torch.no_grad():
            return self._moving(*prefix.tensors(), noisy, time)[0].clone()


class _Buffered:
    """A function of tensors whose inputs are copied into fixed places, and on CUDA a graph that works on these.

    Args:
        function: which.
        taken: so many of its first inputs are buffers of another one, and read where they are.
    """

    def __init__(self, function: Callable[..., tuple[Tensor, ...] | Tensor], taken: int = 0):
        self._function, self._taken = function, taken
        self._inputs: tuple[Tensor, ...] = ()
        self._outputs: tuple[Tensor, ...] = ()
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        if not self._fits(inputs):
            self._begin(inputs)
        for place, value in zip(self._inputs, inputs, strict=True):
            if place is not value:
                place.copy_(value)
        if self._graph is not None:
            self._graph.replay()
        else:
            for place, value in zip(self._outputs, self._call(), strict=True):
                place.copy_(value)
        return self._outputs

    def _fits(self, inputs: tuple[Tensor, ...]) -> bool:
        return len(inputs) == len(self._inputs) and all(
            one.shape == other.shape and one.dtype == other.dtype
            for one, other in zip(inputs, self._inputs, strict=True)
        )

    def _begin(self, inputs: tuple[Tensor, ...]) -> None:
        """Take places for these shapes; on CUDA, capture what is done with them."""
        self._inputs = *inputs[:self._taken], *(one.clone() for one in inputs[self._taken:])
        self._graph = None
        if inputs[0].device.type != "cuda":
            self._outputs = tuple(one.clone() for one in self._call())
            return
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(_WARM):
                self._call()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):  # others may be at work on the same GPU
            self._outputs = self._call()
        self._graph = graph

    def _call(self) -> tuple[Tensor, ...]:
        made = self._function(*self._inputs)
        return made if isinstance(made, tuple) else (made,)
