"""pi0's real configuration on the meta device, where tensors have shapes and no contents: what it needs, what fits."""

import pytest
import torch
from transformers import PI0Config, PI0ForConditionalGeneration

from tandem.bridge.contract import InvalidOption, ModelUnusable
from tandem.policies.vla.memory import admit, device_named, dtype_named, estimate
from tandem.policies.vla.network import Asked, Network
from tandem.policies.vla.training.lora import targets

META = torch.device("meta")


def test_its_shapes_fit_for_three_pictures():
    with META:
        model = PI0ForConditionalGeneration._from_config(
            PI0Config(), dtype=torch.bfloat16, attn_implementation="sdpa").eval()
        tokens = torch.zeros(1, 3 * 256 + 48, dtype=torch.long)
        asked = Asked(tokens, torch.ones_like(tokens), torch.zeros(1, 3, 3, 224, 224, dtype=torch.bfloat16),
                      torch.zeros(1, 32, dtype=torch.bfloat16))
        network = Network(model)
        prefix = network.read(asked)
        assert prefix.keys.shape == (18, 1, 1, 816, 256)
        assert prefix.mask.shape == (1, 1, 51, 867)
        velocity = network.velocity(prefix, torch.zeros(50, 32), torch.zeros(1))
    assert velocity.shape == (50, 32)
    assert velocity.dtype == torch.float32
    names = targets(model, eyes=False)
    assert len(names) == 17 * 7 + 2 + 18 * 7 + 5  # language but for what nobody looks at, action expert, projections


def test_what_it_needs_is_counted():
    need = estimate(PI0Config(), torch.bfloat16)
    assert 3.2e9 < need.parameters < 3.6e9
    assert need.weights == 2 * need.parameters
    assert need.total < 8e9
    with pytest.raises(ModelUnusable, match=r"3\.\d\d billion parameters need 1\d\.\d\d GB"):
        admit("pi0", PI0Config(), torch.device("cpu"), torch.float32, reserve_gb=1e4)


def test_devices_and_number_formats():
    assert device_named("cpu") == torch.device("cpu")
    assert dtype_named("auto", torch.device("cpu")) == torch.float32
    assert dtype_named("auto", torch.device("cuda")) == torch.bfloat16
    with pytest.raises(InvalidOption, match=r"there are: .*cpu"):
        device_named("tpu")
