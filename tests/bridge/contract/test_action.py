"""An action is checked before anything moves, a chunk when it is made."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.bridge.contract import ActionChunk, ActionKind, ActionSpec, InvalidAction, InvalidSpec
from tandem.bridge.contract.action import BOUND_TOLERANCE

LAYOUT = ActionSpec(("joint", "gripper"), [-1.0, 0.0], [2.0, 1.0])
ANY = st.floats(allow_nan=True, allow_infinity=True)


@given(st.lists(ANY, max_size=4))
def test_an_action_passes_exactly_when_it_is_inside(values):
    inside = len(values) == 2 and all(
        math.isfinite(value) and low - BOUND_TOLERANCE <= value <= high + BOUND_TOLERANCE
        for value, low, high in zip(values, LAYOUT.low, LAYOUT.high, strict=False)
    )
    if inside:
        assert np.array_equal(LAYOUT.validate(values), values)
    else:
        with pytest.raises(InvalidAction):
            LAYOUT.validate(values)


@pytest.mark.parametrize(("action", "words"), [
    ([0.0, 1.5], "'gripper' = 1.5"), ([-3.0, 0.5], r"\[-1, 2\]"), ([0.0], r"shape \(1,\), wanted \(2,\)"),
    ([[0.0, 0.5]], "shape"), ([np.nan, 0.5], "NaN"), ("up", "no array"), (None, "NaN|no array|shape"),
], ids=str)
def test_a_refusal_names_the_culprit(action, words):
    with pytest.raises(InvalidAction, match=words):
        LAYOUT.validate(action)


def test_rounding_in_float32_is_not_out_of_bounds():
    layout = ActionSpec(("joint",), [-2.8973], [2.8973])
    layout.validate(np.array([2.8973], np.float32))


@pytest.mark.parametrize(("names", "low", "high"), [
    ((), [], []), (("a", "a"), [0, 0], [1, 1]), (("a",), [0], [0]), (("a",), [1], [0]), (("a",), [0, 0], [1, 1]),
    (("a",), [np.nan], [1]), (("a",), [0], [np.inf]),
], ids=str)
def test_a_layout_that_cannot_be_is_refused(names, low, high):
    with pytest.raises(InvalidSpec):
        ActionSpec(names, low, high)


def test_a_layout_survives_the_wire():
    custom = ActionSpec(("dx", "dy"), [-1, -1], [1, 1], ActionKind.CUSTOM)
    again = ActionSpec.from_dict(json.loads(json.dumps(custom.to_dict())))
    assert again.to_dict() == custom.to_dict()
    assert again.kind is ActionKind.CUSTOM


def test_a_chunk_is_a_frozen_copy():
    actions = np.zeros((3, 2))
    chunk = ActionChunk(actions, 0.05, 0.0, 1, 0)
    actions[:] = 1.0
    assert len(chunk) == 3
    assert not chunk.actions.any()
    with pytest.raises(ValueError, match="read-only"):
        chunk.actions[0, 0] = 1.0


@pytest.mark.parametrize("fields", [
    {"actions": np.zeros((0, 2))}, {"actions": np.zeros(2)}, {"actions": [[np.nan, 0.0]]}, {"dt_s": 0.0},
    {"dt_s": float("nan")}, {"dt_s": -0.05}, {"t0_s": float("inf")},
], ids=str)
def test_a_chunk_that_cannot_be_is_refused(fields):
    good = {"actions": np.zeros((3, 2)), "dt_s": 0.05, "t0_s": 0.0, "epoch": 1, "request_id": 0}
    with pytest.raises(InvalidAction):
        ActionChunk(**{**good, **fields})
