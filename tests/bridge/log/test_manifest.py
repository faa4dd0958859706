"""The manifest says what is needed to make an episode again, and costs nothing to make."""

import json
import subprocess
import sys

import numpy as np
import pytest

from tandem.bridge.log import manifest
from tandem.bridge.log.plain import plain_json


def test_it_is_plain_and_holds_what_was_given():
    made = manifest(seeds={"environment": 3}, options={"task": "stack"}, argv=["mine"])
    assert json.loads(json.dumps(made)) == made
    assert made["seeds"] == {"environment": 3}
    assert made["argv"] == ["mine"]
    assert made["versions"]["numpy"] == np.__version__
    assert made["versions"]["foxglove-sdk"]
    assert made["started"].endswith("+00:00")
    assert set(made["git"]) == {"commit", "dirty", "diff_sha256"}
    assert (made["git"]["diff_sha256"] is not None) == bool(made["git"]["dirty"])
    assert "MUJOCO_GL" in made["environment"]


def test_the_log_loads_no_simulator_and_no_model_library():
    heavy = {"mujoco", "torch", "gymnasium"}
    program = f"import sys, tandem.bridge.log as log; log.manifest(); print({heavy} & {{*sys.modules}})"
    fresh = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert fresh.stdout.strip() == "set()"


def test_numbers_of_numpy_become_plain():
    assert plain_json({"a": np.float64(0.5), "b": np.arange(2), "c": (1, None)}) == '{"a":0.5,"b":[0,1],"c":[1,null]}'


def test_it_says_how_deterministic_torch_is_once_it_is_loaded():
    pytest.importorskip("torch")
    program = (
        "import torch; from tandem.bridge.log import manifest; torch.use_deterministic_algorithms(True);"
        "print(manifest()['torch']['deterministic_algorithms'])"
    )
    fresh = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert fresh.stdout.strip() == "True"
