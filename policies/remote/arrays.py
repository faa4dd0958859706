"""Arrays on the wires of policy servers: one decoder for the four encodings in use, an encoder for each.

| encoding | marker | used by |
|---|---|---|
| gr00t | "__ndarray_class__": a whole .npy file | GR00T N1.5 to N1.7 (gr00t/policy/server_client.py) |
| openpi | b"__ndarray__", keys are bytes | openpi (openpi_client/msgpack_numpy.py), starVLA |
| vla-eval | "__ndarray__", keys are texts | vla-evaluation-harness |
| msgpack-numpy | b"nd" | the library of that name, XPolicyLab |

The markers do not collide. Only booleans, whole numbers and floats get through: objects, records and complex numbers
are refused whichever way they are written, so nothing that could run is ever made. Sizes are checked before memory is.
"""

from __future__ import annotations

import io
import itertools
import json
import math
import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

import msgpack
import numpy as np

from tandem.policies.remote.errors import Undecodable

MAX_FRAME = 64 * 2**20  # bytes of one message: three uncompressed pictures of 1920x1080 and room for more
_MAX_ITEMS = 4096  # room is made for a list as soon as its length is read
_MAX_LISTS = 1000  # and maps, of one message: an empty one is a byte there and a hundred here
_MAX_DIMENSIONS = 8
_MAX_JSON = 2**16
_DTYPE = re.compile(r"[<>|=]?(?:b1|[iu][1248]|f[248])")
_NPY = re.compile(
    rb"\{'descr': '([^']{2,4})', 'fortran_order': (True|False), 'shape': \(((?:\d{1,10}, ?)*(?:\d{1,10})?)\), \} *\n"
)


class Encoding(StrEnum):
    """How an array is written."""

    GR00T = "gr00t"
    OPENPI = "openpi"
    VLA_EVAL = "vla-eval"
    MSGPACK_NUMPY = "msgpack-numpy"


def encode(value: Any, encoding: Encoding) -> bytes:
    """The bytes of maps, lists, texts, numbers and arrays. Raises `Undecodable` for anything else."""
    try:
        return msgpack.packb(value, default=_ENCODERS[encoding])
    except (TypeError, ValueError, OverflowError) as reason:
        raise Undecodable(f"cannot be sent: {reason}; give arrays of numbers, texts, lists and maps") from reason


def decode(frame: bytes | memoryview, *, limit: int = MAX_FRAME) -> Any:
    """The value in a frame; arrays of any of the four encodings become read-only numpy arrays.

    Args:
        frame: as it came.
        limit: bytes that it may have.

    Raises:
        Undecodable: too large, of too many parts, no msgpack, or an array that is not what it says.
    """
    size = len(frame)
    if size > limit:
        raise Undecodable(f"a message of {size} bytes; at most {limit} are read")
    counted = _counted()
    try:
        return msgpack.unpackb(
            frame, object_hook=lambda plain: _revive(counted(plain)), list_hook=counted, max_map_len=_MAX_ITEMS,
            max_array_len=_MAX_ITEMS, max_bin_len=size, max_str_len=size, max_ext_len=0,
        )
    except (ValueError, TypeError, RecursionError, msgpack.exceptions.UnpackException) as reason:
        raise Undecodable(f"no msgpack: {str(reason) or type(reason).__name__}"[:200]) from None


def _counted() -> Callable[[Any], Any]:
    """Gives back each list and map of a message, as long as there are not too many."""
    numbers = itertools.count(1)

    def count(value: Any) -> Any:
        if next(numbers) > _MAX_LISTS:
            raise Undecodable(f"a message of more than {_MAX_LISTS} lists and maps; send numbers as arrays")
        return value

    return count


def _revive(plain: dict[Any, Any]) -> Any:
    """The value that a map stands for, if it has one of the markers."""
    for marker, reader in _READERS.items():
        if marker in plain:
            try:
                return reader(plain)
            except KeyError as missing:
                raise Undecodable(f"an array marked {marker!r} lacks its {missing}") from None
    return plain


def _read_npy(plain: Mapping[Any, Any]) -> np.ndarray:
    data = plain["as_npy"]
    if type(data) is not bytes or data[:8] != b"\x93NUMPY\x01\x00":
        raise Undecodable("as_npy holds no .npy file of version 1.0")
    start = 10 + int.from_bytes(data[8:10], "little")
    head = _NPY.fullmatch(data[10:start])
    if head is None:
        raise Undecodable(f"the head of a .npy file is none of a plain array: {data[10:90]!r}")
    shape = [int(size) for size in head[3].replace(b",", b" ").split()]
    by_column = head[2] == b"True"
    array = _array(memoryview(data)[start:], head[1].decode("ascii", "replace"), shape[::-1] if by_column else shape)
    return array.T if by_column else array


def _read_plain(plain: Mapping[Any, Any]) -> np.ndarray:
    return _array(plain["data"], plain["dtype"], plain["shape"])


def _read_bytes_keys(plain: Mapping[Any, Any]) -> np.ndarray:
    return _array(plain[b"data"], plain[b"dtype"], plain[b"shape"])


def _read_scalar(plain: Mapping[Any, Any]) -> Any:
    value, name = plain[b"data"], plain[b"dtype"]
    if type(value) is str and type(name) is str and name[1:2] == "U":
        return value
    dtype = _dtype(name)
    if type(value) not in (bool, int, float):
        raise Undecodable(f"a number of type {name} is written as {type(value).__name__}")
    try:
        return dtype.type(value)
    except (OverflowError, ValueError) as reason:
        raise Undecodable(f"a number of type {name} cannot be {value}: {reason}") from None


def _read_msgpack_numpy(plain: Mapping[Any, Any]) -> Any:
    if plain.get(b"kind", b"") not in (b"", "") or type(plain[b"type"]) is not str:
        raise Undecodable("an array of objects or records; send numbers only")
    whole = plain[b"nd"] is True
    array = _array(plain[b"data"], plain[b"type"], plain[b"shape"] if whole else ())
    return array if whole else array[()]


def _read_modality(plain: Mapping[Any, Any]) -> dict[str, Any]:
    """A GR00T ModalityConfig: a map in N1.6 and later, a JSON text in N1.5, "as_dict" in an example client."""
    told = plain["as_json"] if "as_json" in plain else plain["as_dict"]
    if type(told) is str and len(told) <= _MAX_JSON:
        try:
            told = json.loads(told)
        except (ValueError, RecursionError) as reason:
            raise Undecodable(f"a ModalityConfig is no JSON: {reason}") from None
    if type(told) is not dict:
        raise Undecodable(f"a ModalityConfig must be a map, got {type(told).__name__}")
    return told


_READERS: dict[str | bytes, Callable[[Mapping[Any, Any]], Any]] = {
    "__ndarray_class__": _read_npy, b"__ndarray__": _read_bytes_keys, "__ndarray__": _read_plain,
    b"__npgeneric__": _read_scalar, b"nd": _read_msgpack_numpy, "__ModalityConfig_class__": _read_modality,
}


def _dtype(name: Any) -> np.dtype:
    if type(name) is not str or _DTYPE.fullmatch(name) is None:
        raise Undecodable(f"dtype {str(name)[:40]!r}; only booleans, whole numbers and floats are read")
    return np.dtype(name)


def _array(data: Any, name: Any, shape: Any) -> np.ndarray:
    """A read-only view of the data, if it has just as many bytes as dtype and shape say."""
    dtype = _dtype(name)
    if not isinstance(data, (bytes, memoryview)):
        raise Undecodable(f"the data of an array are {type(data).__name__}, not bytes")
    if not isinstance(shape, (list, tuple)) or len(shape) > _MAX_DIMENSIONS or not all(
        type(size) is int and 0 <= size <= MAX_FRAME for size in shape
    ):
        raise Undecodable(f"shape {str(shape)[:60]}; at most {_MAX_DIMENSIONS} sizes of 0 to {MAX_FRAME} are read")
    if math.prod(shape) * dtype.itemsize != len(data):
        raise Undecodable(f"{name}{tuple(shape)} takes {math.prod(shape) * dtype.itemsize} bytes, {len(data)} came")
    array = np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)
    array.setflags(write=False)
    return array


def _sendable(value: Any) -> np.ndarray | np.generic:
    if not isinstance(value, (np.ndarray, np.generic)):
        raise TypeError(f"{type(value).__name__} has no form on this wire")
    _dtype(value.dtype.str)
    return value


def _as_gr00t(value: Any) -> Any:
    if isinstance(_sendable(value), np.generic):
        return value.item()
    file = io.BytesIO()
    np.save(file, value, allow_pickle=False)
    return {"__ndarray_class__": True, "as_npy": file.getvalue()}


def _as_openpi(value: Any) -> Any:
    if isinstance(_sendable(value), np.generic):
        return {b"__npgeneric__": True, b"data": value.item(), b"dtype": value.dtype.str}
    return {b"__ndarray__": True, b"data": value.tobytes(), b"dtype": value.dtype.str, b"shape": value.shape}


def _as_vla_eval(value: Any) -> Any:
    if isinstance(_sendable(value), np.generic):
        return value.item()
    return {"__ndarray__": True, "data": value.tobytes(), "dtype": value.dtype.str, "shape": list(value.shape)}


def _as_msgpack_numpy(value: Any) -> Any:
    if isinstance(_sendable(value), np.generic):
        return {b"nd": False, b"type": value.dtype.str, b"data": value.tobytes()}
    return {
        b"nd": True, b"type": value.dtype.str, b"kind": b"", b"shape": list(value.shape), b"data": value.tobytes(),
    }


_ENCODERS: dict[Encoding, Callable[[Any], Any]] = {
    Encoding.GR00T: _as_gr00t, Encoding.OPENPI: _as_openpi, Encoding.VLA_EVAL: _as_vla_eval,
    Encoding.MSGPACK_NUMPY: _as_msgpack_numpy,
}
