"""Lets the tests of this folder import `written_evaluation`, and writes one once."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def evaluation(tmp_path_factory):
    """The folder of an evaluation; nobody may write into it."""
    from written_evaluation import write_evaluation

    return write_evaluation(tmp_path_factory.mktemp("evaluations") / 'base"<i>line')
