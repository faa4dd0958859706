"""The policy benchmark measures what its table names; beside LeRobot's ACT, the same weights answer the same."""

import pytest
from benchmarks.peer import python_of
from benchmarks.policy import ASKED, PolicyBenchmark

from tandem.bridge.contract import InvalidOption, ModelUnusable

SMALL = {"inferences": 2, "steps": 1, "batch": 2, "turns": 1, "episodes": 1, "samples": 5, "chunks": 3}
BESIDE = {"act_infer_x_lerobot", "act_train_x_lerobot", "act_difference", "cache_read_x_lerobot"}
TRAINED = {"rtc_seam_jerk_ratio"}


def test_nothing_to_measure_and_no_policy_are_refused(tmp_path):
    with pytest.raises(InvalidOption, match="at least 1"):
        PolicyBenchmark(steps=0)
    with pytest.raises(ModelUnusable):
        PolicyBenchmark(policy=str(tmp_path)).run()


@pytest.mark.slow
def test_every_figure_is_measured(capsys):
    figures = PolicyBenchmark(policy=None, **SMALL, peers=False).run()
    assert set(ASKED) - BESIDE - TRAINED <= set(figures)
    assert all(value >= 0 for value in figures.values())
    assert "make peers NAME=lerobot" in capsys.readouterr().out


@pytest.mark.peer
@pytest.mark.skipif(python_of("lerobot") is None, reason="make peers NAME=lerobot")
def test_by_lerobots_weights_it_answers_as_lerobot_does():
    figures = PolicyBenchmark(policy=None, **SMALL).run()
    assert set(ASKED) - TRAINED <= set(figures)
    assert figures["act_difference"] < 1e-4
