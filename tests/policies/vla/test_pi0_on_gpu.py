"""On CUDA: captured and compiled chunks are those of eager code, and pi0's real configuration runs."""

from dataclasses import replace

import pytest
import torch

from tandem.bridge.contract import Subgoal
from tandem.policies.vla import named
from tandem.policies.vla.load import Options, load
from tandem.policies.vla.policy import Pi0Policy
from tandem.policies.vla.sampling import Static

pytestmark = pytest.mark.gpu
PICK = Subgoal("pick", {"object": "red cube"})


@pytest.mark.parametrize("speed", ["graphs", "compiled"])
def test_graphs_give_the_chunks_of_eager_code(checkpoint, spec_of, seen, speed):
    spec = spec_of("panda")
    chunks = {}
    for way in ("eager", speed):
        one = Pi0Policy(spec, load(named(f"pi0:{checkpoint}"), Options(device="cuda", dtype="float32", speed=way)))
        words = [PICK, replace(PICK, instruction="put it down"), PICK]
        chunks[way] = [one.infer(seen(spec, seed), word).actions for seed, word in enumerate(words)]
    assert isinstance(one._field, Static)
    assert one._field._moving._graph is not None
    for ours, plain in zip(chunks[speed], chunks["eager"], strict=True):
        torch.testing.assert_close(torch.tensor(ours), torch.tensor(plain), rtol=1e-3, atol=1e-3)


def test_the_real_configuration_is_measured(capsys):
    from benchmarks.pi0 import pi0_figures
    from rich.console import Console

    figures = pi0_figures(Console(), views=(2,), compiled=(), chunks=5)
    assert figures["pi0_parameters_m"] > 2500
    assert 0 < figures["pi0_floor_share_2_views"] < 1
