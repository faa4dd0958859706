"""Differences of plans: nothing is lost, and what explains outcomes comes first."""

import copy
import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tandem.agent.evaluation.manifests import differences

PLAN = {
    "system": {"planner": "tiny", "clock": "lockstep", "disturb": [], "key": "commander"}, "tasks": ["sort"],
    "episodes": 10, "first_seed": 0, "arm": {}, "started": "2026-01-01T00:00:00", "host": "one", "cpus": 8,
    "versions": {"mujoco": "3.3.2", "mcap": "1.2", "torch": "2.11"}, "git": {"commit": "a", "dirty": False},
    "environment": {"MUJOCO_GL": "egl"}, "planner": {"model": {"id": "tiny", "digest": "a" * 64, "revision": None}},
}
JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.sampled_from(["", "a", "b"]), lambda inner: st.lists(
    inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3), max_leaves=8)
PLANS = st.dictionaries(st.sampled_from(["system", "versions", "git", "host", "x"]), JSON)


def _changed(**changes):
    plan = copy.deepcopy(PLAN)
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = plan
        for name in parents:
            place = place[name]
        place[last] = value
    return plan


def test_what_explains_outcomes_comes_first():
    other = _changed(host="two", started="later", versions__mcap="1.3", versions__mujoco="3.3.7",
                     versions__torch="2.12",
                     planner__model__digest="b" * 64, system__clock="charged:500", environment__MUJOCO_GL="osmesa",
                     git__commit="b", first_seed=5, arm={"clock": "charged:500"}, system__key="mine")
    found = differences(PLAN, other)
    assert [one.path for one in found if one.explains] == [
        "arm.clock", "planner.model.digest", "system.clock", "first_seed", "versions.mujoco", "versions.torch",
        "git.commit", "environment.MUJOCO_GL"]
    assert {one.path for one in found if not one.explains} == {"host", "started", "versions.mcap", "system.key"}
    assert [one.explains for one in found] == sorted((one.explains for one in found), reverse=True)
    assert {one.path: one.why for one in found}["planner.model.digest"] == "other weights"


def test_a_value_that_only_one_has_is_told():
    [found] = differences(PLAN, {**PLAN, "perceiver": {"model": {"id": "eyes"}}})
    assert (found.path, found.first, found.second, found.explains) == ("perceiver.model.id", None, "eyes", True)


def test_what_is_not_known_is_taken_to_matter():
    [found] = differences(PLAN, {**PLAN, "magic": 1})
    assert (found.group, found.explains) == ("other", True)


def test_two_runs_of_uncommitted_code_are_not_the_same():
    dirty = _changed(git__dirty=True)
    [found] = differences(dirty, dirty)
    assert (found.path, found.why) == ("git.dirty", "neither commit says what ran")


def test_long_values_are_told_short_and_apart():
    [found] = differences({"spec": "<mujoco>" * 99}, {"spec": "<mujoco>" * 100})
    assert found.words[0] != found.words[1]
    assert max(map(len, found.words)) < 80
    [found] = differences(PLAN, _changed(planner__model__digest="b" * 64))
    assert found.words == ("aaaaaaaaaaaa...", "bbbbbbbbbbbb...")


def test_none_and_nothing_are_one():
    assert differences({"perceiver": None, "arm": {}}, {}) == ()


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(PLANS, PLANS)
def test_laws(a, b):
    there, back = differences(a, b), differences(b, a)
    assert [(one.path, one.first, one.second) for one in there] == [(one.path, one.second, one.first) for one in back]
    assert json.loads(json.dumps([one.to_dict() for one in there])) == [one.to_dict() for one in there]
    assert [one for one in differences(a, copy.deepcopy(a)) if one.path != "git.dirty"] == []
