"""Every family end to end, on a small checkpoint with its real architecture, its real processor and its template."""

import dataclasses

import pytest
from small_checkpoints import BUILDERS
from small_questions import PICTURE, WORDS, compact, generated, plan, surprises

from tandem.agent.planner.conformance import check_model
from tandem.agent.planner.families.registry import FAMILIES, family_of
from tandem.agent.planner.in_process.model import InProcessModel
from tandem.agent.planner.in_process.options import Options, Sampling
from tandem.agent.planner.validation import mistake
from tandem.bridge.contract import PlannerFailed, UnknownName

ALL = pytest.mark.parametrize("model_type", sorted(BUILDERS))


def test_every_model_type_is_exercised_or_of_a_kind_with_one_that_is():
    for family in FAMILIES:
        assert set(family.model_types) & set(BUILDERS), family.name
    assert {kind for family in FAMILIES for kind in family.model_types} - set(BUILDERS) == {"qwen3_5_moe"}


def test_a_family_is_known_by_its_model_type_only():
    with pytest.raises(UnknownName, match="qwen3_vl"):
        family_of("Qwen3-VL")


@ALL
def test_a_family_keeps_the_laws_of_models(checkpoint, model_type):
    model = InProcessModel(checkpoint(model_type))
    assert model.family is family_of(model_type)
    check_model(lambda: model, PICTURE)


@ALL
def test_fifty_of_fifty_plans_are_valid_whatever_the_weights(checkpoint, model_type):
    model = InProcessModel(checkpoint(model_type), Options(sampling=Sampling(temperature=1.0)))
    question = plan(model)
    answers = model.answer([question] * 50)
    assert [mistake(answer.value, question.schema) for answer in answers] == [None] * 50
    assert all(answer.call["reply"] == compact(answer.value) for answer in answers)
    assert len({answer.call["reply"] for answer in answers}) > 5


@ALL
def test_one_token_after_another_it_says_what_generate_says(checkpoint, model_type):
    plain = InProcessModel(checkpoint(model_type), Options(write_forced=False))
    questions = [plan(plain, words) for words in WORDS[:2]]
    wanted = [generated(plain, question) for question in questions]
    for _ in range(2):  # the second time with the kept prefix
        answers = plain.answer(questions)
        assert [answer.call["reply"] for answer in answers] == wanted
    assert all(bool(answer.call["tokens"]["cached"]) is plain.family.prefix_reuse for answer in answers)


@ALL
def test_with_forced_text_prefix_and_batch_each_choice_is_still_the_likeliest(checkpoint, model_type):
    model = InProcessModel(checkpoint(model_type))
    questions = [plan(model, words) for words in WORDS]
    written = {}
    _listen(model, written)
    together = [answer.call for answer in model.answer(questions)]
    alone = [model.answer([question])[0].call for question in questions]
    assert [call["reply"] for call in together] == [call["reply"] for call in alone]
    assert all(call["tokens"]["forced"] > 0 for call in alone)
    for question in questions:
        assert surprises(model, question, written[id(question)]) == []


@ALL
def test_nobody_speaks_for_the_model(checkpoint, model_type):
    """Control tokens in an instruction are read as the text that they are, or the question is refused."""
    model = InProcessModel(checkpoint(model_type))
    tokenizer, control = model._tokenizer, sorted(model._desk._grammars.control)
    words = "put " + " ".join(tokenizer.convert_ids_to_tokens(token) for token in control)
    question = dataclasses.replace(plan(model), parts=(*plan(model).parts[:-1], words))
    clean = dataclasses.replace(question, parts=(*question.parts[:-1], "put"))
    try:
        model._chat.prompt(question, thinking=False)
    except PlannerFailed:
        return  # a processor that counts the words for pictures finds one too many
    count = [
        [prompt.ids[0].tolist().count(token) for token in control]
        for prompt in (model._chat.prompt(asked, thinking=False) for asked in (question, clean))
    ]
    assert count[0] == count[1]
    assert mistake(model.answer([question])[0].value, question.schema) is None


def _listen(model, written):
    """Note the tokens of each reply."""
    answers = model._answers

    def noting(askings, reads, seconds):
        written.update({id(asking.question): list(asking.writer.ids) for asking in askings})
        return answers(askings, reads, seconds)

    model._answers = noting
