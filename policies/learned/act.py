"""ACT: a transformer that writes a whole chunk at once, trained as a conditional variational autoencoder.

Zhao et al. 2023, "Learning Fine-Grained Bimanual Manipulation with Low-Cost Hardware" (arXiv 2304.13705). While it
learns, a second transformer reads the demonstrated chunk into a few numbers, its style; when it drives, these are their
mean, zero. The chunk is read off by fixed queries, all at once.

What is computed is the paper's, and what no weight or picture can change is left out. The decoder has one layer (the
original's further ones reach no output). Its attention to itself begins with zeros and so gives all queries one and the
same vector, whatever is seen: that vector is learned as such (`start`). Of the styles' transformer only the first token
is read, so in its last layer only that one asks. The subgoal's skill and words are added to the measurements' token.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from tandem.bridge.contract import InvalidOption
from tandem.policies.learned.dropout import KEEP, Dropout
from tandem.policies.learned.network import Answer, Lesson, Senses, Shapes
from tandem.policies.learned.packing import Linear
from tandem.policies.learned.resnet import COARSER, Trunk

_LEFT_WEIGHT = 0.2


@dataclass(frozen=True)
class ActConfig:
    """How large the network is, and how it learns; the defaults are LeRobot's.

    Attributes:
        dim: numbers of a token.
        heads: of attention.
        feedforward: numbers between the two layers that each token goes through by itself.
        reading: layers of the transformer that reads pictures and measurements.
        styling: layers of the one that reads demonstrated chunks.
        latent: numbers of a style.
        widths: channels of the trunk's four stages.
        word: numbers of a word, before all words of the subgoal become part of one token.
        dropout: share of activations that are left out while learning.
        kl: weight of the divergence of styles from a normal distribution.
        samples: styles that are drawn; with more than one, how far the chunks lie apart says how sure the policy is.
        spread: normalised deviation between samples at which confidence is one half.
    """

    dim: int = 512
    heads: int = 8
    feedforward: int = 3200
    reading: int = 4
    styling: int = 4
    latent: int = 32
    widths: tuple[int, int, int, int] = (64, 128, 256, 512)
    word: int = 16
    dropout: float = 0.1
    kl: float = 10.0
    samples: int = 1
    spread: float = 0.5

    def __post_init__(self):
        object.__setattr__(self, "widths", tuple(self.widths))
        counts = (self.heads, self.feedforward, self.reading, self.styling, self.latent, self.word, self.samples)
        if self.dim % 4 or self.dim % self.heads or min(*counts, *self.widths) < 1 or len(self.widths) != 4:
            raise InvalidOption(
                f"dim is a multiple of the heads and of 4, there are four widths, and counts are at least 1: {self}")
        if not (0 <= self.dropout < 1 and self.kl >= 0 and self.spread > 0):
            raise InvalidOption(f"dropout is a share below 1, kl not negative and spread positive: {self}")


class Act(nn.Module):
    """See the module and `Network`.

    Args:
        shapes: what it is made for.
        config: how large it is.
    """

    def __init__(self, shapes: Shapes, config: ActConfig | None = None):
        super().__init__()
        self.shapes, self.config = shapes, config or ActConfig()
        config, dim = self.config, self.config.dim
        self.latent_in, self.state_in = nn.Linear(config.latent, dim), nn.Linear(shapes.state, dim)
        self.skill = nn.Embedding(shapes.skills, dim)
        self.words = nn.Embedding(shapes.words, config.word, padding_idx=0)
        self.words_in = nn.Linear(shapes.length * config.word, dim, bias=False)
        self.first_places = nn.Parameter(torch.randn(2, dim))
        self.readers = nn.ModuleList(Layer(config) for _ in range(config.reading))
        self.start = nn.Parameter(torch.zeros(dim))
        self.places = nn.Parameter(torch.randn(shapes.horizon, dim))
        self.writer, self.written = Layer(config), nn.LayerNorm(dim)
        self.action_out, self.end = nn.Linear(dim, shapes.action), nn.Linear(dim, 1)
        self.style = Style(shapes, config)
        self.trunk, self.picture_in = Trunk(config.widths), nn.Linear(config.widths[-1], dim)
        self.windows = nn.Parameter(torch.zeros(len(shapes.pictures), dim))
        for number, (height, width) in enumerate(shapes.pictures):
            grid = grid_places(-(-height // COARSER), -(-width // COARSER), dim)
            self.register_buffer(f"grid_{number}", grid, persistent=False)

    def looked(self, pictures: tuple[Tensor, ...]) -> Tensor:
        """(B, N, dim) tokens of all windows, in their order; those of one size go through the trunk together."""
        tokens: dict[int, Tensor] = {}
        for size in dict.fromkeys(self.shapes.pictures):
            alike = [number for number, other in enumerate(self.shapes.pictures) if other == size]
            features = self.trunk(torch.cat([pictures[number] for number in alike]))
            found = self.picture_in(features.flatten(2).transpose(1, 2))
            tokens |= dict(zip(alike, found.chunk(len(alike)), strict=True))
        return torch.cat([tokens[number] for number in range(len(pictures))], 1)

    def read(self, told: Senses, seen: Tensor, latent: Tensor, drop: Dropout = KEEP) -> tuple[Tensor, Tensor]:
        """What was sensed (B, 2 + N, dim), the second token the measurements', and where each token is (2 + N, dim).

        Args:
            told: measurements and subgoal.
            seen: (B, N, dim) of `looked`.
            latent: (B, latent) the style.
            drop: what is left out while learning.
        """
        wanted = self.skill(told.skill) + self.words_in(self.words(told.words).flatten(1))
        first = torch.stack([self.latent_in(latent), self.state_in(told.state) + wanted], 1)
        x = torch.cat([first, seen], 1)
        grids = [self.get_buffer(f"grid_{number}") + window for number, window in enumerate(self.windows)]
        places = torch.cat([self.first_places, *grids])
        for layer in self.readers:
            x = layer(x, x, places, places, drop)
        return x, places

    def write(self, sensed: Tensor, sensed_places: Tensor, drop: Dropout = KEEP) -> Tensor:
        """(B, K, a) the chunk."""
        start = self.start.expand(1, self.shapes.horizon, -1)
        return self.action_out(self.written(self.writer(start, sensed, self.places, sensed_places, drop)))

    @torch.no_grad()
    def answer(self, told: Senses, generator: Generator) -> Answer:
        """See `Network`: the chunk of the mean style comes first. With one sample it is always sure of itself."""
        config = self.config
        drawn = torch.randn(config.samples - 1, config.latent, generator=generator)
        latent = torch.cat([torch.zeros(1, config.latent), drawn]).to(told.state)
        seen = self.looked(told.pictures).expand(config.samples, -1, -1)
        told = Senses(told.pictures, told.state.expand(config.samples, -1), told.skill.expand(config.samples),
                      told.words.expand(config.samples, -1))
        sensed, places = self.read(told, seen, latent)
        actions = self.write(sensed, places)
        apart = (actions - actions.mean(0)).square().mean().sqrt()
        return Answer(actions, torch.sigmoid(self.end(sensed[:1, 1]))[0], 1 / (1 + (apart / config.spread) ** 2)[None])

    def loss(self, lesson: Lesson, generator: Generator) -> tuple[Tensor, Mapping[str, Tensor]]:
        """See `Network`: the chunk's absolute error, the styles' divergence, and the error of the end.

        While it does not learn, also the chunk's error by the mean style (`alone`), with which it will drive.
        """
        told, actions = lesson.senses, lesson.actions
        drop = Dropout(self.config.dropout, generator, actions.device.type) if self.training else KEEP
        mean, log_variance = self.style(told.state, actions, drop)
        noise = torch.randn(mean.shape, generator=generator).to(mean)
        latent = mean + torch.exp(0.5 * log_variance) * noise
        seen = self.looked(told.pictures)
        sensed, places = self.read(told, seen, latent, drop)
        wrong = (self.write(sensed, places, drop) - actions).abs().mean()
        apart = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean()
        left = functional.binary_cross_entropy_with_logits(self.end(sensed[:, 1])[:, 0], lesson.remaining)
        total = wrong + self.config.kl * apart + _LEFT_WEIGHT * left
        figures = {"wrong": wrong.detach(), "kl": apart.detach(), "left": left.detach()}
        if not self.training:
            figures["alone"] = (self.write(*self.read(told, seen, torch.zeros_like(latent))) - actions).abs().mean()
        return total, figures


class Style(nn.Module):
    """Reads a demonstrated chunk into the normal distribution of its style."""

    def __init__(self, shapes: Shapes, config: ActConfig):
        super().__init__()
        self.asks = nn.Parameter(torch.randn(1, config.dim))
        self.state_in, self.action_in = nn.Linear(shapes.state, config.dim), nn.Linear(shapes.action, config.dim)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.styling))
        self.out = nn.Linear(config.dim, 2 * config.latent)
        self.register_buffer("places", line_places(2 + shapes.horizon, config.dim), persistent=False)

    def forward(self, state: Tensor, actions: Tensor, drop: Dropout = KEEP) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the variance, (B, latent) each, of measurements (B, s) and chunks (B, K, a)."""
        asks = self.asks.expand(len(state), 1, -1)
        x = torch.cat([asks, self.state_in(state)[:, None], self.action_in(actions)], 1)
        for layer in self.layers[:-1]:
            x = layer(x, x, self.places, self.places, drop)
        first = self.layers[-1](x[:, :1], x, self.places[:1], self.places, drop)
        return self.out(first[:, 0]).chunk(2, -1)


class Layer(nn.Module):
    """Tokens ask what is there, then each thinks for itself; norms come behind the sums (Vaswani et al. 2017)."""

    def __init__(self, config: ActConfig):
        super().__init__()
        dim, self.heads = config.dim, config.heads
        self.query, self.key, self.value, self.out = (nn.Linear(dim, dim) for _ in range(4))
        self.wide, self.narrow = Linear(dim, config.feedforward), Linear(config.feedforward, dim)
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(2))
        for part in (self.query, self.key, self.value, self.out, self.wide, self.narrow):
            nn.init.xavier_uniform_(part.weight)

    def forward(self, x: Tensor, there: Tensor, x_places: Tensor, there_places: Tensor, drop: Dropout = KEEP) -> Tensor:
        """(B, Q, dim).

        Args:
            x: (B or 1, Q, dim) tokens that ask.
            there: (B, N, dim) tokens that answer.
            x_places: (Q, dim) where the former are; places matter to who is asked, not to what is answered.
            there_places: (N, dim) of the latter.
            drop: what is left out while learning.
        """
        x = self.norms[0](x + drop(self._ask(x + x_places, there + there_places, there, drop)))
        wide = drop.rectified(self.wide(x)) if drop.share else self.wide(x, rectify=True)
        return self.norms[1](x + drop(self.narrow(wide)))

    def _ask(self, queries: Tensor, keys: Tensor, values: Tensor, drop: Dropout) -> Tensor:
        asked = (self.query(queries), self.key(keys), self.value(values))
        q, k, v = (x.unflatten(-1, (self.heads, -1)).transpose(1, 2) for x in asked)
        if drop.share:
            found = drop(torch.softmax(q / math.sqrt(q.shape[-1]) @ k.transpose(2, 3), -1)) @ v
        else:
            found = functional.scaled_dot_product_attention(q.expand(len(k), -1, -1, -1), k, v)
        return self.out(found.transpose(1, 2).flatten(2))


def line_places(count: int, dim: int) -> Tensor:
    """(count, dim) sines (even) and cosines (odd) of 0 .. count - 1, with wavelengths up to 20000 pi."""
    angles = torch.arange(count)[:, None] / 10000 ** (torch.arange(0, dim, 2) / dim)
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)


def grid_places(rows: int, columns: int, dim: int) -> Tensor:
    """(rows * columns, dim): half the numbers say the row, half the column, each of which runs to one turn."""
    rates = 10000 ** (torch.arange(0, dim // 2, 2) / (dim // 2))

    def waves(count: int) -> Tensor:
        turns = 2 * math.pi * torch.arange(1, count + 1)[:, None] / (count + 1e-6) / rates
        return torch.stack([turns.sin(), turns.cos()], -1).flatten(1)

    return torch.cat([waves(rows).repeat_interleave(columns, 0), waves(columns).repeat(rows, 1)], 1)
