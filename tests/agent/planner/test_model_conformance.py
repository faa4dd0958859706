"""The laws of models hold for those that are here, and each is seen to fail."""

import dataclasses
import time

import numpy as np
import pytest

from tandem.agent.planner.conformance import check_model
from tandem.agent.planner.family import Family, Frame
from tandem.agent.planner.model import Answer
from tandem.agent.planner.served import ServedModel
from tandem.bridge.contract import PlannerFailed

BLIND = Family(name="Reader", maker="nobody", model_types=(), sees=False)
PIXELS = Family(
    name="Halves", maker="nobody", model_types=(), frame=Frame.RESIZED_PIXELS, system_turn=False,
    resize=lambda width, height: (width // 2, height // 2),
)


@pytest.fixture(scope="module")
def good(stub):
    return ServedModel(stub("good"), "stub")


@pytest.mark.parametrize("behaviour", ["good", "plain", "chatty", "thinking"])
def test_a_served_model_keeps_the_laws(stub, picture, behaviour):
    url = stub(behaviour)
    check_model(lambda: ServedModel(url, "stub"), picture)


@pytest.mark.parametrize("family", [BLIND, PIXELS], ids=lambda family: family.name)
def test_a_served_model_keeps_the_laws_whatever_its_family(stub, picture, family):
    url = stub("good")
    check_model(lambda: ServedModel(url, "stub", family=family), picture)


class Wise:
    """Answers as the stub does; tests break it in one place."""

    def __init__(self, model):
        self.model, self.family = model, model.family

    def resized(self, width, height):
        return self.model.resized(width, height)

    def answer(self, questions):
        return self.model.answer(questions)

    def describe(self):
        return self.model.describe()


def changed(answer, **fields):
    return Answer(answer.value, {**answer.call, **fields})


def answering(change):
    """A model whose answers are changed, each by `change(answer, question)`."""

    class Changed(Wise):
        def answer(self, questions):
            return [change(*both) for both in zip(super().answer(questions), questions, strict=True)]

    return Changed


class Describes(Wise):
    def describe(self):
        return {"weights": np.zeros(3)}


class ResizesToNothing(Wise):
    def resized(self, width, height):
        return width // 100, height // 100


class LosesOne(Wise):
    def answer(self, questions):
        return super().answer(questions)[:1]


class Remembers(Wise):
    count = 0

    def answer(self, questions):
        self.count += len(questions)
        return [
            Answer({"name": f"cube {'a' * self.count}", "point": [0, 0]}, answer.call)
            if question.kind == "perceive" and self.count > 3 else answer
            for answer, question in zip(super().answer(questions), questions, strict=True)
        ]


class DependsOnOrder(Wise):
    def answer(self, questions):
        answers = super().answer(questions)
        if questions and questions[0].kind == "perceive":
            answers[0] = Answer({"name": "blue bin", "point": [0, 0]}, answers[0].call)
        return answers


class DependsOnCompany(Wise):
    def answer(self, questions):
        answers = super().answer(questions)
        if len(questions) == 1 and questions[0].kind == "perceive":
            answers[0] = Answer({"name": "blue bin", "point": [0, 0]}, answers[0].call)
        return answers


class Scribbles(Wise):
    def answer(self, questions):
        for question in questions:
            for part in question.parts:
                if not isinstance(part, str):
                    part.pixels[0, 0] = 0
        return super().answer(questions)


class CutsShort(Wise):
    def answer(self, questions):
        return super().answer([
            dataclasses.replace(question, parts=tuple(
                part[:1000] if isinstance(part, str) else part for part in question.parts
            )) for question in questions
        ])


class NeverFull(Wise):
    def answer(self, questions):
        return super().answer([dataclasses.replace(question, max_tokens=512) for question in questions])


class SeesAnything(Wise):
    def answer(self, questions):
        return super().answer([
            dataclasses.replace(question, parts=tuple(
                part if isinstance(part, str) or part.pixels.dtype == np.uint8 else "a picture"
                for part in question.parts
            )) for question in questions
        ])


class OtherError(Wise):
    def answer(self, questions):
        try:
            return super().answer(questions)
        except PlannerFailed as reason:
            raise RuntimeError("something went wrong") from reason


BROKEN = [
    (Describes, "describe must hold plain types"), (ResizesToNothing, "resized"), (LosesOne, "one Answer for each"),
    (answering(lambda answer, _: answer.value), "one Answer for each"),
    (answering(lambda answer, _: Answer({**answer.value, "why": "so"}, answer.call)), "satisfy the schema"),
    (answering(lambda answer, _: changed(answer, reply=np.array("a"))), "plain types"),
    (answering(lambda answer, _: changed(answer, parts=tuple(answer.call["parts"]))), "come back from JSON"),
    (answering(lambda answer, _: changed(answer, kind="plan?")), "question verbatim"),
    (answering(lambda answer, _: changed(answer, parts=["a picture"])), "question verbatim"),
    (answering(lambda answer, _: changed(answer, reply="")), "raw reply"),
    (answering(lambda answer, _: changed(answer, model={"id": "stub"})), "says of its model"),
    (answering(lambda answer, _: changed(answer, model={**answer.call["model"], "digest": 7})), "has an id"),
    (answering(lambda answer, _: changed(answer, tokens={"prompt": 1.5})), "counts prompt, cached"),
    (answering(lambda answer, _: changed(answer, seconds=-1.0)), "how many seconds"),
    (answering(lambda answer, _: Answer(answer.value, {"kind": "plan"})), "a call must hold kind"),
    (Remembers, "same answers twice|order must not|company must not"), (DependsOnOrder, "order must not matter"),
    (DependsOnCompany, "company must not matter"), (Scribbles, "write into a picture"),
    (CutsShort, "too long must raise"), (NeverFull, "never cut"), (SeesAnything, "not uint8"),
    (OtherError, "PlannerFailed. It raised RuntimeError"),
]


@pytest.mark.parametrize(("model", "words"), BROKEN, ids=lambda value: getattr(value, "__name__", value))
def test_every_law_of_models_is_seen_to_fail(good, picture, model, words):
    with pytest.raises(AssertionError, match=words):
        check_model(lambda: model(good), picture)


def test_a_model_that_varies_is_checked_without_the_laws_of_greed(good, picture):

    def vary(answer, question):
        names = {"name": f"cube {'abcdefgh'[int(time.perf_counter() * 1e6) % 8]}", "point": [0, 0]}
        return Answer(names, answer.call) if question.kind == "perceive" else answer

    check_model(lambda: answering(vary)(good), picture, greedy=False)
