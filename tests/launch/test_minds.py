"""From the word behind --planner to a model and its settings; a recorded episode plans again without its model."""

from dataclasses import replace

import pytest
from composition import Rig, System, load_models
from minds import Choice, check_spec, load_model, settings_of

from tandem.agent.planner.babbler import Babbler
from tandem.agent.planner.model import Answer
from tandem.agent.planner.planner import ModelPlanner
from tandem.agent.planner.terse import Terse
from tandem.bridge.contract import InvalidOption, ModelUnusable, UnknownName
from tandem.bridge.log import LogReader, Recorder


@pytest.mark.parametrize("spec", [
    "scripted", "tiny", "babble", "Qwen/Qwen3-VL-8B-Instruct", "openai:http://127.0.0.1:8000/v1#qwen",
    "openai:https://host/v1#maker/model",
])
def test_every_way_to_name_a_planner_is_known(spec):
    check_spec(spec)


@pytest.mark.parametrize(("spec", "error"), [
    ("qwen", UnknownName), ("", UnknownName), ("openai:", UnknownName), ("openai:host#model", InvalidOption),
    ("openai:http://host/v1", InvalidOption), ("cassette:nowhere.mcap", InvalidOption), ("a/b/c", UnknownName),
])
def test_a_word_that_means_no_planner_is_refused(spec, error):
    with pytest.raises(error):
        check_spec(spec)


def test_a_server_that_is_none_is_refused_without_repeating_a_secret():
    for spec in ("openai:https://me:sk-secret@host/v1", "openai:https://host/v1?key=sk-secret"):
        with pytest.raises(InvalidOption, match="openai:<base url>#<model>") as caught:
            check_spec(spec)
        assert "sk-secret" not in str(caught.value)


def test_settings_stand_beside_the_weights(tmp_path):
    assert settings_of(str(tmp_path)) == {}
    file = tmp_path / "tandem.json"
    file.write_text('{"show_picture": false}')
    assert settings_of(str(tmp_path)) == {"show_picture": False}
    for wrong in ("{", "[1]", '{"show_picture": "no"}', '{"pictures": true}', '{"glance_again": true}'):
        file.write_text(wrong)
        with pytest.raises(ModelUnusable, match=r"tandem\.json"):
            settings_of(str(tmp_path))


def test_a_folder_without_a_model_is_refused_with_its_name(tmp_path):
    pytest.importorskip("torch")
    with pytest.raises(ModelUnusable, match="config"):
        load_model(Choice(str(tmp_path)))


def test_planner_and_judge_share_one_model():
    model, eyes = load_models(System(planner="babble", verifier="both"))
    assert model is eyes
    assert load_models(System(planner="scripted")) == (None, None)


def test_a_recorded_episode_plans_again_without_its_model(tmp_path):
    path = tmp_path / "episode.mcap"
    first = Rig(System(planner="babble"))
    with Recorder(path) as recorder:
        first.run(3, subscribers=[recorder])
    first.close()
    plans = [plan for _, plan in LogReader(path).plans()]
    known = {"show_picture": True, "look_first": True, "glance_again": 0, "point_step": 1}
    assert settings_of(f"cassette:{path}") == known

    again, heard = Rig(System(planner=f"cassette:{path}")), tmp_path / "again.mcap"
    with Recorder(heard) as recorder:
        again.run(3, subscribers=[recorder])
    again.close()
    repeated = [plan for _, plan in LogReader(heard).plans()]
    assert [plan["subgoals"] for plan in repeated] == [plan["subgoals"] for plan in plans]
    assert [plan["reason"] for plan in repeated] == [plan["reason"] for plan in plans]


def test_of_an_episode_of_two_models_each_is_replayed_by_its_name(tmp_path):
    class Eyes(Babbler):
        def describe(self):
            return {**super().describe(), "id": "eyes"}

        def _answer(self, question):
            answer = super()._answer(question)
            return Answer(answer.value, {**answer.call, "model": {**answer.call["model"], "id": "eyes"}})

    path = tmp_path / "episode.mcap"
    first = Rig(System(planner="babble"))
    planner = ModelPlanner(Babbler(), perceiver=Terse(Eyes()))
    first.make_planner, first._planner = lambda: planner, planner
    with Recorder(path) as recorder:
        first.run(3, subscribers=[recorder])
    first.close()
    [plan, *_] = [plan for _, plan in LogReader(path).plans()]

    with pytest.raises(ModelUnusable, match="eyes"):
        load_model(Choice(f"cassette:{path}"))
    again = Rig(System(planner=f"cassette:{path}#babbler", perceiver=f"cassette:{path}#eyes"))
    heard = tmp_path / "again.mcap"
    with Recorder(heard) as recorder:
        again.run(3, subscribers=[recorder])
    again.close()
    [repeated, *_] = [plan for _, plan in LogReader(heard).plans()]
    assert [call["model"]["id"] for call in repeated["calls"]] == ["eyes", "babbler"]
    assert [call["system"] for call in repeated["calls"]] == [call["system"] for call in plan["calls"]]
    assert (repeated["subgoals"], repeated["reason"]) == (plan["subgoals"], plan["reason"])


def test_a_slow_server_is_given_the_time_that_was_asked_for():
    slow = System(planner="openai:http://127.0.0.1:9/v1#m", planner_timeout_s=600.0)
    assert load_models(slow)[0].describe()["timeout_s"] == 600.0
    with pytest.raises(InvalidOption, match="timeout_s"):
        load_models(replace(slow, planner_timeout_s=0.0))
