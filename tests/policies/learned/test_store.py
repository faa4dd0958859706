"""A policy on disk: what was stored is what is loaded, and whatever is not right is refused before anything moves."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from tandem.bridge.contract import InvalidOption, ModelUnusable, SpecMismatch, UnknownName
from tandem.policies.learned import LearnedPolicy, load_policy
from tandem.policies.learned.architectures import network_for
from tandem.policies.learned.manifest import Manifest, Scale
from tandem.policies.learned.store import MANIFEST, WEIGHTS, load_network, save_policy


@pytest.fixture
def stored(made, spec_of, tmp_path):
    save_policy(tmp_path / "policy", *made(spec_of("panda")))
    return tmp_path / "policy"


def edit(folder, change):
    plain = json.loads((folder / MANIFEST).read_text())
    change(plain)
    (folder / MANIFEST).write_text(json.dumps(plain))


def test_what_was_stored_is_what_is_loaded(stored, made, spec_of):
    manifest, network = made(spec_of("panda"))
    again, loaded = load_network(stored)
    told = manifest.to_dict()
    assert again.to_dict() | {"about": {}} == told | {"about": {}}
    assert len(again.about["weights_sha256"]) == 64
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), loaded.parameters(), strict=True))
    described = load_policy(stored, spec_of("panda")).describe()
    assert described["digest"] == again.about["weights_sha256"]


@pytest.mark.parametrize("robot", ["ur5e", "so101"])
def test_another_robot_is_refused(stored, spec_of, robot):
    with pytest.raises(SpecMismatch, match="robot: the policy is made for panda"):
        load_policy(stored, spec_of(robot))


def test_other_cameras_and_another_rate_are_refused(stored, spec_of):
    spec = spec_of("panda")
    front, wrist = spec.cameras
    with pytest.raises(SpecMismatch, match=r"camera wrist.*does not have it"):
        load_policy(stored, replace(spec, cameras=(front,)))
    with pytest.raises(SpecMismatch, match=r"camera front.*640x480.*320x240"):
        load_policy(stored, replace(spec, cameras=(replace(front, width=320, height=240), wrist)))
    with pytest.raises(SpecMismatch, match="control_hz"):
        load_policy(stored, replace(spec, control_hz=10.0))


def test_missing_and_altered_weights_are_refused(stored):
    weights = (stored / WEIGHTS).read_bytes()
    (stored / WEIGHTS).write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    with pytest.raises(ModelUnusable, match="sha256"):
        load_network(stored)
    (stored / WEIGHTS).unlink()
    with pytest.raises(ModelUnusable, match="missing"):
        load_network(stored)
    (stored / MANIFEST).unlink()
    with pytest.raises(ModelUnusable, match="cannot be read"):
        load_network(stored)


@pytest.mark.parametrize("change", [
    lambda plain: plain["action"]["mean"][0].__setitem__(0, float("nan")),
    lambda plain: plain["state"]["deviation"].__setitem__(3, 0.0),
    lambda plain: plain["state"]["mean"].pop(),
    lambda plain: plain.pop("layout"),
    lambda plain: plain.update(layout="sideways"),
    lambda plain: plain.update(layout="joint"),
    lambda plain: plain.update(format=99),
    lambda plain: plain.update(skills=["fly"]),
    lambda plain: plain["settings"].update(dim=64),
    lambda plain: plain.update(architecture="oracle"),
    lambda plain: plain["windows"][0].update(camera=3, width=2),
])
def test_a_damaged_manifest_is_refused(stored, change):
    edit(stored, change)
    with pytest.raises(ModelUnusable):
        load_network(stored)


def test_weights_that_are_not_finite_are_refused(made, spec_of, tmp_path):
    manifest, network = made(spec_of("panda"))
    with torch.no_grad():
        next(network.parameters()).fill_(float("nan"))
    save_policy(tmp_path, manifest, network)
    with pytest.raises(ModelUnusable, match="NaN"):
        load_network(tmp_path)


def test_a_network_of_other_sizes_is_refused(made, spec_of):
    spec = spec_of("panda")
    manifest, _ = made(spec, horizon=4)
    with pytest.raises(ModelUnusable, match="the network is made for"):
        LearnedPolicy(spec, manifest, made(spec, horizon=6)[1])
    with pytest.raises(InvalidOption, match="execute"):
        LearnedPolicy(spec, *made(spec), execute=9)


def test_architectures_and_settings_by_name(made, spec_of):
    shapes = made(spec_of("panda"))[0].shapes
    with pytest.raises(UnknownName, match="flow"):
        network_for("flaw", shapes, {})
    with pytest.raises(InvalidOption, match="no setting width; known: dim"):
        network_for("flow", shapes, {"width": 3})
    with pytest.raises(InvalidOption):
        network_for("flow", shapes, {"dim": 33})


def test_scales_go_there_and_back():
    rows = np.random.default_rng(0).normal(3, 2, (500, 4))
    scale = Scale.of(rows)
    assert np.allclose(scale.restored(scale.normalised(rows)), rows, atol=1e-5)
    assert np.abs(scale.normalised(rows).mean(0)).max() < 1e-5
    with pytest.raises(ModelUnusable):
        Scale(np.zeros(2), np.zeros(2))
    assert Manifest.__doc__
