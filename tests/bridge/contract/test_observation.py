"""What an observation must hold, and what a lazy one remembers."""

import numpy as np
import pytest

from tandem.bridge.conformance import DummyBody, dummy_spec
from tandem.bridge.contract import InvalidObservation, LazyObservation, StaleObservation, snapshot
from tandem.bridge.contract.observation import layout, validate

SPEC = dummy_spec()


def observed(**changes):
    return {**dict(DummyBody(SPEC).reset(seed=1)[0]), **changes}


def test_the_layout_is_what_a_body_delivers():
    assert set(layout(SPEC)) == set(observed())
    assert [key for key in layout(SPEC) if key not in layout(SPEC, images=False)] == ["image.front", "depth.front"]
    validate(observed(), SPEC, images=True)
    validate(observed(humidity=np.zeros(1)), SPEC)  # a robot may measure more


@pytest.mark.parametrize("key", layout(SPEC))
def test_every_key_is_checked(key):
    good = observed()
    with pytest.raises(InvalidObservation, match=key):
        validate({name: array for name, array in good.items() if name != key}, SPEC, images=True)
    with pytest.raises(InvalidObservation, match=key):
        validate({**good, key: good[key][:-1]}, SPEC, images=True)
    with pytest.raises(InvalidObservation, match=key):
        validate({**good, key: good[key].astype(np.float16)}, SPEC, images=True)
    if good[key].dtype != np.uint8:
        bad = good[key].copy()
        bad.flat[0] = np.nan
        with pytest.raises(InvalidObservation, match="NaN"):
            validate({**good, key: bad}, SPEC, images=True)


def test_a_pose_has_a_rotation():
    with pytest.raises(InvalidObservation, match="quaternion"):
        validate(observed(tool_pose=np.array([0.5, 0, 0.3, 2.0, 0, 0, 0])), SPEC)


def test_lazy_images_are_made_once_and_only_when_read():
    calls = []

    def make():
        calls.append(1)
        return np.ones(2)

    lazy = LazyObservation({"time": np.zeros(1)}, {"image.front": make, "image.wrist": make})
    assert ("image.front" in lazy, len(lazy), list(lazy)) == (True, 3, ["time", "image.front", "image.wrist"])
    assert calls == []
    assert lazy["image.wrist"] is lazy["image.wrist"]
    assert len(calls) == 1
    assert list(lazy.looked_at()) == ["image.wrist"]  # what was really seen, nothing else
    assert sorted(lazy) == ["image.front", "image.wrist", "time"]
    with pytest.raises(KeyError):
        lazy["image.rear"]


def test_a_snapshot_outlives_the_body_moving_on():
    body = DummyBody(SPEC)
    first, _ = body.reset(seed=1)
    kept = snapshot(first, ["image.front"])
    unread = body.step(SPEC.action.low)[0]
    body.step(SPEC.action.low)
    assert kept["image.front"].shape == (24, 32, 3)
    assert np.array_equal(first["image.front"], kept["image.front"])
    with pytest.raises(StaleObservation):
        snapshot(unread, ["image.front"])
