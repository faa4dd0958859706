"""The two halves against transformers' own `sample_actions`, in every way of running them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import transformers as hf

from tandem.bridge.contract import SkillFailed, UnknownName
from tandem.policies.executors import guidance
from tandem.policies.vla.network import Asked, Network
from tandem.policies.vla.sampling import field_of

WORDS = "pick up the red cube"


@pytest.fixture
def model(loaded):
    return loaded()


def pictures(count, seed=1):
    return list(np.random.default_rng(seed).integers(0, 256, (count, 28, 28, 3), np.uint8))


def asked(model, count=2, words=WORDS, seed=1):
    tokens, told = model.reader.tokens(words, count)
    pixels = model.reader.pixels(pictures(count, seed), torch.device("cpu"), torch.float32)[None]
    state = torch.linspace(-1, 1, 32)[None]
    return Asked(tokens, told, pixels, state)


def drawn(field, question, noise, steps=10):
    prefix = field.read(question)
    return guidance.sample(lambda x, t: field.velocity(prefix, x, t[-1:]), noise, steps)


def stock(model, question, noise, steps=10):
    shown = torch.ones(question.pixels.shape[:2], dtype=torch.bool)
    return model.model.sample_actions(
        state=question.state, input_ids=question.tokens, pixel_values=question.pixels, attention_mask=question.told,
        pixel_attention_mask=shown, noise=noise[None], num_steps=steps,
    )[0]


NOISE = torch.randn(8, 32, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_actions_are_those_of_transformers(model, count):
    question = asked(model, count)
    ours, theirs = drawn(Network(model.model), question, NOISE), stock(model, question, NOISE)
    assert (ours - NOISE).abs().mean() > 0.1  # the network says something
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_the_reading_is_that_of_transformers_processor(model, checkpoint):
    processor = hf.PI0Processor.from_pretrained(checkpoint)
    theirs = processor([pictures(2)], WORDS, max_length=8 + 48)
    ours = asked(model)
    assert torch.equal(ours.tokens, theirs["input_ids"])
    assert torch.equal(ours.told, theirs["attention_mask"])
    torch.testing.assert_close(ours.pixels, theirs["pixel_values"], rtol=0, atol=1e-6)


def test_a_picture_that_is_left_out_is_as_one_that_is_masked(model):
    """Others pad up to three cameras and mask those that are not there; leaving them out is the same, and cheaper."""
    question = asked(model, 2)
    shown = torch.tensor([[True, True, False]])
    padded = torch.cat((question.pixels, torch.zeros(1, 1, 3, 28, 28)), dim=1)
    theirs = model.model.sample_actions(
        state=question.state, input_ids=question.tokens, pixel_values=padded, attention_mask=question.told,
        pixel_attention_mask=shown, noise=NOISE[None],
    )[0]
    torch.testing.assert_close(drawn(Network(model.model), question, NOISE), theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("speed", "backend"), [
    ("graphs", ""), pytest.param("compiled", "eager", marks=pytest.mark.slow),
])
def test_fixed_buffers_give_the_same_chunk_after_chunk(model, speed, backend):
    """The compiler's backend "eager" traces as the real one does, in one graph without a break, and makes no code."""
    network = Network(model.model)
    field = field_of(network, speed, backend)
    for seed, words in ((1, WORDS), (2, "put it down"), (3, WORDS)):
        question = asked(model, words=words, seed=seed)
        torch.testing.assert_close(drawn(field, question, NOISE), drawn(network, question, NOISE), rtol=1e-5, atol=1e-6)
    other = asked(model, 1)  # another number of pictures has other shapes
    torch.testing.assert_close(drawn(field, other, NOISE), drawn(network, other, NOISE), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("speed", ["eager", "graphs"])
def test_the_velocity_can_be_differentiated(model, speed):
    field = field_of(Network(model.model), speed)
    prefix = field.read(asked(model))
    plain = field.velocity(prefix, NOISE, torch.tensor([0.3]))
    start = NOISE.clone().requires_grad_(True)
    velocity = field.velocity(prefix, start, torch.tensor([0.3]))
    torch.testing.assert_close(velocity, plain, rtol=1e-5, atol=1e-6)
    (slope,) = torch.autograd.grad(velocity[0, 0], start)
    step = 1e-3 * slope / slope.norm()
    with torch.no_grad():
        moved = field.velocity(prefix, NOISE + step, torch.tensor([0.3])) - field.velocity(
            prefix, NOISE - step, torch.tensor([0.3]))
    assert float(moved[0, 0]) / 2e-3 == pytest.approx(float(slope.norm()), rel=0.05)


def test_guidance_of_nothing_is_plain_sampling(model):
    field = Network(model.model)
    prefix = field.read(asked(model))

    def velocity(x, t):
        return field.velocity(prefix, x, t[-1:])

    guided = guidance.sample_guided(velocity, NOISE, 10, NOISE * 0, torch.zeros(8), jacobian="full")
    torch.testing.assert_close(guided, guidance.sample(velocity, NOISE, 10), rtol=1e-5, atol=1e-6)


def test_words_picture_and_state_count(model):
    network, question = Network(model.model), asked(model)
    first = drawn(network, question, NOISE)
    others = (asked(model, words="put it down"), asked(model, seed=2), replace(question, state=-question.state))
    assert all((drawn(network, other, NOISE) - first).abs().max() > 1e-3 for other in others)


def test_long_words_and_unknown_speeds_are_refused(model):
    with pytest.raises(SkillFailed, match="fewer words"):
        model.reader.tokens("very " * 60 + "long", 2)
    with pytest.raises(UnknownName, match="graphs"):
        field_of(Network(model.model), "fast")
