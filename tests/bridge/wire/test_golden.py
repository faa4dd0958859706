"""The bytes of every kind are what they were: what a controller in another language was built against stays true."""

import os

import numpy as np
import pytest

from tandem.bridge.wire import KINDS, decode, encode
from tandem.bridge.wire.codec import MAX_REPLY


@pytest.mark.parametrize("kind", KINDS)
def test_the_bytes_of_a_kind_are_the_golden_ones(kind, sample, golden):
    path, frame = golden / f"{kind}.bin", encode(sample(kind))
    if os.environ.get("TANDEM_UPDATE_GOLDEN"):
        path.write_bytes(frame)
    assert frame == path.read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_golden_bytes_decode_to_the_sample(kind, sample, golden):
    message, expected = decode((golden / f"{kind}.bin").read_bytes(), limit=MAX_REPLY), sample(kind)
    assert (message.kind, message.session, message.epoch, message.lease, message.seq, message.t) == (
        kind, expected.session, expected.epoch, expected.lease, expected.seq, expected.t)
    assert set(message.fields) == set(expected.fields)
    for name, value in expected.fields.items():
        assert np.array_equal(message[name], value) if isinstance(value, np.ndarray) else message[name] == value, name


def test_there_is_no_golden_file_of_a_kind_that_is_gone(golden):
    assert {path.stem for path in golden.glob("*.bin")} == set(KINDS)
