"""The report as people see it: a real browser opens the file from disk, without a network, and it works."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "agent" / "evaluation"))

from written_evaluation import HARM, write_evaluation  # noqa: E402

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((path for path in map(shutil.which, NAMES) if path), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: tests/launch/browser.sh installs it")


def launch_report(*arguments, cwd):
    command = [sys.executable, ROOT / "launch" / "report.py", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=120, check=False)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    done = launch_report(write_evaluation(folder / "evaluation"), "--out", "page.html", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert re.search(r"page\.html +0\.\d MB, 3 episodes, 3 with a film strip", done.stdout)
    return folder / "page.html"


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, report):
    """Opens the page in a new window with the network cut; at the end nothing may have gone wrong in it."""
    troubles, contexts = [], []

    def goto(width=1280, fragment="", **options):
        contexts.append(browser.new_context(viewport={"width": width, "height": 900}, offline=True, **options))
        page = contexts[-1].new_page()
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        outside = re.compile(r"^(?!file:|data:)")
        page.route(outside, lambda route: (troubles.append(route.request.url), route.abort()))
        page.goto(report.as_uri() + fragment)
        return page

    yield goto
    for context in contexts:
        context.close()
    assert troubles == []


def opened(page, ending="failed"):
    episode = page.locator(f".episode[data-ending='{ending}']").first
    episode.locator("> summary").click()
    episode.locator(".now").wait_for()
    return episode


def test_the_verdict_stands_on_top_and_no_word_of_a_log_runs(visit):
    page = visit()
    assert page.locator("h1").inner_text() == "1 of 3 episodes succeeded, 1 claim was not true"
    opened(page)
    for fold in page.locator("details.fold > summary").all():
        if fold.is_visible():
            fold.click()
    assert page.evaluate("window.harmed") is None
    assert page.locator("img").count() == 0
    assert HARM in page.locator(".episode[open] .instruction").inner_text()


def test_the_cursor_links_plots_timeline_and_frames(visit):
    episode = opened(visit())
    track = episode.locator(".plot .track").first
    box = track.bounding_box()
    told = []
    for part in (0.1, 0.9):
        track.hover(position={"x": part * box["width"], "y": 10})
        cursor = episode.locator(".cursor").bounding_box()
        assert cursor["x"] == pytest.approx(box["x"] + part * box["width"], abs=2)
        told.append([
            episode.locator(".now").inner_text(), episode.locator(".plot .values").first.inner_text(),
            episode.locator(".strip .here figcaption").inner_text(), episode.locator("tr.here").inner_text(),
        ])
    assert all(early != late for early, late in zip(*told, strict=True))
    assert told[0][0].startswith("0.20 s, 1. pick the red cube")
    assert told[1][0].startswith("1.80 s, 2. pick the red cube")


def test_the_values_under_the_cursor_are_those_of_the_log(visit):
    episode = opened(visit())
    episode.locator(".seek").fill("500")
    commanded, measured = episode.locator(".plot .values").first.inner_text().split()
    assert float(measured) == pytest.approx(0.8415, abs=0.02)  # sin(1 s)
    assert float(commanded) == pytest.approx(0.8674, abs=0.02)  # the command is a step ahead
    assert episode.locator(".now").inner_text().startswith("1.00 s")


def test_a_click_on_a_frame_or_a_subgoal_moves_the_cursor(visit):
    episode = opened(visit())
    episode.locator(".still").last.click()
    late = episode.locator(".now").inner_text()
    episode.locator(".attempts tbody tr").first.click()
    assert episode.locator(".now").inner_text().startswith("0.00 s")
    assert late > episode.locator(".now").inner_text()


def test_a_cluster_shows_pictures_and_leads_to_its_episode(visit):
    page = visit()
    picture = page.locator(".cluster .still svg").first
    box = picture.bounding_box()
    assert box["width"] > 80
    assert box["height"] == pytest.approx(0.75 * box["width"], rel=0.02)
    pixels = cv2.imdecode(np.frombuffer(picture.screenshot(), np.uint8), cv2.IMREAD_COLOR)
    assert pixels.std() > 30, "the picture is a blank"
    page.locator(".case a").first.click()
    assert page.locator(".episode[open]").count() == 1
    assert page.locator(".episode[open]").get_attribute("data-ending") == "false success"


def test_a_filter_leaves_only_what_was_asked_for(visit):
    page = visit()
    page.locator(".filters button", has_text="failed").click()
    assert [one.get_attribute("data-ending") for one in page.locator(".episode:visible").all()] == ["failed"]
    page.locator(".filters button", has_text="all").click()
    assert page.locator(".episode:visible").count() == 3


def test_a_command_is_copied_as_it_stands(visit, report):
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    command = opened(page).locator(".shell").first
    command.locator("button").click()
    command.locator("button", has_text="copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == command.locator("code").inner_text()
    assert command.locator("code").inner_text().startswith("python launch/log.py info ")


def brightness(page, name):
    """0 is black, 765 white."""
    return sum(map(int, re.findall(r"\d+", page.evaluate(f"getComputedStyle(document.body).{name}"))))


@pytest.mark.parametrize("width", [1280, 420])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_sticks_out_and_everything_can_be_read(visit, width, scheme):
    page = visit(width, color_scheme=scheme)
    opened(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    ink, paper = (brightness(page, name) for name in ("color", "backgroundColor"))
    assert abs(ink - paper) > 500
    assert (paper < 200) == (scheme == "dark")
    plots = [track.bounding_box() for track in page.locator(".episode[open] .plot .track").all()]
    assert len(plots) == 3
    assert all(box["width"] > 0.6 * width and 30 < box["height"] < 60 for box in plots)


def test_it_can_be_read_without_scripts(visit):
    page = visit(java_script_enabled=False, fragment="#e1")
    assert page.locator(".episode[open]").count() == 1, "a link into an episode opens it"
    assert page.locator(".episode[open] .plot polyline").first.is_visible()
    assert not page.locator(".copy").first.is_visible()
    assert not page.locator(".filters").is_visible()


def test_what_holds_no_evaluation_is_refused_in_a_line(tmp_path):
    done = launch_report(tmp_path, cwd=tmp_path)
    assert done.returncode == 2
    assert "UnusableResults" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())
