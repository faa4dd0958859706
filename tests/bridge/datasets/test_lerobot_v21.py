"""LeRobot v2.1 with GR00T's modality.json: a file for each episode, JSON lines, slices that fit the columns."""

import json

import av
import numpy as np
import pyarrow.parquet as pq
import pytest
from dummy_logs import record

from tandem.bridge.contract import UnusableDataset
from tandem.bridge.datasets import export_logs, open_dataset
from tandem.bridge.log import LogReader, next_free


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("v21")
    for k, task in enumerate(("stack", "sort", "stack")):
        record(next_free(folder / "logs", str(k)), seed=k, steps=8 + k, task=task)
    export_logs([folder / "logs"], folder / "dataset", to="lerobot-v2.1")
    return folder / "dataset"


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_each_episode_has_its_own_files(dataset):
    info = json.loads((dataset / "meta/info.json").read_text())
    assert info["codebase_version"] == "v2.1"
    assert (info["total_episodes"], info["total_frames"], info["total_videos"], info["total_chunks"]) == (3, 27, 3, 1)
    first = 0
    for k in range(3):
        where = {"episode_chunk": 0, "episode_index": k, "video_key": "observation.images.front"}
        rows = pq.read_table(dataset / info["data_path"].format(**where)).to_pydict()
        assert rows["index"] == list(range(first, first + 8 + k))
        assert rows["frame_index"] == list(range(8 + k))
        np.testing.assert_array_equal(rows["tandem.action"], LogReader(dataset.parent / f"logs/{k}.mcap").actions()[1])
        with av.open(str(dataset / info["video_path"].format(**where))) as film:
            times = [float(frame.pts * frame.time_base) for frame in film.decode(video=0)]
        np.testing.assert_allclose(times, np.arange(8 + k) / 20, atol=1e-9)
        first += 8 + k


def test_the_tables_are_json_lines(dataset):
    tasks = lines(dataset / "meta/tasks.jsonl")
    assert tasks == [{"task_index": 0, "task": "stack"}, {"task_index": 1, "task": "sort"}]
    assert lines(dataset / "meta/episodes.jsonl")[1] == {"episode_index": 1, "tasks": ["sort"], "length": 9}
    statistics = lines(dataset / "meta/episodes_stats.jsonl")
    assert [row["episode_index"] for row in statistics] == [0, 1, 2]
    assert statistics[2]["stats"]["action"]["count"] == [10]
    assert np.shape(statistics[0]["stats"]["observation.images.front"]["mean"]) == (3, 1, 1)


def test_modality_names_the_arm_and_the_gripper(dataset):
    modality = json.loads((dataset / "meta/modality.json").read_text())
    for kind, key in (("state", "observation.state"), ("action", "action")):
        assert modality[kind] == {
            "arm": {"start": 0, "end": 7, "original_key": key}, "gripper": {"start": 7, "end": 8, "original_key": key}
        }
    assert modality["video"] == {"front": {"original_key": "observation.images.front"}}
    assert modality["annotation"] == {"human.task_description": {"original_key": "task_index"}}


def test_our_reader_says_that_it_reads_another_version(dataset):
    with pytest.raises(UnusableDataset, match=r"v2\.1, read is v3\.0"):
        open_dataset(dataset)
