"""A robot's own computer installs only tandem[bridge]: importing it must not pull in a simulator or a model library."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "torchvision", "mujoco", "transformers", "gymnasium")


@pytest.mark.parametrize("module", ["bridge", "bridge.contract", "bridge.robots", "bridge.conformance"])
def test_import_of_the_bridge_loads_nothing_heavy(module):
    program = f"import sys, tandem.{module}; print(*(name for name in {HEAVY} if name in sys.modules))"
    fresh = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert fresh.returncode == 0, fresh.stderr
    assert not fresh.stdout.split(), f"import tandem.{module} loads {fresh.stdout.strip()}: import it where it is used"
