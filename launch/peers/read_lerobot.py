"""Samples per second that LeRobot's loader yields from a dataset at random; prints one JSON line.

Runs under the Python of the peer lerobot: launch/peers/read_lerobot.py FOLDER SAMPLES. FOLDER holds a dataset in
LeRobot's format. Videos are decoded with PyAV: the other decoder asks for an FFmpeg of the system.
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
from lerobot.datasets.lerobot_dataset import LeRobotDataset

if __name__ == "__main__":
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    dataset = LeRobotDataset("peer/read", root=folder, video_backend="pyav")
    picks = np.random.default_rng(1).integers(0, len(dataset), count)
    dataset[0]
    start, busy = perf_counter(), process_time()
    for number in picks:
        dataset[int(number)]
    print(json.dumps({
        "peer": f"lerobot {version('lerobot')}", "samples_per_s": count / (perf_counter() - start),
        "cpu_ms_per_sample": (process_time() - busy) / count * 1e3}))
