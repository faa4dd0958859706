"""What a flow policy learns of chunks that go on from given points."""

import pytest
import torch

from tandem.bridge.contract import InvalidOption
from tandem.policies.learned.flow import Flow, FlowConfig
from tandem.policies.learned.network import Lesson, Senses, Shapes

SHAPES = Shapes(horizon=6, action=4, state=9, pictures=((16, 16),), skills=2, words=20, length=3)
SMALL = {"dim": 32, "heads": 2, "channels": (8, 8), "reading": 1, "writing": 1}


def network(**more):
    torch.manual_seed(0)
    made = Flow(SHAPES, FlowConfig(**SMALL, **more))
    for writer in made.writers:  # else time would say nothing yet
        torch.nn.init.normal_(writer.adapt.weight, std=0.1)
    torch.nn.init.normal_(made.action_out[1].weight, std=0.1)
    return made


def senses(count):
    random = torch.Generator().manual_seed(1)
    return Senses(
        (torch.rand(count, 3, 16, 16, generator=random),), torch.randn(count, 9, generator=random),
        torch.zeros(count, dtype=torch.long), torch.ones(count, 3, dtype=torch.long),
    )


def test_a_time_for_each_point_is_one_time_where_all_are_equal():
    made, noisy, times = network(), torch.randn(2, 6, 4), torch.tensor([0.2, 0.7])
    sensed = made.read(senses(2))
    each = made.velocity(noisy, times[:, None].expand(2, 6), sensed)
    assert torch.allclose(made.velocity(noisy, times, sensed), each, atol=1e-6)
    other = times[:, None].repeat(1, 6)
    other[:, 0] = 1.0
    assert not torch.allclose(made.velocity(noisy, other, sensed), each, atol=1e-3)


@pytest.mark.parametrize("prefix", [0, 2, 9])
def test_half_of_the_chunks_begin_with_given_points(prefix):
    given = network(prefix=prefix)._given(4000, torch.Generator().manual_seed(0))
    few = given.sum(1)
    assert (given == (torch.arange(6) < few[:, None])).all()
    longest = min(prefix, 5)
    assert few.max() == longest
    if prefix:
        assert abs((few == 0).float().mean() - 0.5) < 0.05
        assert abs((few == longest).float().mean() - 0.5 / longest) < 0.05


def test_nothing_is_learned_of_the_velocity_of_given_points():
    """Whatever the network says there, the loss is the same."""
    made, lesson = network(prefix=5), Lesson(senses(8), torch.randn(8, 6, 4), torch.rand(8))
    real, losses = made.velocity, []
    for wrong in (0.0, 100.0):
        made.velocity = lambda noisy, times, sensed, wrong=wrong: (
            real(noisy, times, sensed) + wrong * (times[..., None] == 1)
        )
        losses.append(made.loss(lesson, torch.Generator().manual_seed(3))[0])
    assert torch.equal(*losses)


def test_a_negative_prefix_is_refused():
    with pytest.raises(InvalidOption, match="prefix"):
        FlowConfig(prefix=-1)
