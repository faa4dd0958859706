"""Frames per second that LeRobot records and reads back at random; prints one JSON line.

Runs under the Python of the peer lerobot: launch/peers/log_lerobot.py FOLDER EPISODES FRAMES READS. In FOLDER are
front.npy and wrist.npy, uint8 (FRAMES, 224, 224, 3), the pictures of every episode; the dataset is made there. Videos
are decoded with PyAV: the other decoder asks for an FFmpeg of the system. Two frames are recorded before, untimed.
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path
from time import perf_counter

import numpy as np
from lerobot.datasets.lerobot_dataset import LeRobotDataset

JOINTS = 8
CAMERAS = ("front", "wrist")


def features() -> dict:
    row = {"dtype": "float32", "shape": (JOINTS,), "names": [f"joint_{i}" for i in range(JOINTS)]}
    film = {"dtype": "video", "shape": (224, 224, 3), "names": ["height", "width", "channels"]}
    return {"observation.state": row, "action": row, **{f"observation.images.{name}": film for name in CAMERAS}}


def record(root: Path, pictures: dict, episodes: int, frames: int) -> float:
    dataset = LeRobotDataset.create(
        "peer/log", fps=20, root=root, features=features(), use_videos=True, image_writer_threads=2,
        video_backend="pyav",
    )
    rows = np.random.default_rng(0).random((frames, 2, JOINTS), np.float32)
    start = perf_counter()
    for _ in range(episodes):
        for k in range(frames):
            seen = {f"observation.images.{name}": pictures[name][k] for name in CAMERAS}
            dataset.add_frame({"observation.state": rows[k, 0], "action": rows[k, 1], **seen, "task": "measure"})
        dataset.save_episode()
    dataset.finalize()
    return episodes * frames / (perf_counter() - start)


def read(root: Path, reads: int) -> float:
    dataset = LeRobotDataset("peer/log", root=root, video_backend="pyav")
    picks = np.random.default_rng(1).integers(0, len(dataset), reads)
    dataset[0]
    start = perf_counter()
    for number in picks:
        dataset[int(number)]
    return reads / (perf_counter() - start)


if __name__ == "__main__":
    folder, (episodes, frames, reads) = Path(sys.argv[1]), map(int, sys.argv[2:5])
    pictures = {name: np.load(folder / f"{name}.npy") for name in CAMERAS}
    record(folder / "warm", pictures, 1, 2)
    recorded = record(folder / "dataset", pictures, episodes, frames)
    print(json.dumps({"peer": f"lerobot {version('lerobot')}", "record_frames_per_s": recorded,
                      "random_read_frames_per_s": read(folder / "dataset", reads)}))
