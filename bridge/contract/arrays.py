"""Read-only numpy arrays for frozen values, checked once at construction."""

from __future__ import annotations

from typing import Any

import numpy as np

from tandem.bridge.contract.errors import TandemError


def frozen(
    value: Any, *, name: str, shape: tuple[int | None, ...], error: type[TandemError], dtype: type = np.float64
) -> np.ndarray:
    """A finite, contiguous, read-only copy of `value`.

    Args:
        value: anything that numpy turns into an array.
        name: what the array is called in an error message.
        shape: the shape asked for; None stands for any size of at least one.
        error: the class to raise.
        dtype: the dtype of the result.
    """
    try:
        array = np.array(value, dtype=dtype)
    except (TypeError, ValueError) as reason:
        raise error(f"{name} is no array of numbers: {reason}") from reason
    fits = array.ndim == len(shape) and all(
        have == want if want is not None else have > 0 for have, want in zip(array.shape, shape, strict=True)
    )
    if not fits:
        wanted = tuple("any" if size is None else size for size in shape)
        raise error(f"{name} has shape {array.shape}, wanted {wanted}")
    if not np.all(np.isfinite(array)):
        raise error(f"{name} holds NaN or infinity: {array}")
    array.setflags(write=False)
    return array
