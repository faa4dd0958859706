"""robomimic's HDF5 holds what the logs held, the simulator's states too, and files of robomimic's own become logs."""

import json

import h5py
import numpy as np
import pytest
from dummy_logs import LAYOUT, record, same_numbers

from tandem.bridge.contract import UnusableDataset
from tandem.bridge.datasets import export_logs, import_dataset, open_dataset
from tandem.bridge.log import LogReader


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("logs")
    for k in range(2):
        record(folder / f"{k}.mcap", seed=k, steps=6 + k, success=k == 1)
    return folder


@pytest.fixture(scope="module")
def dataset(logs):
    export_logs([logs], logs.parent / "demos.hdf5", to="hdf5")
    return logs.parent / "demos.hdf5"


def test_it_is_laid_out_as_robomimic_reads_it(logs, dataset):
    with h5py.File(dataset) as file:
        data = file["data"]
        assert data.attrs["total"] == 13
        assert {"env_name", "type", "env_kwargs"} <= set(json.loads(data.attrs["env_args"]))
        assert list(file["mask/successful"]) == [b"demo_1"]
        for k in range(2):
            demo, log = data[f"demo_{k}"], LogReader(logs / f"{k}.mcap")
            assert demo.attrs["num_samples"] == 6 + k
            np.testing.assert_array_equal(demo["states"], log.states()[1][:-1])  # the state before each action
            np.testing.assert_array_equal(demo["actions"], log.actions()[1])
            assert list(demo["dones"]) == [0] * (5 + k) + [1]
            assert list(demo["rewards"]) == [0] * (5 + k) + [k]
            pictures = demo["obs/front_image"]
            assert (pictures.shape, pictures.dtype) == ((6 + k, 48, 64, 3), np.uint8)
            np.testing.assert_array_equal(pictures[0], next(log.images("front")).array)
            assert {"joint_position", "joint_velocity", "gripper_opening", "tool_pose"} <= set(demo["obs"])


def test_a_log_comes_back_with_states_model_and_pictures(logs, dataset, tmp_path):
    import_dataset(dataset, tmp_path / "back")
    for k in range(2):
        log, back = LogReader(logs / f"{k}.mcap"), LogReader(tmp_path / f"back/episode-{k:06d}.mcap")
        same_numbers(log.path, back.path)
        np.testing.assert_array_equal(back.states()[1][:-1], log.states()[1][:-1])
        assert back.state_layout() == LAYOUT
        assert back.model() == log.model()
        assert back.result["success"] is (k == 1)
        for number, seen in enumerate(log.images("front")):
            np.testing.assert_array_equal(list(back.images("front"))[3 * number].array, seen.array)


def foreign(path, **leave):
    """As robosuite's demonstrations look."""
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        data.attrs["env_args"] = json.dumps({
            "env_name": "Lift", "type": 1, "env_kwargs": {"robots": ["Panda"], "control_freq": 20}
        })
        for k in (10, 2):
            demo = data.create_group(f"demo_{k}")
            demo.attrs["model_file"] = "<mujoco/>"
            demo["actions"], demo["states"] = rng.uniform(-1, 1, (5, 7)), rng.normal(size=(5, 32))
            demo["rewards"], demo["dones"] = np.array([0, 0, 0, 0, 1.0]), np.array([0, 0, 0, 0, 1])
            demo["obs/robot0_joint_pos"] = rng.normal(size=(5, 7)).astype(np.float32)
            demo["obs/agentview_image"] = rng.integers(0, 255, (5, 84, 84, 3), dtype=np.uint8)
    return path


def test_demonstrations_of_robosuite_become_logs(tmp_path):
    path = foreign(tmp_path / "lift.hdf5")
    import_dataset(path, tmp_path / "logs")
    with h5py.File(path) as file:
        for number, name in enumerate(("demo_2", "demo_10")):  # in the order of their numbers
            log = LogReader(tmp_path / f"logs/episode-{number:06d}.mcap")
            np.testing.assert_array_equal(log.actions()[1], file[f"data/{name}/actions"])
            np.testing.assert_array_equal(
                [picture.array for picture in log.images("agentview")], file[f"data/{name}/obs/agentview_image"]
            )
            assert (log.spec.robot, log.spec.dof, log.spec.control_hz) == ("Panda", 7, 20)
            assert log.result["success"]
            assert log.manifest["instruction"] == "Lift"
            assert log.manifest["model"] is None  # its model names files of another machine


def test_a_reward_on_the_way_is_no_success(tmp_path):
    path = foreign(tmp_path / "dense.hdf5")
    with h5py.File(path, "a") as file:
        environment = json.loads(file["data"].attrs["env_args"])
        environment["env_kwargs"]["reward_shaping"] = True
        file["data"].attrs["env_args"] = json.dumps(environment)
        file["data/demo_2/rewards"][:] = np.linspace(0.1, 0.4, 5)
    import_dataset(path, tmp_path / "logs")
    result = LogReader(tmp_path / "logs/episode-000000.mcap").result
    assert (result["success"], result["measured"], result["claimed"]) == (None, None, False)


@pytest.mark.parametrize(("name", "words"), [
    ("data/demo_2/actions", "no 'actions'"), ("data/demo_2/obs", "no 'obs'"), ("data", "no group 'data'"),
    ("data/demo_2/obs/robot0_joint_pos", "observes no joints"),
])
def test_what_lacks_is_named(tmp_path, name, words):
    path = foreign(tmp_path / "lift.hdf5")
    with h5py.File(path, "a") as file:
        del file[name]
    with pytest.raises(UnusableDataset, match=words):
        import_dataset(path, tmp_path / "logs")
    assert not (tmp_path / "logs").exists()


def test_other_numbers_of_rows_are_refused(tmp_path):
    path = foreign(tmp_path / "lift.hdf5")
    with h5py.File(path, "a") as file:
        pictures = file["data/demo_2/obs/agentview_image"][:3]
        del file["data/demo_2/obs/agentview_image"]
        file["data/demo_2/obs/agentview_image"] = pictures
    with pytest.raises(UnusableDataset, match="3 pictures for 5 rows"):
        import_dataset(path, tmp_path / "logs")
    with h5py.File(path, "a") as file:
        del file["data/demo_2/obs/robot0_joint_pos"]
        file["data/demo_2/obs/robot0_joint_pos"] = np.zeros((4, 7))
    with pytest.raises(UnusableDataset, match="state has shape"):
        open_dataset(path).episode(0)
    assert list(tmp_path.iterdir()) == [path]
