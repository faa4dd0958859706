"""LeRobot's own library opens what we wrote: tasks, states, frames, statistics. Its environment is a peer's."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from dummy_logs import psnr, record

from tandem.bridge.datasets import export_logs, open_dataset
from tandem.bridge.log import LogReader

PEERS = Path(os.environ.get("TANDEM_PEERS", Path.home() / ".cache/tandem-peers"))
PYTHON = PEERS / "lerobot/bin/python"
READ = """
import sys
import numpy as np
from lerobot.datasets.lerobot_dataset import LeRobotDataset
dataset = LeRobotDataset("local/ours", root=sys.argv[1], video_backend="pyav")
rows = [dataset[k] for k in range(len(dataset))]
chunk = LeRobotDataset("local/ours", root=sys.argv[1], video_backend="pyav", delta_timestamps={"action": [0, 0.05]})
np.savez(
    sys.argv[2], tasks=np.array([row["task"] for row in rows]),
    state=np.stack([row["observation.state"].numpy() for row in rows]),
    action=np.stack([row["action"].numpy() for row in rows]),
    exact=np.stack([row["tandem.action"].numpy() for row in rows]),
    success=np.stack([row["next.success"].numpy() for row in rows]),
    episode=np.array([int(row["episode_index"]) for row in rows]),
    frames=np.stack([row["observation.images.front"].numpy() for row in rows]),
    q99=np.asarray(dataset.meta.stats["action"]["q99"]), mean=np.asarray(dataset.meta.stats["action"]["mean"]),
    chunk=chunk[3]["action"].numpy(), fps=dataset.fps, episodes=dataset.num_episodes,
)
"""


@pytest.mark.peer
@pytest.mark.parametrize("codec", ["h264", "av1"])
def test_lerobots_own_library_reads_ours(tmp_path, codec):
    if not PYTHON.exists():
        pytest.skip("no LeRobot: launch/peers/setup.sh lerobot")
    (tmp_path / "logs").mkdir()
    for k, task in enumerate(("stack the cubes", "close the drawer", "stack the cubes")):
        record(tmp_path / f"logs/{k}.mcap", seed=k, steps=8 + k, task=task, success=k != 1)
    export_logs([tmp_path / "logs"], tmp_path / "dataset", codec=codec)
    alone = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "home"), "PYTHONPATH": ""}
    done = subprocess.run(
        [PYTHON, "-c", READ, tmp_path / "dataset", tmp_path / "read.npz"], env=alone, capture_output=True, text=True,
        timeout=240, check=False,
    )
    assert done.returncode == 0, done.stderr
    read, ours = np.load(tmp_path / "read.npz"), open_dataset(tmp_path / "dataset")
    episodes = [ours.episode(k) for k in range(3)]
    assert (read["fps"], read["episodes"]) == (20, 3)
    assert list(read["tasks"]) == [episode.task for episode in episodes for _ in range(len(episode))]
    assert list(read["episode"]) == [0] * 8 + [1] * 9 + [2] * 10
    actions = np.concatenate([episode.actions for episode in episodes])
    for name in ("exact", "action"):  # it makes single precision of every number
        np.testing.assert_array_equal(read[name], actions.astype(np.float32))
    np.testing.assert_array_equal(read["chunk"], actions[3:5].astype(np.float32))
    np.testing.assert_array_equal(
        read["state"], np.concatenate([episode.state for episode in episodes]).astype(np.float32)
    )
    assert list(np.flatnonzero(read["success"])) == [7, 26]
    statistics = json.loads((tmp_path / "dataset/meta/stats.json").read_text())["action"]
    np.testing.assert_allclose(read["q99"], statistics["q99"], rtol=1e-6)
    frames = [frame.array for episode in episodes for frame in episode.views[0].checked(len(episode))]
    for theirs, mine in zip(read["frames"], frames, strict=True):
        assert psnr(np.moveaxis(theirs * 255, 0, -1), mine) > 40  # two decoders of one film


@pytest.mark.peer
def test_lerobots_own_converter_takes_our_older_format(tmp_path):
    if not PYTHON.exists():
        pytest.skip("no LeRobot: launch/peers/setup.sh lerobot")
    (tmp_path / "logs").mkdir()
    for k, task in enumerate(("stack the cubes", "close the drawer")):
        record(tmp_path / f"logs/{k}.mcap", seed=k, steps=8 + k, task=task)
    export_logs([tmp_path / "logs"], tmp_path / "ours", to="lerobot-v2.1")
    alone = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "home"), "PYTHONPATH": ""}
    converter = "lerobot.datasets.v30.convert_dataset_v21_to_v30"
    done = subprocess.run(
        [PYTHON, "-m", converter, "--repo-id=ours", f"--root={tmp_path}", "--push-to-hub=false"], env=alone,
        capture_output=True, text=True, timeout=240, check=False,
    )
    assert done.returncode == 0, done.stderr
    converted = open_dataset(tmp_path / "ours")
    for k, task in enumerate(("stack the cubes", "close the drawer")):
        episode, log = converted.episode(k), LogReader(tmp_path / f"logs/{k}.mcap")
        assert episode.task == task
        np.testing.assert_array_equal(episode.actions, log.actions()[1])
        assert psnr(next(episode.views[0].checked(1)).array, next(log.images("front")).array) > 34
