"""The four encodings, byte for byte, and whatever else comes: a value or a refusal, no object, little memory."""

import contextlib
import io
import math
import time
import tracemalloc

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tandem.policies.remote import Undecodable
from tandem.policies.remote.arrays import MAX_FRAME, Encoding, decode, encode

ONE_TWO_THREE = np.array([1, 2, 3], np.float32)
NPY_HEAD = b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }"
GOLDEN = {
    Encoding.GR00T: b"\x82\xb1__ndarray_class__\xc3\xa6as_npy\xc4\x8c" + NPY_HEAD.ljust(127) + b"\n"
                    + bytes.fromhex("0000803f0000004000004040"),
    Encoding.OPENPI: bytes.fromhex("84c40b") + b"__ndarray__" + bytes.fromhex("c3c404") + b"data"
                     + bytes.fromhex("c40c0000803f0000004000004040c405") + b"dtype\xa3<f4\xc4\x05shape\x91\x03",
    Encoding.VLA_EVAL: b"\x84\xab__ndarray__\xc3\xa4data\xc4\x0c" + bytes.fromhex("0000803f0000004000004040")
                       + b"\xa5dtype\xa3<f4\xa5shape\x91\x03",
    Encoding.MSGPACK_NUMPY: b"\x85\xc4\x02nd\xc3\xc4\x04type\xa3<f4\xc4\x04kind\xc4\x00"
                            b"\xc4\x05shape\x91\x03\xc4\x04data\xc4\x0c" + bytes.fromhex("0000803f0000004000004040"),
}
KINDS = st.sampled_from([np.dtype(name) for name in ("?", "<i1", "<i8", "<u2", "<f2", "<f4", "<f8", ">f4", ">i2")])
ANY_ARRAY = KINDS.flatmap(lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=0, max_dims=4, min_side=0)))


@pytest.mark.parametrize("encoding", Encoding)
def test_golden_bytes_both_ways(encoding):
    assert encode(ONE_TWO_THREE, encoding) == GOLDEN[encoding]
    assert np.array_equal(decode(GOLDEN[encoding]), ONE_TWO_THREE)


def test_golden_scalar_of_openpi():
    golden = bytes.fromhex("83c40d") + b"__npgeneric__" + bytes.fromhex("c3c404") + b"data" + bytes.fromhex(
        "cb3ff0000000000000c405") + b"dtype\xa3<f4"
    assert encode(np.float32(1), Encoding.OPENPI) == golden
    assert decode(golden) == np.float32(1)
    assert decode(golden).dtype == np.float32


def test_a_picture_is_as_large_as_elsewhere():
    picture = np.zeros((224, 224, 3), np.uint8)
    assert len(encode({"x": picture}, Encoding.GR00T)) - len(encode({"x": None}, Encoding.GR00T)) + 1 == 150688
    assert len(encode(picture, Encoding.OPENPI)) == 150578


@settings(max_examples=200, deadline=None)
@given(ANY_ARRAY, st.sampled_from(Encoding))
def test_an_array_survives_every_encoding(array, encoding):
    again = decode(encode({"a": [array]}, encoding))["a"][0]
    assert again.shape == array.shape
    assert again.dtype == array.dtype.newbyteorder("=")
    assert np.array_equal(again, array, equal_nan=array.dtype.kind == "f")
    assert not again.flags.writeable


def test_columns_first_is_read_as_it_was_meant():
    array = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    file = io.BytesIO()
    np.save(file, array)
    assert b"'fortran_order': True" in file.getvalue()
    assert np.array_equal(decode(msgpack.packb({"__ndarray_class__": True, "as_npy": file.getvalue()})), array)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_value_or_a_refusal(frame):
    with contextlib.suppress(Undecodable):
        decode(frame)


@settings(max_examples=300, deadline=None)
@given(ANY_ARRAY, st.sampled_from(Encoding), st.integers(0, 2000), st.integers(0, 255))
def test_a_damaged_array_is_a_value_or_a_refusal(array, encoding, where, byte):
    frame = bytearray(encode(array, encoding))
    frame[where % len(frame)] = byte
    try:
        value = decode(bytes(frame))
    except Undecodable:
        return
    assert not isinstance(value, np.ndarray) or value.dtype.kind in "biuf"


MARKED = st.sampled_from(
    [b"__ndarray__", "__ndarray__", "__ndarray_class__", b"nd", b"__npgeneric__", "__ModalityConfig_class__"])
NAMES = st.sampled_from(
    ["data", b"data", "dtype", b"dtype", "shape", b"shape", b"type", b"kind", "as_npy", "as_json", "as_dict"])
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(), st.binary(max_size=40),
    st.sampled_from(["<f4", "|O", "|O8", "<c8", "<U4", "|V8", "O", "f4,i4", "<f4" * 9, "{}", "[" * 5000]),
    st.lists(st.integers(-2, 2**64 - 1), max_size=12), st.lists(st.sampled_from([0, 1, 2**63, 2**64 - 1]), max_size=4),
    st.just([2**31, 2**31]), st.just([0] * 9), st.just([[1]]),
)


@settings(max_examples=400, deadline=None)
@given(MARKED, st.dictionaries(NAMES, VALUES, max_size=6))
def test_any_marked_map_is_a_value_or_a_refusal(marker, fields):
    try:
        value = decode(msgpack.packb({marker: True, **fields}))
    except Undecodable:
        return
    assert not isinstance(value, np.ndarray) or value.dtype.kind in "biuf"


@pytest.mark.parametrize(
    "dtype", ["|O", "|O8", "<c8", "<c16", "|V8", "<U4", "|S4", "<M8[s]", "f4,i4", "<f16", "<f3", ""])
@pytest.mark.parametrize("form", [
    lambda name: {b"__ndarray__": True, b"data": bytes(8), b"dtype": name, b"shape": [1]},
    lambda name: {"__ndarray__": True, "data": bytes(8), "dtype": name, "shape": [1]},
    lambda name: {b"nd": True, b"type": name, b"kind": b"", b"shape": [1], b"data": bytes(8)},
    lambda name: {"__ndarray_class__": True, "as_npy": npy(name)},
])
def test_objects_records_and_complex_numbers_are_refused(dtype, form):
    with pytest.raises(Undecodable):
        decode(msgpack.packb(form(dtype)))


def npy(name):
    head = f"{{'descr': '{name}', 'fortran_order': False, 'shape': (1,), }}".ljust(117).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + bytes(8)


def test_objects_as_msgpack_numpy_writes_them_are_refused():
    frame = msgpack.packb({b"nd": True, b"type": "|O", b"kind": b"O", b"shape": [1], b"data": b"cos\nsystem\n."})
    with pytest.raises(Undecodable, match="objects"):
        decode(frame)


@pytest.mark.parametrize("value", [np.array([{}]), np.array([1j]), np.array(["x"]), object(), np.zeros(1, "f4,i4")])
@pytest.mark.parametrize("encoding", Encoding)
def test_what_is_no_array_of_numbers_is_not_sent(value, encoding):
    with pytest.raises(Undecodable):
        encode({"x": value}, encoding)


@pytest.mark.parametrize("shape", [[2], [4], [-3], [3.0], [True, 3], "3", None, [2**40, 2**40], [1] * 9])
def test_a_shape_that_does_not_fit_is_refused(shape):
    with pytest.raises(Undecodable):
        decode(msgpack.packb({b"__ndarray__": True, b"data": bytes(12), b"dtype": "<f4", b"shape": shape}))


def test_a_frame_that_is_too_large_is_not_read():
    with pytest.raises(Undecodable, match="at most"):
        decode(bytes(MAX_FRAME + 1))


@pytest.mark.parametrize("frame", [
    b"\xdd\xff\xff\xff\xff", b"\xdc\x0f\xff" * 900, b"\xdf\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff", b"\x91" * 100_000,
    b"\x81\xa1a" * 50_000, msgpack.packb({b"__ndarray__": True, b"data": b"", b"dtype": "<f8", b"shape": [2**60, 0]}),
])
def test_hostile_bytes_cost_neither_memory_nor_time(frame):
    tracemalloc.start()
    start = time.perf_counter()
    with contextlib.suppress(Undecodable):
        decode(frame)
    used, spent = tracemalloc.get_traced_memory()[1], time.perf_counter() - start
    tracemalloc.stop()
    assert used < 64 * 2**20
    assert spent < 2.0


@pytest.mark.parametrize("one", [b"\x90", b"\x80", b"\x91\xa2no", b"\x81\xa1a\x01"])
def test_a_message_of_little_parts_costs_little(one):
    row = b"\xdc\x0f\xff" + one * 4095
    frame = b"\xdc\x03\xe8" + row * 1000  # 4 to 16 MB, of which Python's objects would be 70 times as large
    tracemalloc.start()
    try:
        with pytest.raises(Undecodable, match="lists and maps"):
            decode(frame)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("told", [{"as_json": {"modality_keys": ["a"]}}, {"as_json": '{"modality_keys": ["a"]}'},
                                  {"as_dict": {"modality_keys": ["a"]}}])
def test_a_modality_config_is_read_in_its_three_forms(told):
    assert decode(msgpack.packb({"__ModalityConfig_class__": True, **told})) == {"modality_keys": ["a"]}


def test_not_a_number_passes_the_wire_as_itself():
    assert math.isnan(decode(encode(np.array([math.nan]), Encoding.OPENPI))[0])
