"""The samples, for every test of the wire."""

import importlib.util
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def sample():
    spec = importlib.util.spec_from_file_location("wire_samples", HERE / "samples.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.sample


@pytest.fixture(scope="session")
def golden():
    return HERE / "golden"
