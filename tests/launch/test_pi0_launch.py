"""pi0 from the command line: trained from a log, driven in an episode, benchmarked under a name of its own."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from tandem.bridge.contract import InvalidOption, UnknownName

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "policies" / "vla")]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    from small_pi0 import build

    return build(tmp_path_factory.mktemp("pi0"), statistics=8)


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    from swing import record

    return record(tmp_path_factory.mktemp("log") / "swing.mcap")


def test_it_is_trained_from_a_log_and_goes_on(checkpoint, log, tmp_path):
    from train import Options, main

    options = Options(
        (log,), tmp_path / "run", policy=f"pi0:{checkpoint}", settings='{"rank": 2, "parts": 2}', steps=2, batch=2,
        rate=1e-2, hold_out=0, cache=tmp_path / "cache", device="cpu", threads=1,
    )
    assert main(options) == 0
    about = json.loads((tmp_path / "run" / "policy" / "adapter.json").read_text())
    assert about["skills"] == ["pick"]
    assert about["made"]["steps"] == 2
    assert main(replace(options, steps=3)) == 0
    assert json.loads((tmp_path / "run" / "policy" / "adapter.json").read_text())["made"]["steps"] == 3
    with pytest.raises(InvalidOption, match="no setting ranks"):
        main(replace(options, settings='{"ranks": 2}'))
    with pytest.raises(InvalidOption, match="has an adapter already"):
        main(replace(options, policy=f"pi0:{tmp_path / 'run' / 'policy'}", folder=tmp_path / "other"))


@pytest.mark.slow
def test_an_episode_is_driven_by_it(checkpoint):
    from composition import Rig, System

    system = System(
        planner="scripted", policy=f"pi0:{checkpoint}", policy_done_s=0.5, policy_skills=("pick", "place", "home"),
        horizon_s=2.0, executor="rtc:horizon=3",
    )
    rig = Rig(system)
    try:
        assert any("policy pi0" in line for line in rig.introduce())
        assert rig.describe()["policy"]["kind"] == "pi0"
        result = rig.run(3)
        assert result.steps > 0
    finally:
        rig.close()


def test_unknown_words_list_the_forms():
    from composition import System

    with pytest.raises(UnknownName, match="pi0:FOLDER_OR_HUB_ID"):
        System(policy="pi1:base")


def test_the_benchmark_on_a_cpu_says_what_it_is(capsys):
    from benchmarks.pi0 import pi0_figures

    figures = pi0_figures(Console(width=140), views=(1, 2), chunks=2)
    assert all(name.startswith("small_pi0_on_cpu_") for name in figures)
    assert figures["small_pi0_on_cpu_stock_2_views_ms"] > 0
    assert "not pi0" in capsys.readouterr().out
    with pytest.raises(InvalidOption, match="at least one"):
        pi0_figures(Console(), views=(), chunks=2)
