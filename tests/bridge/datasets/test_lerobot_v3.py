"""A LeRobot v3.0 dataset holds what the logs held, lies on disk as LeRobot lays it, and comes back as logs."""

import json
import shutil
from itertools import pairwise

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dummy_logs import psnr, record, same_numbers

from tandem.bridge.datasets import export_logs, import_dataset, open_dataset
from tandem.bridge.datasets.lerobot_v3 import LeRobotV3Writer
from tandem.bridge.datasets.log_source import trajectory_of
from tandem.bridge.log import LogReader, PicturePolicy
from tandem.bridge.log.film import write_film
from tandem.bridge.log.pictures import encode_image
from tandem.bridge.log.storyboard import Storyboard

TASKS = ("stack the cubes", "close the drawer", "stack the cubes")
CLOSE_DB = 34.0  # chroma is halved by yuv420p, the rest is close


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("logs")
    for k, task in enumerate(TASKS):
        record(folder / f"{k}.mcap", seed=k, steps=10 + k, task=task, success=k != 1)
    return folder


@pytest.fixture(scope="module")
def dataset(logs):
    export_logs([logs], logs.parent / "dataset")
    return logs.parent / "dataset"


def info_of(dataset):
    return json.loads((dataset / "meta/info.json").read_text())


def episodes_of(dataset):
    return pq.read_table(dataset / "meta/episodes/chunk-000/file-000.parquet").to_pylist()


def test_a_log_comes_back_through_the_dataset(logs, dataset, tmp_path):
    assert import_dataset(dataset, tmp_path / "back").episodes == 3
    for k, task in enumerate(TASKS):
        log, back = LogReader(logs / f"{k}.mcap"), LogReader(tmp_path / f"back/episode-{k:06d}.mcap")
        same_numbers(log.path, back.path)
        assert back.spec.digest() == log.spec.digest()
        assert back.manifest["instruction"] == task
        assert back.result["success"] is (k != 1)
        assert back.manifest["source"]["dataset"] == "dataset"
        assert back.manifest["source"]["source"] == f"{k}.mcap"
        pictures = list(back.images("front"))
        assert len(pictures) == 10 + k
        for number, seen in enumerate(log.images("front")):
            assert psnr(pictures[3 * number].array, seen.array) > CLOSE_DB
            held = pictures[min(3 * number + 1, 9 + k)]  # no step after it was looked at
            assert psnr(held.array, seen.array) > CLOSE_DB


def test_it_lies_on_disk_as_lerobot_lays_it(dataset):
    info, data = info_of(dataset), pq.ParquetFile(dataset / "data/chunk-000/file-000.parquet")
    assert info["codebase_version"] == "v3.0"
    assert (info["fps"], info["total_episodes"], info["total_frames"], info["total_tasks"]) == (20, 3, 33, 2)
    assert info["splits"] == {"train": "0:3"}
    assert data.num_row_groups == 3
    assert data.metadata.row_group(0).column(0).compression == "SNAPPY"
    types = {field.name: str(field.type) for field in data.schema_arrow}
    assert types["observation.state"] == types["action"] == "fixed_size_list<element: float>[8]"
    assert (types["next.success"], types["timestamp"], types["task_index"]) == ("bool", "float", "int64")
    assert types["tandem.gripper_opening"] == "double"  # of one element: a plain number
    assert set(types) == {name for name, feature in info["features"].items() if feature["dtype"] != "video"}
    rows = data.read().to_pydict()
    assert rows["index"] == list(range(33))
    assert rows["task_index"] == [0] * 10 + [1] * 11 + [0] * 12
    np.testing.assert_array_equal(rows["timestamp"], (np.array(rows["frame_index"]) / 20).astype(np.float32))
    assert [k for k, good in enumerate(rows["next.success"]) if good] == [9, 32]
    assert [k for k, done in enumerate(rows["next.done"]) if done] == [9, 20, 32]


def test_tasks_are_indexed_by_their_words_and_episodes_say_where_they_are(dataset):
    tasks = pq.read_table(dataset / "meta/tasks.parquet")
    assert json.loads(tasks.schema.metadata[b"pandas"])["index_columns"] == ["task"]
    assert tasks.to_pydict() == {"task_index": [0, 1], "task": list(TASKS[:2])}
    episodes = episodes_of(dataset)
    assert [row["dataset_from_index"] for row in episodes] == [0, 10, 21]
    assert [row["dataset_to_index"] for row in episodes] == [10, 21, 33]
    assert [row["tasks"] for row in episodes] == [[task] for task in TASKS]
    key = "videos/observation.images.front"
    np.testing.assert_allclose([row[f"{key}/from_timestamp"] for row in episodes], [0, 0.5, 1.05])
    np.testing.assert_allclose([row[f"{key}/to_timestamp"] for row in episodes], [0.5, 1.05, 1.65])


@pytest.mark.parametrize(("codec", "name"), [("h264", "h264"), ("av1", "libdav1d")])
def test_every_frame_stands_at_its_exact_time(logs, tmp_path, codec, name):
    export_logs([logs], tmp_path / "dataset", codec=codec)
    assert info_of(tmp_path / "dataset")["features"]["observation.images.front"]["info"]["video.codec"] == codec
    path = tmp_path / "dataset/videos/observation.images.front/chunk-000/file-000.mp4"
    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == (name, "yuv420p")
        frames = list(film.decode(stream))
    times = [float(frame.pts * stream.time_base) for frame in frames]
    np.testing.assert_allclose(times, np.arange(33) / 20, atol=1e-9)
    assert all(frame.key_frame or after.key_frame for frame, after in pairwise(frames))


def test_files_roll_by_size_and_are_found_again(logs, tmp_path):
    writer = LeRobotV3Writer(tmp_path, data_mb=1e-6, video_mb=1e-6)
    for k in range(3):
        writer.add(trajectory_of(LogReader(logs / f"{k}.mcap")))
    writer.close()
    assert len(list((tmp_path / "data").rglob("*.parquet"))) == len(list((tmp_path / "videos").rglob("*.mp4"))) == 3
    reader = open_dataset(tmp_path)
    for k in range(3):
        log = LogReader(logs / f"{k}.mcap")
        np.testing.assert_array_equal(reader.episode(k).actions, log.actions()[1])
        first = next(reader.episode(k).views[0].checked(10 + k))
        assert psnr(first.array, next(log.images("front")).array) > CLOSE_DB


def test_quantiles_are_those_of_all_rows_and_no_envelope(logs, dataset):
    statistics = json.loads((dataset / "meta/stats.json").read_text())
    actions = np.concatenate([LogReader(logs / f"{k}.mcap").actions()[1] for k in range(3)])
    for name, fraction in {"q01": 0.01, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q99": 0.99}.items():
        np.testing.assert_array_equal(statistics["tandem.action"][name], np.quantile(actions, fraction, axis=0))
        single = np.quantile(actions.astype(np.float32).astype(np.float64), fraction, axis=0)
        np.testing.assert_array_equal(statistics["action"][name], single)
    assert statistics["action"]["count"] == [33]
    np.testing.assert_allclose(statistics["tandem.action"]["std"], actions.std(axis=0))
    assert set(statistics) == set(info_of(dataset)["features"])


def test_statistics_of_pictures_are_exact(logs, dataset):
    found = json.loads((dataset / "meta/stats.json").read_text())["observation.images.front"]
    frames = [f.array for k in range(3) for f in trajectory_of(LogReader(logs / f"{k}.mcap")).views[0].frames()]
    pixels = np.stack(frames).reshape(-1, 3) / 255
    assert found["count"] == [33]
    assert np.shape(found["mean"]) == (3, 1, 1)
    np.testing.assert_allclose(np.ravel(found["mean"]), pixels.mean(axis=0))
    np.testing.assert_allclose(np.ravel(found["std"]), pixels.std(axis=0))
    np.testing.assert_allclose(np.ravel(found["q99"]), np.quantile(pixels, 0.99, axis=0))


def test_a_dataset_of_lerobots_own_is_read(lerobots_own):
    reader = open_dataset(lerobots_own)
    assert len(reader) == 3
    for k, (length, task) in enumerate([(12, "pick"), (13, "pick"), (14, "place")]):
        episode = reader.episode(k)
        assert (len(episode), episode.task, episode.robot, episode.fps) == (length, task, "panda", 10)
        assert episode.state_names == ("j0", "j1", "j2")
        np.testing.assert_array_equal(episode.state[:, 0], k)  # as it was made: episode, frame, zero
        np.testing.assert_array_equal(episode.state[:, 1], np.arange(length))
        assert episode.success
        (view,) = episode.views
        assert (view.camera, view.width, view.height) == ("top", 128, 96)
        assert len(list(view.checked(length))) == length


def test_lerobots_own_becomes_logs_that_the_tools_read(lerobots_own, tmp_path):
    import_dataset(lerobots_own, tmp_path / "logs", episodes=[2])
    log = LogReader(tmp_path / "logs/episode-000002.mcap")
    assert log.manifest["instruction"] == "place"
    assert log.manifest["source"]["unknown"] == ["gripper_opening", "tool_pose"]
    assert log.spec.action.names == ("j0", "j1", "j2")
    assert log.result["success"]
    pictures = [picture.array for picture in log.images("top")]
    assert len(pictures) == 14
    board = Storyboard(log)
    captions = [board.caption(time_s) for time_s in np.arange(14) / 10]
    assert write_film(tmp_path / "film.mp4", pictures, captions, 10) == 14
    assert export_logs([tmp_path / "logs"], tmp_path / "again").frames == 14
    again = open_dataset(tmp_path / "again").episode(0)
    np.testing.assert_array_equal(again.actions, open_dataset(lerobots_own).episode(2).actions)


def test_pictures_within_the_table_are_read_too(dataset, tmp_path):
    shutil.copytree(dataset, tmp_path / "images")
    path, key = tmp_path / "images/data/chunk-000/file-000.parquet", "observation.images.front"
    rows = np.random.default_rng(0).integers(0, 255, (33, 48, 64, 3), dtype=np.uint8)
    cells = [{"bytes": encode_image(image, PicturePolicy(format="png")), "path": None} for image in rows]
    pq.write_table(pq.read_table(path).append_column(key, pa.array(cells)), path)
    info = info_of(tmp_path / "images")
    info["features"][key] = {"dtype": "image", "shape": [3, 48, 64], "names": ["channels", "height", "width"]}
    (tmp_path / "images/meta/info.json").write_text(json.dumps(info))
    (view,) = open_dataset(tmp_path / "images").episode(1).views
    assert (view.camera, view.width, view.height) == ("front", 64, 48)
    np.testing.assert_array_equal([frame.array for frame in view.checked(11)], rows[10:21])
