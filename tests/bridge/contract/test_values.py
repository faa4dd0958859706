"""Targets, episode results and errors."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.bridge.contract import (
    EpisodeResult,
    FailureCode,
    InvalidPlan,
    MissingDependency,
    SkillFailed,
    SpecMismatch,
    TandemError,
    Target,
    UnknownName,
    errors,
)

GOOD = {"surface": [0.5, 0, 0.04], "size": [0.04] * 3, "yaw_rad": 0.0, "rim_z_m": 0.04}


def result(**fields):
    base = {
        "claimed": True, "seen": True, "measured": None, "infeasible": False, "failure": None, "reason": "done",
        "progress": None, "attempts": (), "steps": 3, "plans": 1, "body_s": 0.15, "wall_s": 0.01, "privileged": False,
    }
    return EpisodeResult(**{**base, **fields})


def test_a_target_is_frozen():
    target = Target(**GOOD)
    assert not target.privileged
    assert not target.outward.any()
    with pytest.raises(ValueError, match="read-only"):
        target.surface[0] = 1.0


@pytest.mark.parametrize("field", ["surface", "size", "outward"])
@pytest.mark.parametrize("value", [[0.0, 1.0], [np.nan, 0, 0], "here", [[0, 0, 0]]], ids=str)
def test_a_target_that_is_nowhere_is_refused(field, value):
    with pytest.raises(InvalidPlan, match=field):
        Target(**{**GOOD, field: value})


@given(st.booleans(), st.none() | st.booleans(), st.booleans(), st.none() | st.booleans())
def test_what_was_measured_decides_and_not_the_claim(claimed, measured, infeasible, expected):
    told = result(claimed=claimed, measured=measured, infeasible=infeasible, expected=expected)
    assert told.success == (infeasible if expected is False else measured)
    assert told.false_success == (None if measured is None else claimed and not measured)


def test_a_result_is_plain_data():
    told = json.loads(json.dumps(result(failure=FailureCode.TIMEOUT, measured=False).to_dict()))
    assert (told["failure"], told["success"], told["false_success"]) == ("TIMEOUT", False, True)


def test_every_error_has_one_base():
    own = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]
    assert all(issubclass(error, TandemError) for error in own)
    assert len(own) > 10


def test_errors_say_what_would_have_worked():
    assert "Did you mean 'sort'? Known: pick_place, sort." in str(UnknownName("task", "srot", ["pick_place", "sort"]))
    assert "Did you mean" not in str(UnknownName("task", "xyzzy", ["sort"]))
    assert "none" in str(UnknownName("task", "sort", []))
    assert SpecMismatch(["a: 1 here, 2 there"]).differences == ("a: 1 here, 2 there",)
    assert "apt install libegl1" in str(MissingDependency("EGL for rendering", "apt install libegl1"))
    failed = SkillFailed("GRASP_FAILED", "closed on nothing")
    assert failed.code is FailureCode.GRASP_FAILED
    with pytest.raises(ValueError, match="OOPS"):
        SkillFailed("OOPS", "no such code")
