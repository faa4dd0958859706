"""ACT as its paper and the original's code have it, in plain numpy, nothing left out and nothing put together.

Zhao et al. 2023 (arXiv 2304.13705), figure 11 and appendix C; He et al. 2015 for the trunk; Vaswani et al. 2017 for the
layers, their norms behind the sums. One sample at a time, one window at a time, one head at a time. Weights are a flat
mapping of arrays by the names that are used below.
"""

from __future__ import annotations

import math

import numpy as np

MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def linear(w, name, x):
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def layer_norm(w, name, x):
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-5) * w[f"{name}.weight"] + w[f"{name}.bias"]


def convolution(w, name, x, stride):
    """(after, h, w) of (before, h, w), window by window."""
    kernel = w[f"{name}.weight"]
    after, _, size, _ = kernel.shape
    pad = size // 2
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
    rows, columns = -(-x.shape[1] // stride), -(-x.shape[2] // stride)
    out = np.empty((after, rows, columns))
    for i in range(rows):
        for j in range(columns):
            window = padded[:, i * stride : i * stride + size, j * stride : j * stride + size]
            out[:, i, j] = np.tensordot(kernel, window, axes=3)
    return out


def batch_norm(w, name, x):
    """With statistics that are given, as they are when they are frozen."""
    mean, variance = w[f"{name}.running_mean"], w[f"{name}.running_var"]
    x = (x - mean[:, None, None]) / np.sqrt(variance + 1e-5)[:, None, None]
    return x * w[f"{name}.weight"][:, None, None] + w[f"{name}.bias"][:, None, None]


def max_pool(x):
    """3 by 3, stride 2."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    rows, columns = -(-x.shape[1] // 2), -(-x.shape[2] // 2)
    out = np.empty((len(x), rows, columns))
    for i in range(rows):
        for j in range(columns):
            out[:, i, j] = padded[:, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3].max((1, 2))
    return out


def resnet18(w, picture):
    """(C, h / 32, w / 32) of RGB (3, h, w) in 0..1; names as torchvision's."""
    x = (picture - MEAN[:, None, None]) / DEVIATION[:, None, None]
    x = max_pool(np.maximum(batch_norm(w, "bn1", convolution(w, "conv1", x, 2)), 0))
    for stage in (1, 2, 3, 4):
        for block in (0, 1):
            name, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            y = np.maximum(batch_norm(w, f"{name}.bn1", convolution(w, f"{name}.conv1", x, stride)), 0)
            y = batch_norm(w, f"{name}.bn2", convolution(w, f"{name}.conv2", y, 1))
            if f"{name}.downsample.0.weight" in w:
                x = batch_norm(w, f"{name}.downsample.1", convolution(w, f"{name}.downsample.0", x, stride))
            x = np.maximum(x + y, 0)
    return x


def attention(w, name, queries, keys, values, heads):
    """(Q, d) of queries (Q, d), keys and values (N, d)."""
    q, k, v = linear(w, f"{name}.query", queries), linear(w, f"{name}.key", keys), linear(w, f"{name}.value", values)
    size, found = q.shape[1] // heads, []
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        shares = softmax(q[:, part] @ k[:, part].T / math.sqrt(size))
        found.append(shares @ v[:, part])
    return linear(w, f"{name}.out", np.concatenate(found, 1))


def feedforward(w, name, x):
    return linear(w, f"{name}.narrow", np.maximum(linear(w, f"{name}.wide", x), 0))


def encoder(w, name, x, places, heads, layers):
    for i in range(layers):
        at = f"{name}.{i}"
        x = layer_norm(w, f"{at}.norm1", x + attention(w, at, x + places, x + places, x, heads))
        x = layer_norm(w, f"{at}.norm2", x + feedforward(w, at, x))
    return x


def decoder(w, name, memory, memory_places, query_places, heads):
    """One layer, from zeros: attention to itself, to the memory, and the norm of the whole decoder behind it."""
    x = np.zeros_like(query_places)
    itself = attention(w, f"{name}.itself", x + query_places, x + query_places, x, heads)
    x = layer_norm(w, f"{name}.norm1", x + itself)
    x = layer_norm(w, f"{name}.norm2",
                   x + attention(w, f"{name}.memory", x + query_places, memory + memory_places, memory, heads))
    x = layer_norm(w, f"{name}.norm3", x + feedforward(w, f"{name}.memory", x))
    return layer_norm(w, f"{name}.norm", x)


def sinusoid(position, dim):
    """(dim,) of a number."""
    return np.array([(math.sin if i % 2 == 0 else math.cos)(position / 10000 ** (2 * (i // 2) / dim))
                     for i in range(dim)])


def picture_places(rows, columns, dim):
    """(rows * columns, dim): row and column, counted from 1 and scaled to one turn, half the numbers each."""
    places = []
    for i in range(1, rows + 1):
        for j in range(1, columns + 1):
            turns = [2 * math.pi * i / (rows + 1e-6), 2 * math.pi * j / (columns + 1e-6)]
            places.append(np.concatenate([sinusoid(turn, dim // 2) for turn in turns]))
    return np.array(places)


def posterior(w, state, actions, heads, layers):
    """Mean and logarithm of the variance of the style, of measurements (s,) and a chunk (K, a)."""
    tokens = [w["style.asks"], linear(w, "style.state_in", state), *linear(w, "style.action_in", actions)]
    dim = len(tokens[0])
    places = np.array([sinusoid(i, dim) for i in range(len(tokens))])
    read = encoder(w, "style", np.array(tokens), places, heads, layers)
    return np.split(linear(w, "style.out", read[0]), 2)


def chunk(w, pictures, state, wanted, latent, heads, layers):
    """(K, a) of pictures (3, h, w) in 0..1, measurements (s,), the subgoal's token (d,) and a style."""
    tokens = [linear(w, "latent_in", latent), linear(w, "state_in", state) + wanted]
    places = [*w["first_places"]]
    for number, picture in enumerate(pictures):
        features = resnet18(w, picture)
        _, rows, columns = features.shape
        for place, feature in zip(
            picture_places(rows, columns, len(wanted)), features.reshape(len(features), -1).T, strict=True
        ):
            tokens.append(linear(w, "picture_in", feature))
            places.append(place + w["windows"][number])
    memory = encoder(w, "readers", np.array(tokens), np.array(places), heads, layers)
    written = decoder(w, "decoder", memory, np.array(places), w["places"], heads)
    return linear(w, "action_out", written)


def loss(found, actions, mean, log_variance, kl):
    """Of one sample: absolute error, and the divergence from a normal distribution."""
    divergence = sum(-0.5 * (1 + v - m**2 - math.exp(v)) for m, v in zip(mean, log_variance, strict=True))
    return np.abs(found - actions).mean() + kl * divergence
