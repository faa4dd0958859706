"""A server without a model and checkpoints without training for the tests of this folder, and what they are shown."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from tandem.agent.planner.model import Picture

sys.path.insert(0, str(Path(__file__).parent))  # the builders of checkpoints are modules of these tests


class Stub:
    """The address of each behaviour of `chat_stub.py`, and what was asked there."""

    def __init__(self, port):
        self._root, self._count = f"http://127.0.0.1:{port}", 0

    def __call__(self, behaviour):
        self._count += 1
        return f"{self._root}/{behaviour}-{self._count}/v1"

    def requests(self, url):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url.removesuffix("v1") + "requests", timeout=10) as reply:
            return json.load(reply)


@pytest.fixture(scope="session")
def stub():
    program = [sys.executable, str(Path(__file__).with_name("chat_stub.py"))]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        yield Stub(int(server.stdout.readline()))
        server.stdin.close()


@pytest.fixture
def picture():
    return Picture("front", np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8))


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """The folder of the small checkpoint of a model type, written once."""
    from small_checkpoints import build

    folders = {}

    def folder(model_type):
        if model_type not in folders:
            folders[model_type] = build(model_type, tmp_path_factory.mktemp(model_type))
        return str(folders[model_type])

    return folder
