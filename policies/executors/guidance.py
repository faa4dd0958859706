"""Sampling a chunk that continues another one: real-time chunking in formulas.

arXiv 2506.07339. With flow time t from 0 (noise) to 1 (actions), velocity v, the previous chunk's remaining actions y
(padded with zeros) and prefix weights W:

    x1 = x + (1 - t) v(x, t)        the actions towards which x is heading
    e  = (y - x1) W                 how far these are from what will have been carried out
    g  = (d x1 / d x)^T e           `full`, by automatic differentiation;  g = e with `identity`
    v' = v + min(beta, (1 - t) / t / r2) g,   r2 = (1 - t)^2 / (t^2 + (1 - t)^2)

The paper's guidance (PiGDM) has the full Jacobian. With the identity in its place no gradient is computed; the code in
wide use does just that, and reports say that it does as well. Here it is an explicit choice.

Training-time chunking (arXiv 2512.05964) needs none of it: the prefix is given to a model that was trained to go on
from one, its actions clean at flow time 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from tandem.bridge.contract import InvalidOption, UnknownName

try:
    import torch
except ModuleNotFoundError as reason:
    from tandem.bridge.contract import MissingDependency

    raise MissingDependency("Python module 'torch'", "pip install 'tandem[policies]'") from reason

SCHEDULES = ("linear", "exp")
JACOBIANS = ("identity", "full")

Field = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Velocity (H, d) at noisy actions (H, d) and flow times (H,)."""


def prefix_weights(start: int, end: int, total: int, schedule: str = "linear") -> np.ndarray:
    """(total,) how much each action of a new chunk is held to the old one: 1 before `start`, falling to 0 at `end`.

    Args:
        start: actions that will have been carried out when the new chunk arrives.
        end: actions of the old chunk that may be gone by.
        total: actions in a chunk.
        schedule: "linear", or "exp", which lets go sooner.

    Raises:
        UnknownName: another schedule.
        InvalidOption: not 0 <= start <= end <= total.
    """
    if schedule not in SCHEDULES:
        raise UnknownName("schedule", schedule, SCHEDULES)
    if not 0 <= start <= end <= total:
        raise InvalidOption(f"prefix weights need 0 <= start <= end <= total, got {start}, {end}, {total}")
    i = np.arange(total)
    weights = np.clip((start - 1 - i) / (end - start + 1) + 1, 0.0, 1.0)
    if schedule == "exp":
        weights = weights * np.expm1(weights) / (math.e - 1)
    weights[end:] = 0.0
    return weights


def guidance_scale(t: float, beta: float) -> float:
    """What the guidance term is multiplied with at flow time t in [0, 1): min(beta, (1 - t) / t / r2)."""
    if t <= 0:
        return beta
    r2 = (1 - t) ** 2 / (t**2 + (1 - t) ** 2)
    return min(beta, (1 - t) / t / r2)


def sample(field: Field, noise: torch.Tensor, steps: int) -> torch.Tensor:
    """(H, d) actions by Euler steps from noise (H, d): plain sampling."""
    x = noise
    with torch.no_grad():
        for k in range(steps):
            x = x + field(x, _times(x, k / steps)) / steps
    return x


def sample_guided(
    field: Field, noise: torch.Tensor, steps: int, previous: torch.Tensor, weights: torch.Tensor, *,
    beta: float = 5.0, jacobian: str = "identity",
) -> torch.Tensor:
    """(H, d) actions that go on from a previous chunk.

    Args:
        field: the velocity.
        noise: (H, d).
        steps: Euler steps.
        previous: (H, d) what is left of the previous chunk from now on, padded with anything where `weights` are 0.
        weights: (H,) see `prefix_weights`.
        beta: bound on the guidance; 0 switches it off.
        jacobian: "identity" or "full".

    Raises `UnknownName` for another Jacobian.
    """
    if jacobian not in JACOBIANS:
        raise UnknownName("jacobian", jacobian, JACOBIANS)
    correction = _full if jacobian == "full" else _identity
    x = noise
    for k in range(steps):
        t = k / steps
        velocity, pull = correction(field, x, t, previous, weights[:, None])
        x = x + (velocity + guidance_scale(t, beta) * pull) / steps
    return x


def _identity(
    field: Field, x: torch.Tensor, t: float, previous: torch.Tensor, weights: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    with torch.no_grad():
        velocity = field(x, _times(x, t))
        return velocity, (previous - (x + (1 - t) * velocity)) * weights


def _full(
    field: Field, x: torch.Tensor, t: float, previous: torch.Tensor, weights: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    with torch.enable_grad():
        start = x.detach().requires_grad_(True)  # before the velocity, or the Jacobian silently is the identity
        velocity = field(start, _times(x, t))
        heading = start + (1 - t) * velocity
        error = ((previous - heading) * weights).detach()
        (pull,) = torch.autograd.grad(heading, start, error)
    return velocity.detach(), pull


def sample_with_prefix(field: Field, noise: torch.Tensor, steps: int, prefix: torch.Tensor) -> torch.Tensor:
    """(H, d) actions whose first ones are the prefix (k, d), for a model trained to go on from one."""
    k = len(prefix)
    x = torch.cat([prefix, noise[k:]])
    with torch.no_grad():
        for step in range(steps):
            times = _times(x, step / steps)
            times[:k] = 1.0
            velocity = field(x, times)
            x = torch.cat([prefix, x[k:] + velocity[k:] / steps])
    return x


def _times(x: torch.Tensor, t: float) -> torch.Tensor:
    return torch.full((len(x),), t, dtype=x.dtype, device=x.device)
