"""What an export refuses before it writes anything, and what it counts."""

import json
from dataclasses import replace

import h5py
import numpy as np
import pytest
from dummy_logs import camera_sized, other_spec, record
from dummy_recording import body_spec

from tandem.bridge.contract import InvalidOption, LogUnreadable, UnknownName, UnusableDataset
from tandem.bridge.datasets import export_logs, open_dataset
from tandem.bridge.datasets.export import FORMATS


def refused(tmp_path, error, words, logs=None, **options):
    """Raises unless the export is refused in these words and leaves the folder as it was."""
    before = sorted(tmp_path.iterdir())
    with pytest.raises(error, match=words):
        export_logs([tmp_path] if logs is None else logs, tmp_path / "out", **options)
    assert sorted(tmp_path.iterdir()) == before


LETTERS = tuple("abcdefg")


@pytest.mark.parametrize(("spec", "words"), [
    (other_spec(robot="another"), "robot dummy in .*, another in"),
    (other_spec(control_hz=10.0), "control steps per second 20.0 in .*, 10.0 in"),
    (other_spec(cameras=camera_sized(32, 24)), "cameras front 64x48 in .*, front 32x24 in"),
    (other_spec(joint_names=LETTERS, action=replace(body_spec().action, names=(*LETTERS, "gripper"))), "joints joint0"),
], ids=["robot", "rate", "camera size", "joints"])
def test_logs_of_different_bodies_are_refused(tmp_path, spec, words):
    record(tmp_path / "a.mcap")
    record(tmp_path / "b.mcap", spec=spec)
    refused(tmp_path, UnusableDataset, words)


def test_a_log_is_written_once_in_however_many_parts_and_however_often_it_is_there(tmp_path):
    logs = tmp_path / "logs"
    logs.mkdir()
    record(logs / "a.mcap", rotate_s=0.2)
    record(logs / "b.mcap", seed=1)
    assert (logs / "a-part3.mcap").exists()
    (tmp_path / "link").symlink_to(logs)
    given = [logs, logs / "a-part2.mcap", tmp_path / "link" / "b.mcap"]
    done = export_logs(given, tmp_path / "out")
    assert (done.episodes, done.frames) == (2, 24)
    assert export_logs([logs / "a-part2.mcap"], tmp_path / "one").frames == 12


def test_of_a_folder_nothing_is_written_that_is_not_finished(tmp_path):
    for folder in ("runs", "runs/logs/unfinished/7-1", "runs/.cubes.x.draft/cubes"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        record(tmp_path / folder / "a.mcap")
    assert export_logs([tmp_path / "runs"], tmp_path / "out").episodes == 1
    hidden = tmp_path / "runs/.cubes.x.draft"
    assert export_logs([hidden], tmp_path / "hidden").episodes == 1  # it was named


def test_logs_with_other_cameras_need_a_choice(tmp_path):
    record(tmp_path / "a.mcap")
    record(tmp_path / "b.mcap", cameras=("front", "wrist"))
    refused(tmp_path, UnusableDataset, "choose with --cameras")
    assert export_logs([tmp_path], tmp_path / "out", cameras=("front",)).episodes == 2
    (view,) = open_dataset(tmp_path / "out").episode(1).views
    assert view.camera == "front"


def test_what_cannot_be_asked_for_is_refused(tmp_path):
    (tmp_path / "none").mkdir()
    refused(tmp_path, UnusableDataset, "no episode logs")
    refused(tmp_path, LogUnreadable, "there is no log", logs=[tmp_path / "absent.mcap"])
    record(tmp_path / "a.mcap")
    refused(tmp_path, UnknownName, "format 'lerobt'.* 'lerobot'", to="lerobt")
    refused(tmp_path, InvalidOption, "codec 'vp9'", codec="vp9")
    refused(tmp_path, UnknownName, "camera 'top'", cameras=("top",))
    refused(tmp_path, UnusableDataset, "no picture of camera 'wrist'", cameras=("wrist",))
    (tmp_path / "b.mcap").write_bytes(b"no log at all")
    refused(tmp_path, LogUnreadable, "b.mcap")


@pytest.mark.parametrize("to", FORMATS)
def test_what_is_there_is_never_overwritten(tmp_path, to):
    record(tmp_path / "a.mcap")
    (tmp_path / "out").mkdir()
    refused(tmp_path, InvalidOption, "never overwritten", to=to)


def test_half_frames_and_odd_pictures_are_refused_by_formats_that_cannot_hold_them(tmp_path):
    record(tmp_path / "a.mcap", spec=other_spec(control_hz=12.5))
    refused(tmp_path, UnusableDataset, "whole numbers")
    assert export_logs([tmp_path / "a.mcap"], tmp_path / "films", to="mp4").frames == 12
    record(tmp_path / "b.mcap", spec=other_spec(cameras=camera_sized(33, 24)))
    refused(tmp_path, UnusableDataset, "gives a picture", logs=[tmp_path / "b.mcap"], to="hdf5")
    refused(tmp_path, UnusableDataset, "even width and height", logs=[tmp_path / "b.mcap"])


def test_what_is_left_out_is_counted(tmp_path):
    record(tmp_path / "a.mcap")
    record(tmp_path / "b.mcap", success=False)
    record(tmp_path / "c.mcap", success=None)
    record(tmp_path / "d.mcap", steps=0)
    done = export_logs([tmp_path], tmp_path / "all")
    assert (done.episodes, done.frames, done.successes, done.failed, done.empty) == (3, 36, 1, 0, 1)
    assert done.held == {"front": 24}
    assert done.worst_s == {"state and action": 0.0, "front": pytest.approx(0.1)}
    assert [open_dataset(tmp_path / "all").episode(k).success for k in range(3)] == [True, False, None]
    done = export_logs([tmp_path], tmp_path / "good", only_successes=True)
    assert (done.episodes, done.failed, done.empty) == (1, 2, 1)
    refused(tmp_path, UnusableDataset, "nothing to export", logs=[tmp_path / "b.mcap"], only_successes=True)


def test_a_dataset_names_no_place_on_this_machine(tmp_path):
    record(tmp_path / "a.mcap")
    for to in ("lerobot", "hdf5"):
        export_logs([tmp_path / "a.mcap"], tmp_path / to, to=to)
    texts = [path.read_bytes() for path in (tmp_path / "lerobot").rglob("*") if path.is_file()]
    assert not [text for text in [*texts, (tmp_path / "hdf5").read_bytes()] if str(tmp_path).encode() in text]
    origin = json.loads((tmp_path / "lerobot/meta/tandem.json").read_text())["episodes"]
    assert [row["source"] for row in origin] == ["a.mcap"]


def test_a_log_without_pictures_is_a_dataset_of_numbers(tmp_path):
    record(tmp_path / "a.mcap", look_every=100, look_from=50)
    export_logs([tmp_path / "a.mcap"], tmp_path / "numbers")
    assert json.loads((tmp_path / "numbers/meta/info.json").read_text())["video_path"] is None
    assert open_dataset(tmp_path / "numbers").episode(0).views == ()
    refused(tmp_path, UnusableDataset, "holds no pictures", logs=[tmp_path / "a.mcap"], to="mp4")
    export_logs([tmp_path / "a.mcap"], tmp_path / "numbers.hdf5", to="hdf5")
    with h5py.File(tmp_path / "numbers.hdf5") as file:
        assert np.shape(file["data/demo_0/actions"]) == (12, 8)
