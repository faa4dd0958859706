"""The README keeps its word: what it links to is there, and its Python examples run as printed."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = [code for code in re.findall(r"```python\n(.*?)```", README, re.S) if "LogReader" not in code]


def test_what_it_links_to_is_there_and_nothing_is_left_to_fill_in():
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if not link.startswith("http")]
    assert "docs/episode.png" in links
    assert [link for link in links if not (ROOT / link).exists()] == []
    assert re.findall(r"\{[A-Z]+\}", README) == []


@pytest.mark.parametrize("code", EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_runs_as_printed(code):
    exec(compile(code, "README.md", "exec"), {})
