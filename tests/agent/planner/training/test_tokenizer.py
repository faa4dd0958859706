"""The embedded model's own tokenizer: names are words, and a grammar forces no text that would break one of them."""

import pytest

from tandem.agent.planner.in_process.grammar import Grammars, Guide
from tandem.agent.planner.training import tokenizer as words

TEXTS = ["put the red cube in the blue bin", "red cube, red bin", "sort every block by its colour"] * 3


@pytest.fixture(scope="module")
def tokenizer():
    return words.train(TEXTS, 1700)


def pieces(tokenizer, text):
    return [tokenizer.decode([token], skip_special_tokens=False) for token in tokenizer.encode(text).ids]


@pytest.mark.parametrize("text", [
    '{"things":[{"name":"red cube","point":[165,490],"where":"in the red bin"}]}',
    "- gear slot at [5, 10], on the table\n- start button at [995, 0], out of reach",
])
def test_what_is_read_is_what_was_written(tokenizer, text):
    assert tokenizer.decode(tokenizer.encode(text).ids) == text


def test_a_name_is_one_word_wherever_it_stands(tokenizer):
    assert "red cube" in pieces(tokenizer, "put the red cube down")
    assert "red cube" in pieces(tokenizer, '{"name":"red cube"}')
    assert "gear slot" in pieces(tokenizer, "in the gear slot")
    assert "red cube" not in pieces(tokenizer, "the red cubes")  # part of a longer word is no name


def test_the_number_of_a_place_is_one_word(tokenizer):
    assert pieces(tokenizer, '","point":[165,5],"where":"')[1:4] == ["165", ",", "5"]


def test_a_grammar_leaves_a_name_whole_although_its_beginning_is_forced(tokenizer):
    grammars = Grammars(words.wrap(tokenizer), tokenizer.get_vocab_size())
    guide = Guide(grammars, {"enum": ["red cube", "red bin"]})
    forced = guide.forced()
    assert tokenizer.decode(forced) == '"'  # and not "red ", which would split the name
    guide.accept(tokenizer.token_to_id("red cube"))
    assert tokenizer.decode(guide.forced()) == '"'
    assert guide.finished


def test_a_grammar_still_forces_what_no_name_begins_with(tokenizer):
    grammars = Grammars(words.wrap(tokenizer), tokenizer.get_vocab_size())
    guide = Guide(grammars, {"enum": ["zebra one", "zebra two"]})
    assert tokenizer.decode(guide.forced()).startswith('"zebra')
