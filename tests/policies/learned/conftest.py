"""Small networks with random weights, and what they could see."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tandem.policies.learned.architectures import network_for
from tandem.policies.learned.eyes import About, Window
from tandem.policies.learned.layouts import Layout
from tandem.policies.learned.manifest import STATE_EXTRA, Body, Manifest, Scale

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "launch")]  # references of networks, and the maker of a small log

WINDOWS = (
    Window("front", About.ALL, 40, 30), Window("front", About.POINT, 32, 32, 0.004),
    Window("wrist", About.TOOL, 32, 32),
)
SMALL = {
    "flow": {"dim": 32, "heads": 2, "channels": [8, 8, 8]},
    "act": {"dim": 32, "heads": 2, "feedforward": 48, "reading": 2, "styling": 2, "latent": 4, "widths": [8, 8, 8, 8]},
}


def manifest_for(spec, architecture="flow", layout=Layout.TOOL, settings=None, horizon=4, stride=2):
    size = layout.size(spec.dof)
    state = spec.dof + STATE_EXTRA
    return Manifest(
        architecture, SMALL.get(architecture, {}) if settings is None else settings, layout, horizon, stride,
        Body.of(spec, WINDOWS), WINDOWS, ("pick", "place", "home"), ("red", "cube", "blue", "bin"),
        Scale(np.zeros((horizon, size)), np.full((horizon, size), 0.02)), Scale(np.zeros(state), np.ones(state)),
    )


@pytest.fixture
def made():
    """`made(spec, architecture, layout, settings=...)`: a manifest and a network with random weights."""

    def make(spec, architecture="flow", layout=Layout.TOOL, settings=None, **more):
        torch.manual_seed(0)
        manifest = manifest_for(spec, architecture, layout, settings, **more)
        network = network_for(architecture, manifest.shapes, manifest.settings)
        for weight in network.parameters():  # what begins with nothing would say nothing
            if not weight.any():
                torch.nn.init.normal_(weight, std=0.02)
        return manifest, network

    return make


@pytest.fixture
def seen():
    """`seen(spec, arm)`: an observation of an arm at its rest pose, with pictures of noise."""

    def observe(spec, arm, q=None, opening=1.0, seed=0):
        rng = np.random.default_rng(seed)
        q = spec.home if q is None else q
        pose, quaternion = arm.fk(q), np.empty(4)
        import mujoco

        mujoco.mju_mat2Quat(quaternion, np.ascontiguousarray(pose[:3, :3]).ravel())
        return {
            "joint_position": np.array(q), "joint_velocity": np.zeros(spec.dof),
            "gripper_opening": np.array([opening]), "tool_pose": np.append(pose[:3, 3], quaternion),
            "time": np.array([1.5]),
            **{f"image.{c.name}": rng.integers(0, 256, (c.height, c.width, 3), np.uint8) for c in spec.cameras},
            **{f"depth.{c.name}": np.ones((c.height, c.width), np.float32) for c in spec.cameras},
        }

    return observe
