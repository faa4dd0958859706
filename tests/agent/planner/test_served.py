"""A real server in a process of its own, good and bad: what is asked of it, and what becomes of what it says."""

import base64
import dataclasses
import json
import re
import socket
import subprocess
import sys
import threading
import time
import traceback

import cv2
import numpy as np
import pytest

from tandem.agent.planner.families.alibaba import QWEN2_5_VL, QWEN3, QWEN3_VL
from tandem.agent.planner.families.google import GEMMA3
from tandem.agent.planner.model import Question
from tandem.agent.planner.png import encode_png
from tandem.agent.planner.schema import judge_schema
from tandem.agent.planner.served import UNNAMED, ServedModel
from tandem.agent.planner.together import all_at_once
from tandem.bridge.contract import InvalidOption, PlannerFailed

KEY = "sk-this-is-a-secret-0123456789"
GOOD = {"evidence": "red cube", "verdict": "success"}


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


@pytest.fixture
def question(picture):
    parts = ("Before:", picture, "After:", picture, "Statement: the red cube is in the blue bin")
    return Question("judge", "You judge.", parts, judge_schema(), max_tokens=64)


def failure(model, *questions):
    with pytest.raises(PlannerFailed) as caught:
        model.answer(questions)
    return caught.value


def test_a_question_is_asked_as_it_stands(stub, question, picture):
    url = stub("good")
    [answer] = ServedModel(url, "some-model").answer([question])
    assert answer.value == GOOD
    [request] = stub.requests(url)
    asked = [request[name] for name in ("model", "max_tokens", "temperature", "seed")]
    assert asked == ["some-model", 64, 0, 0]
    assert request["response_format"]["json_schema"] == {"name": "judge", "schema": question.schema, "strict": True}
    system, user = request["messages"]
    assert system == {"role": "system", "content": "You judge."}
    assert [part["type"] for part in user["content"]] == ["text", "image_url", "text", "image_url", "text"]
    assert user["content"][-1]["text"] == question.parts[-1]
    head, data = user["content"][1]["image_url"]["url"].split(",")
    assert head == "data:image/png;base64"
    image = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(image[..., ::-1], picture.pixels)
    call = answer.call
    assert (call["kind"], call["system"]) == ("judge", "You judge.")
    assert call["reply"] == json.dumps(GOOD, separators=(",", ":"))
    assert call["tokens"] == {"prompt": 9, "cached": 4, "sampled": 5, "forced": None}
    assert call["model"]["id"] == "some-model"
    assert call["parts"][1]["size"] == [32, 24]


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (480, 640)])
def test_a_picture_arrives_as_it_was(shape):
    for pixels in (np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8), np.zeros((*shape, 3), np.uint8)):
        read = cv2.imdecode(np.frombuffer(encode_png(pixels), np.uint8), cv2.IMREAD_COLOR)
        assert np.array_equal(read[..., ::-1], pixels)


def test_families_are_asked_each_in_its_own_way(stub, question):
    url = stub("good")
    words = dataclasses.replace(question, parts=("Statement: it is so",))
    ServedModel(url, "m", family=GEMMA3).answer([question])
    ServedModel(url, "m", family=QWEN3).answer([words])
    ServedModel(url, "m", family=QWEN3, think_tokens=100).answer([words])
    gemma, qwen, thinker = stub.requests(url)
    assert [message["role"] for message in gemma["messages"]] == ["user"]
    assert gemma["messages"][0]["content"][0]["text"] == "You judge."
    assert qwen["messages"][1]["content"] == "Statement: it is so"
    assert qwen["chat_template_kwargs"] == {"enable_thinking": False}
    assert thinker["chat_template_kwargs"] == {"enable_thinking": True}
    assert thinker["max_tokens"] == 164
    assert "chat_template_kwargs" not in gemma


def test_points_are_in_the_frame_of_the_family():
    assert ServedModel("http://localhost:1/v1", "m").family is UNNAMED
    assert ServedModel("http://localhost:1/v1", "m", family=QWEN3_VL).resized(640, 480) == (640, 480)
    assert ServedModel("http://localhost:1/v1", "m", family=QWEN2_5_VL).resized(640, 480) == (644, 476)


@pytest.mark.parametrize("behaviour", ["plain", "unsure", "chatty"])
def test_a_server_without_schemas_is_asked_in_the_prompt_once_more_and_the_call_says_so(stub, question, behaviour):
    url = stub(behaviour)
    model = ServedModel(url, "m")
    [answer] = model.answer([question])
    assert answer.value == GOOD
    assert "asked again, the schema in the prompt" in answer.call["notes"][-1]
    first, second = stub.requests(url)
    assert "response_format" in first
    assert "response_format" not in second
    assert json.dumps(judge_schema(), separators=(",", ":")) in second["messages"][1]["content"][-1]["text"]
    [again] = model.answer([question])
    assert again.value == GOOD
    refused = behaviour != "chatty"  # a refusal is for ever; a reply beside the schema may have been bad luck
    assert len(stub.requests(url)) == (3 if refused else 4)


@pytest.mark.parametrize(("behaviour", "note"), [("flaky", "500: not yet"), ("busy", "429: too many")])
def test_a_passing_trouble_is_tried_again(stub, question, behaviour, note):
    url = stub(behaviour)
    [answer] = ServedModel(url, "m").answer([question])
    assert answer.value == GOOD
    assert answer.call["notes"] == [note]
    assert len(stub.requests(url)) == 2


def test_a_server_that_says_that_another_model_answered_is_quoted_in_the_call(stub, question):
    model = ServedModel(stub("another"), "some-model")
    notes = [model.answer([question])[0].call["notes"] for _ in range(2)]
    assert notes == [[], ["it says that another model answered: 'another'"]]


BAD = [  # behaviour, what the failure says, how many requests were made
    ("empty", "the reply is empty", 1), ("blank", "the reply is empty", 1), ("none", "the reply is empty", 1),
    ("truncated", "cut off after 64 tokens", 1), ("filtered", "content_filter", 1), ("refusing", "refusal", 1),
    ("cut", "not JSON", 2), ("prose", "not JSON", 2), ("wrong", "must not be there", 2), ("list", "JSON object", 2),
    ("nested", "nested too deeply", 2), ("nested_keys", "nested too deeply", 2), ("digits", "digits", 2),
    ("infinite", "not finite", 2), ("nan", "not finite", 2), ("twice", "there twice", 2),
    ("surrogate", "verdict must be", 2), ("long", "more than", 2),
    ("broken", r"failed after 2 tries \(500: out of memory\): look into", 2),
    ("strict", "401: who are you.*OPENAI_API_KEY", 1), ("lost", "404: no such model.*it serves: stub", 1),
    ("picky", "400: I do not like it", 2), ("reset", "failed after 2 tries .no connection", 2),
    ("page", "address usually ends in /v1", 1), ("flood", "more than 4194304 bytes", 1),
]


@pytest.mark.parametrize(("behaviour", "words", "requests"), BAD, ids=[behaviour for behaviour, _, _ in BAD])
def test_what_is_no_answer_is_a_typed_failure_with_its_call(stub, question, behaviour, words, requests):
    url = stub(behaviour)
    error = failure(ServedModel(url, "some-model", retries=1), question)
    assert "some-model, judge" in str(error)
    assert len(str(error)) < 1000
    [call] = error.calls
    assert re.search(words, call["error"])
    assert call["kind"] == "judge"
    assert len(json.dumps(call)) < 100_000
    json.dumps(call, ensure_ascii=False).encode()  # a log can hold it
    assert len(stub.requests(url)) == requests


def test_replies_without_the_shape_of_a_completion_are_failures(stub, question):
    model = ServedModel(stub("shapeless"), "m")
    for _ in range(5):
        assert "no chat completion" in str(failure(model, question))


def test_a_server_that_is_down_is_named_with_what_to_do(question):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody answers there
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        error = failure(ServedModel(url, "m", retries=1), question)
    assert f"{url} failed after 2 tries (no connection (ConnectError)): is the server running" in str(error)


@pytest.mark.parametrize("behaviour", ["slow", "drip"])
def test_a_slow_server_costs_no_more_than_its_limit(stub, question, behaviour):
    model = ServedModel(stub(behaviour), "m", timeout_s=0.3, retries=1)
    began_s = time.monotonic()
    error = failure(model, question)
    assert time.monotonic() - began_s < 6.0  # the limit is 4.6 s; the tries alone take about 1.2 s
    assert "no answer within" in str(error)
    assert len(error.calls[0]["notes"]) == 2


@pytest.mark.parametrize(("behaviour", "words"), [
    ("endless", "failed after 2 tries (500"), ("dripping", "failed after 2 tries (500"),
    ("astray", "no connection (TooManyRedirects)"),
])
def test_a_refusal_without_an_end_is_not_read_to_it(stub, question, behaviour, words):
    model = ServedModel(stub(behaviour), "m", timeout_s=2.0, retries=1)
    began_s = time.monotonic()
    error = failure(model, question)
    assert words in str(error)
    assert time.monotonic() - began_s < 6.0  # reading on would take until the limit of 9 s
    assert len(error.calls) == 1


@pytest.mark.parametrize("behaviour", ["echo", "echo_refusal", "echo_valid", "good"])
def test_the_key_is_nowhere_to_be_read(stub, question, behaviour):
    model = ServedModel(stub(behaviour), "m")
    seen = [json.dumps(model.describe()), repr(model)]
    try:
        [answer] = model.answer([question])
        seen += [json.dumps(answer.call), json.dumps(answer.value)]
    except PlannerFailed as error:
        seen += ["".join(traceback.format_exception(error)), json.dumps(error.calls)]
        while error is not None:
            seen += [repr(error), repr(vars(error))]
            error = error.__cause__ or error.__context__
    assert behaviour == "good" or any("[key]" in text for text in seen)
    assert not any(KEY in text for text in seen)


def test_a_placeholder_for_a_key_garbles_nothing(stub, question, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "e")
    assert ServedModel(stub("good"), "m").answer([question])[0].value == GOOD


@pytest.mark.parametrize("key", [f"{KEY}\n", f" {KEY}", f"{KEY}\u00e4"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_repeated(monkeypatch, key):
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(InvalidOption, match="OPENAI_API_KEY") as caught:
        ServedModel("http://localhost:1/v1", "m")
    assert KEY not in str(caught.value)


def test_thinking_goes_beside_the_reply(stub, question):
    for behaviour in ("thinking", "thinking_aloud"):
        [answer] = ServedModel(stub(behaviour), "m", family=QWEN3_VL).answer([question])
        assert answer.call["thinking"].strip() == "the cube is red"
        assert json.loads(answer.call["reply"]) == answer.value == GOOD


def test_answers_come_in_the_order_of_the_questions(stub, question):
    schemas = [{"type": "object", "properties": {"n": {"const": n}}, "required": ["n"]} for n in range(20)]
    questions = [dataclasses.replace(question, schema=schema) for schema in schemas]
    answers = ServedModel(stub("good"), "m").answer(questions)
    assert [answer.value for answer in answers] == [{"n": n} for n in range(20)]


def test_one_failure_of_many_keeps_all_calls(stub, question):
    short = dataclasses.replace(question, kind="plan", max_tokens=1)
    error = failure(ServedModel(stub("good"), "m"), question, short, question)
    assert "m, plan: the reply is cut off" in str(error)
    assert [call["kind"] for call in error.calls] == ["judge", "plan", "judge"]
    assert [bool(call["error"]) for call in error.calls] == [False, True, False]


@pytest.mark.parametrize("url", [
    "localhost:8000", "ftp://localhost/v1", "", "http://", "http://[", "http://localhost:x/v1",
    f"http://user:{KEY}@localhost/v1", f"http://localhost/v1?key={KEY}",
])
def test_an_address_that_is_none_is_refused_without_repeating_a_secret(url):
    with pytest.raises(InvalidOption, match="address") as caught:
        ServedModel(url, "m")
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("options", [
    {"timeout_s": 0}, {"timeout_s": -1}, {"timeout_s": float("nan")}, {"retries": -1}, {"think_tokens": -1},
])
def test_options_that_mean_nothing_are_refused(options):
    with pytest.raises(InvalidOption):
        ServedModel("http://localhost:1/v1", "m", **options)


def test_threads_are_bounded_and_nobody_waits_for_one_that_hangs():
    free, most, lock = threading.Event(), [0, 0], threading.Lock()

    def ask(n):
        with lock:
            most[0] += 1
            most[1] = max(most)
        if n == 3:
            free.wait(30)
        time.sleep(0.01)
        with lock:
            most[0] -= 1
        return n

    began_s = time.monotonic()
    assert all_at_once(ask, range(10), threads=4, limit_s=1.0) == [0, 1, 2, None, 4, 5, 6, 7, 8, 9]
    assert time.monotonic() - began_s < 5
    assert most[1] <= 4
    free.set()


def test_a_mistake_on_a_thread_is_raised_where_the_answers_are_awaited():
    with pytest.raises(ZeroDivisionError):
        all_at_once(lambda n: 1 // n, [1, 0], threads=2, limit_s=5.0)


def test_asking_a_server_needs_no_torch():
    code = "import sys, tandem.agent.planner.served; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
