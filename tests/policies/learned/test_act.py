"""ACT against an independent reference of its equations, and that it learns."""

import copy
from dataclasses import replace

import act_reference as reference
import numpy as np
import pytest
import torch

from tandem.bridge.conformance import check_policy
from tandem.bridge.contract import CameraPoint, InvalidOption, ModelUnusable, Subgoal
from tandem.policies.learned import LearnedPolicy, load_policy
from tandem.policies.learned.act import Act, ActConfig
from tandem.policies.learned.dropout import Dropout
from tandem.policies.learned.network import Lesson, Network, Senses, Shapes
from tandem.policies.learned.resnet import Convolution, Trunk
from tandem.policies.learned.store import save_policy
from tandem.policies.motion.kinematics import Arm

SMALL = ActConfig(dim=32, heads=4, feedforward=48, reading=2, styling=3, latent=6, widths=(8, 16, 16, 24), word=4)
SHAPES = Shapes(horizon=7, action=5, state=9, pictures=((64, 96), (40, 40), (64, 96)), skills=3, words=11, length=4)


def senses(count, shapes=SHAPES, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return Senses(
        tuple(torch.rand(count, 3, *size, generator=rng) for size in shapes.pictures),
        torch.randn(count, shapes.state, generator=rng), torch.randint(shapes.skills, (count,), generator=rng),
        torch.randint(shapes.words, (count, shapes.length), generator=rng))


def lesson(count, shapes=SHAPES, seed=0):
    rng = torch.Generator().manual_seed(seed + 1)
    actions = torch.randn(count, shapes.horizon, shapes.action, generator=rng)
    return Lesson(senses(count, shapes, seed), actions, torch.rand(count, generator=rng))


def torchvision_weights(widths, rng):
    """As torchvision's resnet18 names them, its norms' statistics not those of an untrained one."""
    w = {}

    def pair(conv, norm, before, after, size):
        w[f"{conv}.weight"] = rng.normal(size=(after, before, size, size)) / np.sqrt(before * size * size)
        w[f"{norm}.weight"], w[f"{norm}.bias"] = rng.uniform(0.5, 1.5, after), rng.normal(size=after) / 5
        w[f"{norm}.running_mean"], w[f"{norm}.running_var"] = rng.normal(size=after) / 5, rng.uniform(0.5, 2, after)

    pair("conv1", "bn1", 3, widths[0], 7)
    before = widths[0]
    for stage, after in enumerate(widths, 1):
        for block in (0, 1):
            name = f"layer{stage}.{block}"
            pair(f"{name}.conv1", f"{name}.bn1", before, after, 3)
            pair(f"{name}.conv2", f"{name}.bn2", after, after, 3)
            if stage > 1 and block == 0:
                pair(f"{name}.downsample.0", f"{name}.downsample.1", before, after, 1)
            before = after
    return w


def both(config=SMALL, shapes=SHAPES, seed=0):
    """A network, and the reference's weights that are the same."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = Act(shapes, config).eval()
    with torch.no_grad():
        for weight in network.parameters():
            if weight.dim() == 1 or not weight.any():  # biases and norms, too, say something
                weight += 0.2 * torch.randn_like(weight)
    trunk = torchvision_weights(config.widths, rng)
    network.trunk.load_torchvision({name: torch.from_numpy(value).float() for name, value in trunk.items()})
    w = {name: value.double().numpy() for name, value in network.state_dict().items()} | trunk
    w["style.asks"] = w["style.asks"][0]
    for name in list(w):  # theirs has norms by number, and one decoder with attention to itself
        for layers in ("readers", "style.layers"):
            if name.startswith(layers) and ".norms." in name:
                head, tail = name.split(".norms.")
                number, kind = tail.split(".")
                w[f"{head}.norm{int(number) + 1}.{kind}"] = w[name]
    w |= {name.replace("style.layers", "style"): value for name, value in w.items() if name.startswith("style.layers")}
    for part in ("query", "key", "value", "out", "wide", "narrow"):
        for kind in ("weight", "bias"):
            w[f"decoder.memory.{part}.{kind}"] = w[f"writer.{part}.{kind}"]
            w[f"decoder.itself.{part}.{kind}"] = rng.normal(size=w[f"writer.{part}.{kind}"].shape) / 5
    for kind in ("weight", "bias"):
        w[f"decoder.norm1.{kind}"] = rng.normal(size=config.dim)
        w[f"decoder.norm2.{kind}"], w[f"decoder.norm3.{kind}"] = (w[f"writer.norms.{i}.{kind}"] for i in range(2))
        w[f"decoder.norm.{kind}"] = w[f"written.{kind}"]
    zeros = np.zeros((1, config.dim))
    itself = reference.attention(w, "decoder.itself", zeros + w["places"], zeros + w["places"],
                                 np.zeros_like(w["places"]), config.heads)
    start = reference.layer_norm(w, "decoder.norm1", itself)
    assert np.allclose(start, start[0])  # the same for all queries, whatever the weights
    with torch.no_grad():
        network.start.copy_(torch.from_numpy(start[0]))
    return network, w


def wanted(network, told):
    with torch.no_grad():
        words = network.words(told.words).flatten(1)
        return (network.skill(told.skill) + network.words_in(words)).double().numpy()


def test_it_answers_as_the_reference():
    network, w = both()
    told = senses(1)
    answer = network.answer(told, torch.Generator())
    found = reference.chunk(
        w, [picture[0].double().numpy() for picture in told.pictures], told.state[0].double().numpy(),
        wanted(network, told)[0], np.zeros(SMALL.latent), SMALL.heads, SMALL.reading)
    assert found.std() > 0.1
    np.testing.assert_allclose(answer.actions[0].numpy(), found, atol=2e-5 * np.abs(found).max())
    assert isinstance(network, Network)
    assert answer.actions.shape == (1, 7, 5)
    assert answer.remaining.shape == answer.confidence.shape == (1,)
    assert answer.confidence == 1


def test_its_loss_is_the_references():
    network, w = both(seed=1)
    taught = lesson(3, seed=1)
    noise = torch.randn((3, SMALL.latent), generator=torch.Generator().manual_seed(5)).double().numpy()
    total, figures = network.loss(taught, torch.Generator().manual_seed(5))
    losses = []
    for i, (state, actions, token) in enumerate(zip(
        taught.senses.state.double().numpy(), taught.actions.double().numpy(), wanted(network, taught.senses),
        strict=True,
    )):
        mean, log_variance = reference.posterior(w, state, actions, SMALL.heads, SMALL.styling)
        found = reference.chunk(
            w, [picture[i].double().numpy() for picture in taught.senses.pictures], state, token,
            mean + np.exp(log_variance / 2) * noise[i], SMALL.heads, SMALL.reading)
        losses.append(reference.loss(found, actions, mean, log_variance, SMALL.kl))
    assert float(total.detach() - 0.2 * figures["left"]) == pytest.approx(np.mean(losses), rel=1e-4)


@pytest.mark.parametrize("size", [(64, 64), (33, 70)])
def test_weights_laid_out_for_the_processor_give_the_same(size):
    torch.manual_seed(0)
    trunk = Trunk((8, 16, 24, 32))
    pictures = torch.rand(3, 3, *size)
    slow = trunk(pictures)
    for _ in range(2):
        with torch.no_grad():
            torch.testing.assert_close(trunk(pictures), slow.detach(), rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(trunk(pictures[:1]), slow[:1].detach(), rtol=1e-4, atol=1e-5)
            for weight in trunk.parameters():  # as a step of an optimiser, or an average of weights
                weight *= 0.9
        slow = trunk(pictures)
    assert torch.equal(copy.deepcopy(trunk)(pictures), slow)


def test_weights_of_another_trunk_are_refused():
    weights = {name: torch.from_numpy(value) for name, value in
               torchvision_weights((8, 16, 24, 32), np.random.default_rng(0)).items()}
    with pytest.raises(ModelUnusable, match="not torchvision's resnet18"):
        Trunk().load_torchvision(weights)
    del weights["layer4.1.bn2.bias"]
    with pytest.raises(ModelUnusable, match=r"layer4\.1\.bn2\.bias"):
        Trunk((8, 16, 24, 32)).load_torchvision(weights)


def test_dropout_leaves_out_its_share_and_learns_through_the_rest():
    drop = Dropout(0.3, torch.Generator().manual_seed(0))
    x = torch.randn(401, 503).double().requires_grad_()
    for found, possible in ((drop(x), torch.ones_like(x)), (drop.rectified(x), (x > 0).double())):
        kept = found != 0
        share = float(kept.sum() / possible.sum())
        assert share == pytest.approx(0.7, abs=0.005)
        assert torch.allclose(found[kept], x[kept] / 0.7)
        (gradient,) = torch.autograd.grad(found.sum(), x)
        assert torch.allclose(gradient, kept.double() / 0.7)
        column = kept.double().sum(0) / possible.sum(0)
        assert 0.5 < float(column.min()) < float(column.max()) < 0.9
    one, same, other = (Dropout(0.3, torch.Generator().manual_seed(seed))(x) for seed in (3, 3, 4))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_what_is_random_comes_from_the_generator_alone():
    torch.manual_seed(0)
    network, taught = Act(SHAPES, SMALL), lesson(2)
    totals = []
    for seed, elsewhere in ((5, 1), (5, 2), (6, 1)):
        torch.manual_seed(elsewhere)
        totals.append(network.loss(taught, torch.Generator().manual_seed(seed))[0].item())
    assert totals[0] == totals[1] != totals[2]


def test_weights_gradients_are_those_of_a_plain_convolution():
    torch.manual_seed(0)
    for before, after, size, stride in ((8, 16, 3, 1), (8, 8, 3, 2), (16, 8, 1, 2)):
        part = Convolution(before, after, size, stride)
        torch.nn.init.uniform_(part.scale, 0.5, 1.5)
        x = torch.randn(3, before, 11, 14).contiguous(memory_format=torch.channels_last).requires_grad_()
        plain = torch.nn.functional.conv2d(
            x, part.weight * part.scale[:, None, None, None], part.offset, stride, size // 2).relu()
        seen = torch.randn_like(plain)
        for one, other in zip(
            torch.autograd.grad(part(x), (x, part.weight), seen), torch.autograd.grad(plain, (x, part.weight), seen),
            strict=True,
        ):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_it_drives_from_disk_as_a_policy(made, spec_of, seen, tmp_path):
    spec = spec_of("panda")
    manifest, network = made(spec, "act")
    save_policy(tmp_path, manifest, network)
    observation = seen(spec, Arm(spec))
    pick = Subgoal("pick", {"object": "red cube", "point": CameraPoint("front", 300, 250)})
    check_policy(lambda: load_policy(tmp_path, spec, execute=4), spec, observation, [pick])
    stored, whole = load_policy(tmp_path, spec, execute=8), LearnedPolicy(spec, manifest, network, execute=8)
    assert np.array_equal(stored.infer(observation, pick).actions, whole.infer(observation, pick).actions)


def test_more_samples_say_how_sure_it_is():
    network, _ = both(replace(SMALL, samples=4))
    one, _ = both()
    told = senses(1)
    answer = network.answer(told, torch.Generator().manual_seed(0))
    assert answer.actions.shape == (4, 7, 5)
    torch.testing.assert_close(answer.actions[:1], one.answer(told, torch.Generator()).actions)
    assert 0 < float(answer.confidence) < 1


def test_it_learns_a_demonstration_by_heart():
    torch.manual_seed(0)
    shapes = replace(SHAPES, pictures=((32, 32),))
    network, rng = Act(shapes, replace(SMALL, kl=1.0)), torch.Generator().manual_seed(0)
    taught, losses = lesson(4, shapes), []
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3)
    for _ in range(150):
        total, figures = network.loss(taught, rng)
        total.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(figures["wrong"]))
    assert np.mean(losses[-10:]) < 0.4 * losses[0]
    network.eval()
    told = taught.senses
    for i in range(4):
        one = Senses(tuple(picture[i : i + 1] for picture in told.pictures), told.state[i : i + 1],
                     told.skill[i : i + 1], told.words[i : i + 1])
        answer = network.answer(one, rng)
        assert float((answer.actions[0] - taught.actions[i]).abs().mean()) < 0.25
        assert float(answer.remaining) == pytest.approx(float(taught.remaining[i]), abs=0.2)


@pytest.mark.parametrize("bad", [{"dim": 30}, {"heads": 3}, {"widths": (8, 8, 8)}, {"dropout": 1.0}, {"samples": 0}])
def test_sizes_without_meaning_are_refused(bad):
    with pytest.raises(InvalidOption):
        ActConfig(**bad)
