"""The grid of a trajectory: latest-at for every channel, and how old the worst value is."""

import numpy as np
import pytest
from dummy_logs import record
from dummy_recording import DT

from tandem.bridge.contract import UnusableDataset
from tandem.bridge.datasets.log_source import trajectory_of
from tandem.bridge.log import LogReader


def frames_of(trajectory):
    (view,) = trajectory.views
    return list(view.frames())


def test_a_picture_is_held_until_the_next_and_its_age_told(tmp_path):
    record(tmp_path / "e.mcap", steps=10, look_every=4)
    log = LogReader(tmp_path / "e.mcap")
    seen, frames = [picture.array for picture in log.images("front")], frames_of(trajectory_of(log))
    assert len(seen) == 3
    for row, frame in enumerate(frames):
        np.testing.assert_array_equal(frame.array, seen[row // 4])
        assert frame.age_s == pytest.approx(row % 4 * DT)


def test_before_the_first_picture_stands_the_first(tmp_path):
    record(tmp_path / "e.mcap", steps=8, look_every=100, look_from=3)
    frames = frames_of(trajectory_of(LogReader(tmp_path / "e.mcap")))
    assert [round(frame.age_s / DT) for frame in frames] == [3, 2, 1, 0, 1, 2, 3, 4]


def test_a_row_is_what_was_measured_before_its_action(tmp_path):
    told, states = record(tmp_path / "e.mcap")
    trajectory = trajectory_of(LogReader(tmp_path / "e.mcap"))
    assert trajectory.state_names == (*(f"joint{i}" for i in range(7)), "gripper")
    for row, step in enumerate(told):
        np.testing.assert_array_equal(trajectory.state[row, :7], step.before["joint_position"])
        np.testing.assert_array_equal(trajectory.state[row, 7:], step.before["gripper_opening"])
        np.testing.assert_array_equal(trajectory.measured["tool_pose"][row], step.before["tool_pose"])
        np.testing.assert_array_equal(trajectory.measured["command"][row], step.command)
        np.testing.assert_array_equal(trajectory.simulation.states[row], states[row])
    assert trajectory.ages_s == {"state and action": 0.0}


def test_steps_that_are_missing_are_filled_with_the_latest(tmp_path):
    told, _ = record(tmp_path / "e.mcap", steps=9, skip=(3, 4, 7))
    trajectory = trajectory_of(LogReader(tmp_path / "e.mcap"))
    assert len(trajectory) == 9
    latest = [0, 1, 2, 2, 2, 5, 6, 6, 8]
    actions = {step.index: step.action for step in told}
    np.testing.assert_array_equal(trajectory.actions, [actions[index] for index in latest])
    assert trajectory.ages_s == {"state and action": pytest.approx(2 * DT)}


def test_where_steps_are_missing_a_state_is_the_last_that_was_measured_before_its_row(tmp_path):
    for name, skip, latest, steps in (
        ("within", (3, 4, 7), [0, 1, 2, 3, 3, 3, 6, 7, 7], 2), ("at the start", (0, 1, 2), [0, 4, 5, 6, 7, 8], 3),
    ):
        told, states = record(tmp_path / f"{name}.mcap", steps=9, skip=skip)
        trajectory = trajectory_of(LogReader(tmp_path / f"{name}.mcap"))
        measured = {0: next(LogReader(tmp_path / f"{name}.mcap").measurements()).joint_position}
        measured |= {step.index + 1: step.observation["joint_position"] for step in told}
        np.testing.assert_array_equal(trajectory.state[:, :7], [measured[row] for row in latest])
        assert trajectory.ages_s == {"state and action": pytest.approx(steps * DT)}
        if name == "within":  # the turns of the dummy's states are those of the steps that were told
            turns = np.searchsorted([0, *(step.index + 1 for step in told)], latest)
            np.testing.assert_array_equal(trajectory.simulation.states, states[turns])


def test_a_cut_log_gives_what_there_is_and_no_success(tmp_path):
    record(tmp_path / "whole.mcap", end=False)
    content = (tmp_path / "whole.mcap").read_bytes()
    (tmp_path / "cut.mcap").write_bytes(content[: len(content) - 200])
    trajectory = trajectory_of(LogReader(tmp_path / "cut.mcap"))
    assert 0 < len(trajectory) <= 12
    assert trajectory.success is None


def test_a_log_without_a_step_is_told(tmp_path):
    record(tmp_path / "e.mcap", steps=0)
    with pytest.raises(UnusableDataset, match="no control step"):
        trajectory_of(LogReader(tmp_path / "e.mcap"))


def test_pictures_can_be_rendered_instead(tmp_path):
    record(tmp_path / "e.mcap")

    def render(log, camera, times):
        return (np.full((48, 64, 3), round(time_s / DT), np.uint8) for time_s in times)

    front, wrist = trajectory_of(LogReader(tmp_path / "e.mcap"), render=render).views
    for view in (front, wrist):
        assert [frame.array[0, 0, 0] for frame in view.checked(12)] == list(range(12))
