"""A flow-matching transformer for chunks: it learns in which direction noisy actions become the demonstrator's.

With flow time t from 0 (noise) to 1 (actions), x = (1 - t) noise + t actions has the velocity actions - noise; the
network learns its mean given x, t and what was sensed (Lipman et al. 2023, arXiv 2210.02747), as action experts do
(pi0, arXiv 2410.24164). Half of the chunks are learned with their first points given, free of noise and at time 1, so
that a chunk can go on from actions that are on their way (Black et al. 2025, arXiv 2512.05964). What was sensed is
read once for all steps: each window by a small convolutional network whose features say where they are (spatial
softmax, Finn et al. 2016) and how the window looks, then a transformer over these, the measurements, the skill and the
words. Flow time enters by adaptive layer norms (Peebles and Xie 2023).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from tandem.bridge.contract import InvalidOption
from tandem.policies.learned.network import Answer, Lesson, Senses, Shapes

_LEFT_WEIGHT = 0.2


@dataclass(frozen=True)
class FlowConfig:
    """How large the network is, and how it draws.

    Attributes:
        dim: numbers of a token.
        heads: of attention.
        reading: layers of the transformer that reads.
        writing: layers of the one that writes actions.
        channels: of the convolutions, each of which halves a window.
        glance: channels of which the whole map is kept.
        draws: noises that each sample is learned with; they share the reading.
        steps: Euler steps from noise to actions.
        samples: chunks that are drawn; how far they lie apart says how sure the policy is.
        noise: deviation of the noise that drawing begins with; below 1 it keeps to what is likely.
        spread: normalised deviation between samples at which confidence is one half.
        prefix: most points that are given, free of noise, in what it learns from; 0 for none.
    """

    dim: int = 128
    heads: int = 4
    reading: int = 2
    writing: int = 3
    channels: tuple[int, ...] = (16, 32, 64)
    glance: int = 8
    draws: int = 2
    steps: int = 5
    samples: int = 3
    noise: float = 0.5
    spread: float = 0.5
    prefix: int = 3

    def __post_init__(self):
        object.__setattr__(self, "channels", tuple(self.channels))
        if self.dim % (2 * self.heads) or min(self.draws, self.steps, self.samples, *self.channels) < 1:
            raise InvalidOption(f"dim is a multiple of twice the heads and all counts are at least 1: {self}")
        if not (self.noise >= 0 and self.spread > 0 and self.prefix >= 0):
            raise InvalidOption(
                f"noise and prefix are not negative and spread is positive, got {self.noise}, {self.prefix} and "
                f"{self.spread}"
            )


class Flow(nn.Module):
    """See the module and `Network`.

    Args:
        shapes: what it is made for.
        config: how large it is.
    """

    def __init__(self, shapes: Shapes, config: FlowConfig | None = None):
        super().__init__()
        self.shapes, self.config = shapes, config or FlowConfig()
        dim = self.config.dim
        self.windows = nn.ModuleList(Glance(size, self.config) for size in shapes.pictures)
        self.measured = nn.Sequential(nn.Linear(shapes.state, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))
        self.skill = nn.Embedding(shapes.skills, dim)
        self.words = nn.Embedding(shapes.words, dim, padding_idx=0)
        self.kinds = nn.Parameter(0.02 * torch.randn(len(shapes.pictures) + 2 + shapes.length, dim))
        self.readers = nn.ModuleList(Reader(dim, self.config.heads) for _ in range(self.config.reading))
        self.read_norm = nn.LayerNorm(dim)
        self.end = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, 1))
        self.action_in = nn.Linear(shapes.action, dim)
        self.places = nn.Parameter(0.02 * torch.randn(shapes.horizon, dim))
        self.time = nn.Sequential(nn.Linear(dim, dim), nn.SiLU(), nn.Linear(dim, dim), nn.SiLU())
        self.writers = nn.ModuleList(Writer(dim, self.config.heads) for _ in range(self.config.writing))
        self.action_out = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, shapes.action))
        nn.init.zeros_(self.action_out[1].weight)

    def read(self, told: Senses) -> Tensor:
        """(B, N, dim) what was sensed; the first token is the measurements'."""
        tokens = [self.measured(told.state), self.skill(told.skill)]
        tokens += [window(picture) for window, picture in zip(self.windows, told.pictures, strict=True)]
        x = torch.cat([torch.stack(tokens, 1), self.words(told.words)], 1) + self.kinds
        for layer in self.readers:
            x = layer(x)
        return self.read_norm(x)

    def left(self, sensed: Tensor) -> Tensor:
        """(B,) logits of the share of the chunk after which the subgoal is done."""
        return self.end(sensed[:, 0])[:, 0]

    def velocity(self, noisy: Tensor, times: Tensor, sensed: Tensor) -> Tensor:
        """(B, K, a) at noisy actions (B, K, a) and flow times (B,), or (B, K) where each point has its own."""
        when = self.time(waves(times if times.ndim == 2 else times[:, None], self.config.dim))
        x = self.action_in(noisy) + self.places
        for layer in self.writers:
            x = layer(x, when, sensed)
        return self.action_out(x)

    @torch.no_grad()
    def answer(self, told: Senses, generator: Generator) -> Answer:
        """See `Network`: the sample nearest to the mean of all comes first."""
        config, shapes = self.config, self.shapes
        sensed = self.read(told)
        left = torch.sigmoid(self.left(sensed))
        x = torch.randn(config.samples, shapes.horizon, shapes.action, generator=generator).to(sensed) * config.noise
        sensed = sensed.expand(config.samples, -1, -1)
        for k in range(config.steps):
            x = x + self.velocity(x, x.new_full((config.samples,), k / config.steps), sensed) / config.steps
        apart = (x - x.mean(0)).square().mean((1, 2)).sqrt()
        confidence = 1 / (1 + (apart.mean() / config.spread) ** 2)
        return Answer(x[apart.argsort()], left, confidence[None])

    def loss(self, lesson: Lesson, generator: Generator) -> tuple[Tensor, Mapping[str, Tensor]]:
        """See `Network`: the velocity's error, and that of the end."""
        draws, actions = self.config.draws, lesson.actions
        sensed = self.read(lesson.senses)
        left = functional.binary_cross_entropy_with_logits(self.left(sensed), lesson.remaining)
        actions = actions.repeat_interleave(draws, 0)
        noise = torch.randn(actions.shape, generator=generator).to(actions)
        times = torch.rand(len(actions), 1, generator=generator).to(actions).expand(actions.shape[:2])
        given = self._given(len(actions), generator).to(actions.device)
        times = torch.where(given, 1.0, times)
        t = times[..., None]
        found = self.velocity((1 - t) * noise + t * actions, times, sensed.repeat_interleave(draws, 0))
        flow = (found - (actions - noise))[~given].square().mean()
        return flow + _LEFT_WEIGHT * left, {"flow": flow.detach(), "left": left.detach()}

    def _given(self, count: int, generator: Generator) -> Tensor:
        """(count, K) which points are given: none in half of the chunks, else the first few."""
        longest = min(self.config.prefix, self.shapes.horizon - 1)
        few = torch.randint(1, longest + 1, (count,), generator=generator) if longest else torch.zeros(count)
        few = few * torch.randint(0, 2, (count,), generator=generator)
        return torch.arange(self.shapes.horizon) < few[:, None]


def waves(times: Tensor, dim: int) -> Tensor:
    """(..., dim) sines and cosines of flow times (...)."""
    rates = torch.exp(torch.linspace(0.0, math.log(100.0), dim // 2, device=times.device, dtype=times.dtype))
    angles = 2 * times[..., None] * rates
    return torch.cat([angles.sin(), angles.cos()], -1)


class Glance(nn.Module):
    """A window as one token: where each feature is, and a small map of the whole."""

    def __init__(self, size: tuple[int, int], config: FlowConfig):
        super().__init__()
        layers: list[nn.Module] = []
        before, (height, width) = 3, size
        for i, channels in enumerate(config.channels):
            wide = 5 if i == 0 else 3
            layers += [nn.Conv2d(before, channels, wide, 2, wide // 2), nn.GroupNorm(_groups(channels), channels),
                       nn.ReLU(inplace=True)]
            before, height, width = channels, -(-height // 2), -(-width // 2)
        self.layers = nn.Sequential(*layers, nn.Conv2d(before, before, 3, 1, 1), nn.ReLU(inplace=True))
        self.whole = nn.Conv2d(before, config.glance, 1)
        self.sharp = nn.Parameter(torch.ones(()))
        self.out = nn.Sequential(
            nn.Linear(3 * before + config.glance * height * width, config.dim), nn.GELU(),
            nn.Linear(config.dim, config.dim),
        )
        rows, columns = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
        self.register_buffer("grid", torch.stack([columns.ravel(), rows.ravel()], 1), persistent=False)

    def forward(self, picture: Tensor) -> Tensor:
        """(B, dim) of RGB (B, 3, h, w) in 0..1."""
        features = self.layers(2 * picture - 1)
        flat = features.flatten(2)
        where = torch.softmax(self.sharp * flat, -1) @ self.grid
        strongest = flat.amax(-1)
        return self.out(torch.cat([where.flatten(1), strongest, self.whole(features).flatten(1)], 1))


def _groups(channels: int) -> int:
    return next(n for n in (8, 4, 2, 1) if channels % n == 0)


class Attention(nn.Module):
    """Of queries (B, Q, dim) to what is there (B, N, dim)."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads = heads
        self.query, self.pair, self.out = nn.Linear(dim, dim), nn.Linear(dim, 2 * dim), nn.Linear(dim, dim)

    def forward(self, queries: Tensor, there: Tensor) -> Tensor:
        """(B, Q, dim)."""
        q, (k, v) = self.query(queries), self.pair(there).chunk(2, -1)
        q, k, v = (x.unflatten(-1, (self.heads, -1)).transpose(1, 2) for x in (q, k, v))
        return self.out(functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


def _mlp(dim: int) -> nn.Module:
    return nn.Sequential(nn.Linear(dim, 3 * dim), nn.GELU(), nn.Linear(3 * dim, dim))


class Reader(nn.Module):
    """A layer of a transformer, norms first."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.first, self.second = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention, self.mlp = Attention(dim, heads), _mlp(dim)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, dim)."""
        normed = self.first(x)
        x = x + self.attention(normed, normed)
        return x + self.mlp(self.second(x))


class Writer(nn.Module):
    """A layer over the points of a chunk: at themselves, at what was sensed, each in its own norm, as time has it."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(dim, elementwise_affine=False) for _ in range(3))
        self.own, self.sensed, self.mlp = Attention(dim, heads), Attention(dim, heads), _mlp(dim)
        self.adapt = nn.Linear(dim, 6 * dim)
        nn.init.zeros_(self.adapt.weight)
        nn.init.zeros_(self.adapt.bias)

    def forward(self, x: Tensor, when: Tensor, sensed: Tensor) -> Tensor:
        """(B, K, dim) given the embedding of time (B, K or 1, dim) and what was sensed (B, N, dim)."""
        a, b, c, d, e, f = self.adapt(when).chunk(6, -1)
        normed = self.norms[0](x) * (1 + a) + b
        x = x + self.own(normed, normed)
        x = x + self.sensed(self.norms[1](x) * (1 + c) + d, sensed)
        return x + self.mlp(self.norms[2](x) * (1 + e) + f)
