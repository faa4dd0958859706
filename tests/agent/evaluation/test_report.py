"""The report needs nothing but itself, believes nothing it is told, and stays small."""

import base64
import hashlib
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from written_evaluation import HARM, PLAN, observe, record, record_log, spec

from tandem.agent.evaluation import results
from tandem.agent.evaluation.report import (
    Arm,
    ArmsMatrix,
    Comparison,
    ComparisonRow,
    CurvePoint,
    Divergence,
    DivergenceRow,
    Interval,
    Layer,
    PointOfNoReturn,
    Rate,
    write_report,
)
from tandem.agent.evaluation.report.selection import Budget
from tandem.agent.evaluation.statistics import wilson
from tandem.bridge.contract import EpisodeStart, Event, EventKind, InvalidOption, LogUnwritable, UnusableResults
from tandem.bridge.log import Recorder

VOID = {"meta", "input", "img", "br"}  # of HTML; what SVG closes at once ends in a slash
FEWER, BLACK = Interval(-0.3, -0.6, 0.1), np.zeros((48, 64, 3), np.uint8)
EVERY_SECTION = (
    Comparison("A", HARM, HARM, (ComparisonRow(HARM, Rate(8, 10), Rate(5, 10), FEWER, HARM),), ((HARM,) * 3,)),
    ArmsMatrix(("sort", HARM), (Arm("base", "", (Rate(8, 9), None)), Arm(HARM, HARM, (Rate(1, 9), Rate(0, 0)), FEWER))),
    Divergence(
        HARM, HARM, (Layer("physics", HARM, True), Layer("policy", "differs", False, 12, 0.6, HARM)),
        (DivergenceRow(HARM, "m", 1e-4, 12, 0.031, 0.5), DivergenceRow("joint0", "rad", 1e-3, None, 2e-6, 0.0)),
    ),
    PointOfNoReturn(
        HARM, 12, 0.6, HARM, (CurvePoint(0, 0.0, Rate(9, 10)), CurvePoint(12, 0.6, Rate(1, 10))), BLACK
    ),
)


class Page(HTMLParser):
    """What a browser would make of the page: elements with attributes, and the text that is seen."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.texts, self.open, self.scripts = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data):
        (self.scripts if self.open[-1:] == ["script"] else self.texts).append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())

    def values(self, name):
        return [attributes[name] for _, attributes in self.elements if name in attributes]


def report(tmp_path, folders, *arguments, **options):
    path, evaluations = tmp_path / "report.html", [results.load(folder) for folder in folders]
    written = write_report(path, evaluations, *arguments, **options)
    return path.read_text(), written


@pytest.fixture(scope="module")
def html(evaluation, tmp_path_factory):
    return report(tmp_path_factory.mktemp("page"), [evaluation], EVERY_SECTION)[0]


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_every_element_is_closed(page):
    assert page.open == []


def test_nothing_outside_the_file_is_referenced(page, html):
    for name in ("src", "href", "action", "data", "poster", "srcset", "xlink:href"):
        for value in page.values(name):
            assert value.startswith(("#", "data:image/jpeg;base64,")), value[:80]
    assert not [tag for tag, _ in page.elements if tag in ("link", "iframe", "object", "embed", "base", "form")]
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL).group(1)
    assert "url(" not in style
    assert "@import" not in style
    assert not re.search(r"fetch\(|XMLHttp|import\(|https?:", "".join(page.scripts) + style)


def test_its_policy_lets_only_its_own_script_run(page):
    (policy,) = [a["content"] for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy"]
    digest = base64.b64encode(hashlib.sha256("".join(page.scripts).encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy


def test_words_of_logs_and_results_stay_words(page):
    assert Counter(tag for tag, _ in page.elements)["script"] == 1
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert not [a for tag, a in page.elements if tag == "img" and not a["src"].startswith("data:")]
    assert "window.harmed" not in "".join(page.scripts)
    for what in ("reply", "thought", "refused", "model", "reason", "because", "detail", "evidence", "moved", "cube"):
        assert f"{what} {HARM}" in page.text, what
    assert f"You plan. {HARM}" in page.text
    assert any(HARM in title for title in page.values("aria-label"))


def test_every_link_has_its_target_and_every_name_is_there_once(page):
    names = Counter(page.values("id"))
    assert set(names.values()) == {1}
    assert {value[1:] for value in page.values("href") if value.startswith("#")} <= set(names)


def test_the_verdict_has_its_interval_and_what_is_not_the_agents_is_apart(page):
    low, high = wilson(1, 3)
    assert "1 of 3 episodes succeeded, 1 claim was not true" in page.text
    assert f"{low:.0%} to {high:.0%}".replace("%", " %") in page.text
    assert "1 try broke off" in page.text
    assert f"1 × WorkerDied {HARM}" in page.text


def test_false_successes_come_first_and_failures_name_the_skill(html):
    first, second = re.findall(r'<div class="cluster">\s*<h3>(.*?)</h3>', html, re.DOTALL)
    assert "CLAIMED_NOT_DONE" in first
    assert "GRASP_FAILED" in second
    assert "in pick" in second


def test_the_commands_can_be_pasted(page, evaluation):
    text = page.text
    assert f"python launch/log.py info '{evaluation}/logs/bad.mcap'" in text
    assert f"python launch/replay.py '{evaluation}/logs/bad.mcap' --mode physics" in text


def write(folder, *records):
    results.begin(folder, PLAN)
    for one in records:
        results.append(folder, one)
    return folder / results.LOGS


@pytest.mark.parametrize(("log", "sentence"), [
    (None, "The episode left no log."),
    ("gone.mcap", "The log gone.mcap is not there."),
    ("../evaluation.json", "is no file within logs/"),
    ("noise.mcap", "noise.mcap"),
    ("cut.mcap", "The log was cut off"),
    ("blind.mcap", "The log holds no pictures."),
    ("endless.mcap", "The log has no end"),
])  # fmt: skip
def test_a_log_that_is_not_whole_is_said_in_a_sentence(tmp_path, evaluation, log, sentence):
    logs = write(tmp_path / "a", record(0, success=False, log=log))
    (logs / "noise.mcap").write_bytes(np.random.default_rng(0).bytes(5000))
    whole = (evaluation / results.LOGS / "bad.mcap").read_bytes()
    (logs / "cut.mcap").write_bytes(whole[: len(whole) // 2])
    if log == "blind.mcap":
        record_log(logs / log, good=False, pictures=False)
    if log == "endless.mcap":
        record_log(logs / log, good=False, end=False)
    page = Page(report(tmp_path, [tmp_path / "a"])[0])
    assert sentence in page.text
    assert "Traceback" not in page.text


@pytest.mark.parametrize("cut", range(1, 10))
def test_wherever_a_log_was_cut_there_is_a_page(tmp_path, evaluation, cut):
    logs = write(tmp_path / "a", record(0, success=False, log="cut.mcap"))
    whole = (evaluation / results.LOGS / "bad.mcap").read_bytes()
    (logs / "cut.mcap").write_bytes(whole[: len(whole) * cut // 10])
    assert Page(report(tmp_path, [tmp_path / "a"])[0]).open == []


ODDITY = "odd.mcap is not of the expected form"
ODD = {"index": 0, "of": 1, "instruction": 5, "skill": "pick"}
UNTYPED = {"subgoal": {"skill": 3}, "claimed": 1, "seen": None, "measured": None, "failure": 7, "detail": [HARM]}


@pytest.mark.parametrize(("events", "sentence"), [
    ([(EventKind.SUBGOAL_START, {})], ODDITY),
    ([(EventKind.PLAN, {"subgoals": "none", "feasible": True})], ODDITY),
    ([(EventKind.PLAN, {"subgoals": [], "feasible": True, "latency_s": "long"})], ODDITY),
    ([(EventKind.CALLS, {"calls": [{"parts": [3]}]})], ODDITY),
    ([(EventKind.SUBGOAL_START, ODD), (EventKind.SUBGOAL_END, UNTYPED)], "in 3 (7)"),
])  # fmt: skip
def test_a_log_of_another_form_is_said_so_or_shown_as_words(tmp_path, events, sentence):
    logs = write(tmp_path / "a", record(0, success=False, log="odd.mcap"))
    with Recorder(logs / "odd.mcap", min_free_bytes=0) as recorder:
        recorder.on_episode_start(EpisodeStart("pick", spec(), observe(0.0), {}))
        for kind, data in events:
            recorder.on_event(Event(kind, 0.0, HARM, data))
    page = Page(report(tmp_path, [tmp_path / "a"])[0])
    assert sentence in page.text
    assert page.open == []


def test_two_hundred_failures_stay_small_and_are_all_there(tmp_path, evaluation):
    bad = record(0, success=False, log="bad.mcap")
    logs = write(tmp_path / "a", *(replace(bad, index=number) for number in range(200)))
    logs.joinpath("bad.mcap").symlink_to(evaluation / results.LOGS / "bad.mcap")
    html, written = report(tmp_path, [tmp_path / "a"])
    assert written.episodes == 200
    assert written.strips == Budget().strips
    assert written.size < 25e6
    assert "100 of 200 have a film strip" in Page(html).text


def test_folders_of_the_same_name_are_told_apart(tmp_path):
    folders = [tmp_path / "x" / "run", tmp_path / "y" / "run"]
    for folder in folders:
        write(folder, record(0, success=True))
    text = Page(report(tmp_path, folders)[0]).text
    assert all(str(folder) in text for folder in folders)


def test_an_evaluation_without_an_episode_is_a_page_too(tmp_path):
    write(tmp_path / "a")
    assert "no episode was measured" in Page(report(tmp_path, [tmp_path / "a"])[0]).text


def test_what_cannot_be_reported_is_refused(tmp_path):
    with pytest.raises(InvalidOption):
        write_report(tmp_path / "r.html", [])
    results.begin(tmp_path / "a", {"tasks": []})
    with pytest.raises(UnusableResults, match="first_seed"):
        report(tmp_path, [tmp_path / "a"])
    write(tmp_path / "b")
    with pytest.raises(LogUnwritable):
        write_report(tmp_path / "nowhere" / "r.html", [results.load(tmp_path / "b")])


@pytest.mark.parametrize("wrong", [{"body_s": "long"}, {"success": "yes"}, {"reason": None}, {"progress": [1]}])
def test_a_result_of_the_wrong_kind_is_named(tmp_path, wrong):
    write(tmp_path / "a", replace(record(0, success=True), **wrong))
    with pytest.raises(UnusableResults, match=next(iter(wrong))):
        report(tmp_path, [tmp_path / "a"])
