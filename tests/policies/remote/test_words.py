"""An instruction in words becomes the subgoal that the catalogue would have said so; anything else is refused."""

import pytest

from tandem.bridge.contract import SKILLS, FailureCode, SkillFailed, Subgoal
from tandem.policies.remote.question import words_of
from tandem.policies.remote.words import subgoal_of

SUBGOALS = [
    Subgoal("pick", {"object": "red cube"}), Subgoal("place", {"object": "red cube", "target": "blue bin"}),
    Subgoal("place", {"target": "blue bin"}), Subgoal("stack_on", {"target": "green cube"}), Subgoal("home"),
    Subgoal("insert", {"object": "peg", "target": "hole"}), Subgoal("open", {"target": "top drawer handle"}),
    Subgoal("close", {"target": "drawer handle"}), Subgoal("press", {"target": "button"}),
    Subgoal("push", {"object": "cup", "target": "left edge"}),
]


@pytest.mark.parametrize("subgoal", SUBGOALS, ids=str)
def test_the_catalogues_own_words(subgoal):
    found = subgoal_of(words_of(subgoal), None, SKILLS)
    assert (found.skill, found.arguments) == (subgoal.skill, subgoal.arguments)


def test_capitals_and_a_full_stop():
    assert subgoal_of(" Pick up the Red Cube. ", None, SKILLS).arguments == {"object": "Red Cube"}


def test_a_subgoal_that_is_sent_counts_more_than_words():
    point = {"skill": "pick", "arguments": {"object": "cube", "point": {"camera": "front", "u": 3.0, "v": 4.0}}}
    assert subgoal_of("", point, SKILLS).arguments["point"].u == 3.0


@pytest.mark.parametrize("words, extra", [
    ("do the dishes", None), ("", None), (None, None), (["pick up the cube"], None), ("x" * 2000, None), ("", {}),
    ("", "pick"),
    ("", {"skill": "juggle", "arguments": {}}), ("", {"skill": "pick", "arguments": {}}),
    ("", {"skill": "pick", "arguments": {"object": 3}}), ("", {"skill": ["pick"], "arguments": {"object": "x"}}),
])
def test_what_asks_for_no_skill_is_refused(words, extra):
    with pytest.raises(SkillFailed) as caught:
        subgoal_of(words, extra, SKILLS)
    assert caught.value.code is FailureCode.PRECONDITION_FAILED


def test_other_words_are_for_the_skill_that_was_declared():
    found = subgoal_of("fold the towel", None, SKILLS, "pick")
    assert (found.skill, found.instruction) == ("pick", "fold the towel")
