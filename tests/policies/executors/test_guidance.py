"""The formulas of real-time chunking, against the worked example and the laws that hold for any velocity."""

import math

import numpy as np
import pytest
import torch

from tandem.bridge.contract import InvalidOption, UnknownName
from tandem.policies.executors.guidance import (
    guidance_scale,
    prefix_weights,
    sample,
    sample_guided,
    sample_with_prefix,
)

H, D, STEPS = 12, 3, 10
NOISE = torch.randn(H, D, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
PREVIOUS = torch.randn(H, D, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
MEAN = torch.linspace(-1, 1, H, dtype=torch.float64)[:, None].repeat(1, D)
MIX = torch.randn(H, H, generator=torch.Generator().manual_seed(4), dtype=torch.float64) / H


def linear(x, times):
    """Towards a mean, each action by itself."""
    return MEAN - 0.5 * x


def coupled(x, times):
    """Not linear, and every action depends on all."""
    return torch.tanh(MIX @ x) + MEAN - x


def weights(start, end, schedule="linear"):
    return torch.tensor(prefix_weights(start, end, H, schedule))


def test_the_worked_example():
    expected = [1, 1, 4 / 5, 3 / 5, 2 / 5, 1 / 5, 0, 0, 0, 0]
    assert prefix_weights(2, 6, 10, "linear") == pytest.approx(expected, abs=1e-15)


def test_exp_weighs_the_linear_ones():
    w = prefix_weights(2, 6, 10, "linear")
    assert prefix_weights(2, 6, 10, "exp") == pytest.approx(w * np.expm1(w) / (math.e - 1), abs=1e-15)
    assert prefix_weights(2, 6, 10, "exp")[:2] == pytest.approx([1, 1])


@pytest.mark.parametrize("schedule", ["linear", "exp"])
def test_weights_are_one_then_fall_then_zero(schedule):
    for total in range(1, 9):
        for end in range(total + 1):
            for start in range(end + 1):
                w = prefix_weights(start, end, total, schedule)
                assert np.all(w[:start] == pytest.approx(1.0))
                assert np.all(np.diff(w) <= 1e-12)
                assert np.all(w[start:end] > 0)
                assert np.all(w[start:end] < 1)
                assert np.all(w[end:] == 0)


def test_weights_that_mean_nothing_are_refused():
    for start, end, total in ((3, 2, 10), (-1, 2, 10), (2, 11, 10)):
        with pytest.raises(InvalidOption, match="start <= end"):
            prefix_weights(start, end, total)
    with pytest.raises(UnknownName, match="linear, exp"):
        prefix_weights(1, 2, 3, "cosine")


def test_the_scale_is_bounded_and_that_of_the_paper():
    assert guidance_scale(0.0, 5.0) == 5.0
    assert guidance_scale(0.5, 5.0) == pytest.approx(2.0)  # (1 - t) / t = 1, r2 = 1/2
    assert guidance_scale(0.25, 50.0) == pytest.approx(3 / (0.5625 / 0.625))
    assert all(0 < guidance_scale(t, 5.0) <= 5.0 for t in np.linspace(0, 0.99, 50))


@pytest.mark.parametrize("jacobian", ["identity", "full"])
@pytest.mark.parametrize("field", [linear, coupled])
def test_without_weights_or_without_guidance_it_is_plain_sampling(jacobian, field):
    plain = sample(field, NOISE, STEPS)
    none = sample_guided(field, NOISE, STEPS, PREVIOUS, weights(0, 0), jacobian=jacobian)
    unbound = sample_guided(field, NOISE, STEPS, PREVIOUS, weights(3, 8), beta=0.0, jacobian=jacobian)
    assert torch.equal(none, plain)
    assert torch.equal(unbound, plain)
    assert torch.equal(sample_with_prefix(field, NOISE, STEPS, PREVIOUS[:0]), plain)


@pytest.mark.parametrize("beta", [1.0, 5.0, 10.0])
def test_with_the_identity_and_a_linear_velocity_the_error_of_the_prefix_contracts(beta):
    def error(x):
        return float((PREVIOUS - x)[:4].norm())

    plain = error(sample(linear, NOISE, STEPS))
    guided = error(sample_guided(linear, NOISE, STEPS, PREVIOUS, weights(4, 8), beta=beta))
    assert guided < 0.6 * plain
    finer = error(sample_guided(linear, NOISE, 50, PREVIOUS, weights(4, 8), beta=beta))
    assert finer < 0.6 * plain
    if beta > 1:
        assert guided < 0.05 * plain


def test_what_has_no_weight_is_not_read():
    filled = PREVIOUS.clone()
    filled[8:] = 1e6
    w = weights(3, 8, "exp")
    assert torch.equal(*(sample_guided(coupled, NOISE, STEPS, y, w, jacobian="full") for y in (PREVIOUS, filled)))


def test_the_full_jacobian_is_that_of_finite_differences():
    """One step from t = 0, where the scale is beta: what is added to the plain step is beta J^T e."""
    w = weights(3, 8)
    guided = sample_guided(coupled, NOISE, 1, PREVIOUS, w, beta=2.0, jacobian="full")
    pull = (guided - sample(coupled, NOISE, 1)) / 2.0

    def heading(x):
        return x + coupled(x, None)

    error, eps = (PREVIOUS - heading(NOISE)) * w[:, None], 1e-6
    expected = torch.zeros_like(NOISE)
    for i in range(H):
        for j in range(D):
            nudge = torch.zeros_like(NOISE)
            nudge[i, j] = eps
            expected[i, j] = ((heading(NOISE + nudge) - heading(NOISE - nudge)) / (2 * eps) * error).sum()
    assert torch.allclose(pull, expected, atol=1e-6)
    identity = sample_guided(coupled, NOISE, 1, PREVIOUS, w, beta=2.0)
    assert not torch.allclose(identity, guided)


def test_a_given_prefix_stays_and_its_flow_time_is_one():
    seen = []

    def field(x, times):
        seen.append(times.clone())
        return coupled(x, times)

    drawn = sample_with_prefix(field, NOISE, STEPS, PREVIOUS[:3])
    assert torch.equal(drawn[:3], PREVIOUS[:3])
    assert all(bool((times[:3] == 1).all()) for times in seen)
    assert [float(times[3]) for times in seen] == pytest.approx([k / STEPS for k in range(STEPS)])


def test_an_unknown_jacobian_is_refused():
    with pytest.raises(UnknownName, match="identity, full"):
        sample_guided(linear, NOISE, STEPS, PREVIOUS, weights(1, 2), jacobian="half")
