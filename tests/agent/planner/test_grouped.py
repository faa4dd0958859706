"""Grouped attention is attention: it gives what the stock function gives, for any heads, groups and masks."""

import pytest
import torch
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.models.qwen3.configuration_qwen3 import Qwen3Config

from tandem.agent.planner.in_process.grouped import NAME, PIECE, attend, grouped


class Layer(torch.nn.Module):
    is_causal = False

    def __init__(self, groups):
        super().__init__()
        self.num_key_value_groups = groups


@pytest.mark.parametrize(("heads", "groups", "length"), [(8, 2, 1), (8, 8, 5), (4, 1, 32)])
def test_it_gives_what_the_stock_attention_gives(heads, groups, length):
    torch.manual_seed(0)
    places = 3 * PIECE
    query = torch.randn(2, heads, length, 16)
    key, value = torch.randn(2, groups, places, 16), torch.randn(2, groups, places, 24)
    mask = torch.arange(places) <= (500 + torch.arange(length))[:, None]
    layer = Layer(heads // groups)
    for scaling in (None, 0.3):
        ours, _ = attend(layer, query, key, value, mask[None, None], scaling=scaling)
        theirs, _ = sdpa_attention_forward(layer, query, key, value, mask[None, None], scaling=scaling)
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_a_configuration_is_as_it_was_afterwards():
    config = Qwen3Config(attn_implementation="sdpa")
    with pytest.raises(ZeroDivisionError), grouped(config):
        assert config._attn_implementation == NAME
        raise ZeroDivisionError
    assert config._attn_implementation == "sdpa"
