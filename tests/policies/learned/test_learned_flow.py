"""The learned flow policy seen through its velocity field, and driven by every executor."""

import numpy as np
import pytest
import torch

pytest.importorskip("tandem.policies.learned")

from tandem.bridge.conformance import check_policy
from tandem.bridge.contract import CameraPoint, InvalidOption, Subgoal
from tandem.policies.executors import EXECUTORS, FlowPolicy, executor_named
from tandem.policies.executors.guidance import sample
from tandem.policies.executors.learned import LearnedFlow
from tandem.policies.learned.layouts import Layout
from tandem.policies.motion.kinematics import Arm

PICK = Subgoal("pick", {"object": "red cube", "point": CameraPoint("front", 300, 250)})


class Charged:
    real_time = False

    def charge_s(self, wall_s):
        return 0.1


@pytest.fixture
def policy(made, spec_of):
    spec = spec_of("panda")
    return lambda layout=Layout.TOOL, **more: LearnedFlow(spec, *made(spec, "flow", layout), **{"execute": 1, **more})


@pytest.fixture
def observation(spec_of, seen):
    spec = spec_of("panda")
    return seen(spec, Arm(spec))


def test_it_gives_whole_chunks_and_has_a_velocity_field(policy, observation):
    one = policy()
    assert isinstance(one, FlowPolicy)
    assert (one.horizon, one.stride, one.trained_prefix) == (8, 2, 3)
    assert len(one.infer(observation, PICK)) == 8
    assert len(policy(execute=8).infer(observation, PICK)) <= 8


@pytest.mark.parametrize(("layout", "off"), [(Layout.TOOL, 0.25), (Layout.JOINT, 1e-4)])
def test_what_is_encoded_is_what_was_drawn(layout, off, policy, observation):
    one, drawn = policy(layout), []

    def sampler(drawing):
        drawn.append((drawing, sample(drawing.velocity, drawing.noise, drawing.steps)))
        return drawn[-1][1]

    chunk = one.infer_by(sampler, observation, PICK)
    drawing, points = drawn[0]
    again = drawing.encode(chunk.actions[one.stride - 1::one.stride])
    assert torch.allclose(again[:, :-1], points[:, :-1], atol=off)  # the opening is cut off at its bounds


def test_drawing_plainly_is_what_a_network_with_one_sample_does(made, spec_of, observation):
    spec = spec_of("panda")
    manifest, network = made(spec, settings={"dim": 32, "heads": 2, "channels": [8, 8, 8], "samples": 1})
    chunks = [
        call(LearnedFlow(spec, manifest, network, execute=1))
        for call in (
            lambda one: one.infer(observation, PICK),
            lambda one: one.infer_by(lambda d: sample(d.velocity, d.noise, d.steps), observation, PICK),
        )
    ]
    assert np.allclose(*(chunk.actions for chunk in chunks), atol=1e-5)


@pytest.mark.parametrize("name", [
    *sorted(set(EXECUTORS) - {"rtc"}), "rtc:horizon=4", "rtc:horizon=4,jacobian=full", "rtc:horizon=4,mode=trained",
])
def test_every_executor_drives_it(name, policy, observation, spec_of):
    spec = spec_of("panda")
    check_policy(lambda: executor_named(name).around(policy(), spec, Charged()), spec, observation, [PICK])


def test_a_guided_chunk_goes_on_from_what_lies_ahead(policy, observation, spec_of):
    """The same observation, another draw for each answer: guided, the actions go on where the last chunk led."""
    spec, jerk = spec_of("panda"), {}
    for beta in (0, 5):
        executor = executor_named(f"rtc:horizon=4,beta={beta}").around(policy(), spec, Charged())
        executor.reset(1)
        for step in range(24):
            executor.infer({**observation, "time": np.array([1.5 + step * spec.dt_s])}, PICK)
        jerk[beta] = executor.metrics.total.summary().seam_jerk
    assert jerk[5] < jerk[0]


def test_another_architecture_has_none(made, spec_of):
    spec = spec_of("panda")
    with pytest.raises(InvalidOption, match="no velocity field"):
        LearnedFlow(spec, *made(spec, "act"))


def test_beside_the_arm_only_what_it_looks_at_is_copied(policy, observation, spec_of):
    class Live(Charged):
        real_time = True

    class Looked(dict):
        keys_read: set[str] = set()

        def __getitem__(self, key):
            self.keys_read.add(key)
            return super().__getitem__(key)

    looked = Looked(observation)
    executor = executor_named("async").around(policy(), spec_of("panda"), Live())
    executor.reset(1)
    executor.infer(looked, PICK)
    assert {key for key in looked.keys_read if "." in key} == {"image.front", "image.wrist"}  # no depth
