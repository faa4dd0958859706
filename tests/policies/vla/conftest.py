"""A small pi0 on disk, made once, and what it is shown."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the builder of the checkpoint is a module of these tests


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """The folder of the small checkpoint; the statistics in it are of a Panda's state and actions."""
    from small_pi0 import build

    return build(tmp_path_factory.mktemp("pi0"), statistics=8)


@pytest.fixture
def copied(checkpoint, tmp_path):
    """A copy that may be spoilt."""
    return Path(shutil.copytree(checkpoint, tmp_path / "copy"))


@pytest.fixture
def loaded(checkpoint):
    from tandem.policies.vla import named
    from tandem.policies.vla.load import Options, load

    return lambda folder=checkpoint, **how: load(named(f"pi0:{folder}"), Options(device="cpu", **how))


@pytest.fixture
def seen(spec_of, puppet):
    """An observation of a body, its pictures full of noise."""
    def observation(spec, seed=0):
        rng = np.random.default_rng(seed)
        found = puppet(spec).observe()
        return found | {name: rng.integers(0, 256, array.shape, np.uint8)
                        for name, array in found.items() if name.startswith("image.")}

    return observation
