"""What stands in a report beside the episodes: a comparison, arms, a replay's verdict, the point of no return."""

import json

import cv2
import numpy as np
import pytest
import replay
from replaying.goldens import path_of
from report_sections import sections

from tandem.agent.evaluation import results
from tandem.agent.evaluation.report import ArmsMatrix, Comparison, Divergence, PointOfNoReturn, write_report
from tandem.agent.evaluation.results import Record
from tandem.bridge.contract import InvalidOption


def evaluation(folder, successes, arm=None):
    plan = {"system": {"task": "sort"}, "tasks": ["sort"], "episodes": 40, "first_seed": 0, "arm": arm or {}}
    results.begin(folder, plan)
    for k in range(40):
        good = k < successes
        results.append(folder, Record("sort", k, k, success=good, measured=good, claimed=good, state_digest=str(k),
                                      false_success=False, failure=None if good else "GRASP_FAILED"))
    return results.load(folder)


def test_two_evaluations_are_compared_and_a_positive_difference_is_in_favour_of_the_second(tmp_path):
    a, b = evaluation(tmp_path / "a", 10), evaluation(tmp_path / "b", 39)
    (found,) = sections([a, b], (), other_states=False)
    assert isinstance(found, Comparison)
    assert found.words == "b is better"
    assert found.rows[0].difference.estimate == pytest.approx(29 / 40)
    assert (found.rows[0].a.hits, found.rows[0].b.hits) == (10, 39)
    page = write_report(tmp_path / "page.html", [a, b], [found]).path.read_text()
    assert "b is better" in page


def test_arms_stand_against_their_baseline(tmp_path):
    base, arm = evaluation(tmp_path / "base", 38), evaluation(tmp_path / "dark", 20, {"disturb": ["dim"]})
    (found,) = sections([arm, base], (), other_states=False)
    assert isinstance(found, ArmsMatrix)
    assert found.arms[1].effect.estimate == pytest.approx(-18 / 40)
    assert found.arms[1].effect.high < 0


def test_a_replays_verdict_and_a_point_of_no_return_are_read_from_what_the_script_wrote(tmp_path):
    told = tmp_path / "verdict.json"
    options = replay.Options(path_of("insert"), mode="physics", json=told)
    assert replay.main(options) == 0
    picture = tmp_path / "moment.png"
    cv2.imwrite(str(picture), np.full((48, 64, 3), 7, np.uint8))
    lost = tmp_path / "lost.json"
    lost.write_text(json.dumps({
        "log": str(path_of("insert")), "step": 40, "exact_to": 5, "words": "from step 40 ...", "picture": str(picture),
        "curve": [{"step": 0, "successes": 5, "trials": 5}, {"step": 45, "successes": 0, "trials": 5}]}))
    one = evaluation(tmp_path / "a", 10)
    verdict, moment = sections([one], (told, lost), other_states=False)
    assert isinstance(verdict, Divergence)
    assert [layer.same for layer in verdict.layers] == [True]
    assert isinstance(moment, PointOfNoReturn)
    assert moment.frame.shape == (48, 64, 3)
    assert [point.time_s for point in moment.curve] == [0.0, 2.25]
    page = write_report(tmp_path / "page.html", [one], [verdict, moment]).path.read_text()
    assert "from step 40" in page


@pytest.mark.parametrize("text", ["{}", "[1]", "not json", '{"log": "nowhere.mcap", "layers": [{}]}'])
def test_another_file_is_refused(tmp_path, text):
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(InvalidOption, match=r"other\.json"):
        sections([evaluation(tmp_path / "a", 1)], (path,), other_states=False)
