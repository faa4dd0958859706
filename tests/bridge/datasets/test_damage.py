"""A damaged dataset is told by name, and no log is left of it; whatever the damage, it is no other error."""

import json
import random
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dummy_logs import record

from tandem.bridge.contract import UnusableDataset
from tandem.bridge.datasets import export_logs, import_dataset, open_dataset
from tandem.bridge.datasets.video import VideoFile

DATA, VIDEO = "data/chunk-000/file-000.parquet", "videos/observation.images.front/chunk-000/file-000.mp4"
EPISODES = "meta/episodes/chunk-000/file-000.parquet"


@pytest.fixture(scope="module")
def intact(tmp_path_factory):
    folder = tmp_path_factory.mktemp("intact")
    for k in range(2):
        record(folder / f"{k}.mcap", seed=k)
    for to in ("lerobot", "hdf5"):
        export_logs([folder], folder / to, to=to)
    return folder


@pytest.fixture
def dataset(intact, tmp_path):
    shutil.copytree(intact / "lerobot", tmp_path / "dataset")
    return tmp_path / "dataset"


def rewrite(path, change):
    pq.write_table(change(pq.read_table(path)), path)


def set_info(dataset, **fields):
    path = dataset / "meta/info.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def zeros(count, size):
    return pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(count * size, np.float32)), size)


@pytest.mark.parametrize(("damage", "words"), [
    (lambda d: shutil.rmtree(d / "meta"), "info.json is missing"),
    (lambda d: (d / "meta/info.json").write_text("{"), "info.json cannot be read"),
    (lambda d: set_info(d, fps=None), "info.json cannot be read"),
    (lambda d: set_info(d, codebase_version="v2.1"), "v2.1, read is v3.0"),
    (lambda d: (d / "meta/tasks.parquet").unlink(), "tasks.parquet is missing"),
    (lambda d: shutil.rmtree(d / "meta/episodes"), "no meta/episodes"),
    (lambda d: rewrite(d / EPISODES, lambda t: t.drop_columns(["length"])), "lack the column 'length'"),
    (lambda d: (d / VIDEO).unlink(), "file-000.mp4 is missing"),
    (lambda d: (d / DATA).unlink(), "file-000.parquet is missing"),
    (lambda d: cut(d / DATA), "file-000.parquet cannot be read"),
    (lambda d: cut(d / VIDEO), "file-000.mp4"),
    (lambda d: (d / VIDEO).write_bytes(b""), "is missing or no video"),
    (lambda d: rewrite(d / DATA, lambda t: t.drop_columns(["action"])), "no column 'action'"),
    (lambda d: rewrite(d / DATA, lambda t: t.slice(0, 20)), "8 rows of episode 1, its table says 12"),
    (lambda d: rewrite(d / DATA, lambda t: t.set_column(1, "action", zeros(len(t), 5)).drop_columns(["tandem.action"])),
     "action has 5 numbers a row, info.json says 8"),
    (lambda d: rewrite(d / EPISODES, lambda t: t.drop_columns(["videos/observation.images.front/chunk_index"])),
     "meta/episodes cannot be read"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_damage_is_named_and_no_log_is_left(dataset, damage, words):
    damage(dataset)
    with pytest.raises(UnusableDataset, match=words):
        import_dataset(dataset, dataset.parent / "logs")
    assert [path.name for path in dataset.parent.iterdir()] == ["dataset"]


def test_a_camera_of_another_size_than_said_is_refused(dataset):
    features = json.loads((dataset / "meta/info.json").read_text())["features"]
    features["observation.images.front"]["shape"] = [24, 32, 3]
    set_info(dataset, features=features)
    with pytest.raises(UnusableDataset, match="its specification says"):
        import_dataset(dataset, dataset.parent / "logs")


def test_a_number_that_changed_on_the_disk_is_noticed(dataset):
    content = bytearray((dataset / DATA).read_bytes())
    content[400] ^= 1  # within the first column of the first episode
    (dataset / DATA).write_bytes(content)
    with pytest.raises(UnusableDataset, match="cannot be read"):
        open_dataset(dataset).episode(0)


def test_an_episode_that_is_not_there_is_told(dataset):
    with pytest.raises(UnusableDataset, match=r"holds 2 episodes, counted from 0; asked for \[2, -1\]"):
        import_dataset(dataset, dataset.parent / "logs", episodes=[0, 2, -1])
    with pytest.raises(UnusableDataset, match="there is no dataset"):
        open_dataset(dataset.parent / "absent")


def read_all(path):
    reader = open_dataset(path)
    for number in range(len(reader)):
        episode = reader.episode(number)
        for view in episode.views:
            for _ in view.checked(len(episode)):
                pass


@pytest.mark.parametrize("name", ["lerobot", "hdf5"])
def test_damage_anywhere_is_no_other_error(intact, tmp_path, name):
    rng, told = random.Random(name), 0
    for round_ in range(60):
        place = tmp_path / str(round_)
        (shutil.copytree if (intact / name).is_dir() else shutil.copy)(intact / name, place)
        target = rng.choice(sorted(path for path in [place, *place.rglob("*")] if path.is_file()))
        content = bytearray(target.read_bytes())
        if rng.random() < 0.4:
            del content[rng.randrange(len(content)):]
        else:
            start = rng.randrange(len(content))
            content[start : start + rng.choice([1, 8, 64])] = rng.randbytes(8)
        target.write_bytes(content)
        try:
            read_all(place)
        except UnusableDataset:
            told += 1
    assert told > 10


def test_a_film_at_another_rate_is_noticed(dataset):
    frames = [frame.array for k in range(2) for frame in open_dataset(dataset).episode(k).views[0].checked(12)]
    slow = VideoFile(dataset / VIDEO, 64, 48, 10, "h264")  # the dataset says 20
    for image in frames:
        slow.add(image)
    slow.close()
    with pytest.raises(UnusableDataset, match=r"no frame at 0\.050 s"):
        read_all(dataset)
