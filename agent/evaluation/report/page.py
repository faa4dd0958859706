"""Writes the page. One log is open at a time: what is told of it goes to a scratch file, and from there into the page.

Everything that stands in a result or a log is untrusted: the templates escape it (Jinja's autoescape, always on), and
the page's own policy lets no script run but the one that it carries, whose digest it names.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import jinja2
from markupsafe import Markup

from tandem.agent.evaluation.report import words
from tandem.agent.evaluation.report.clusters import Told, clusters
from tandem.agent.evaluation.report.curve import curve
from tandem.agent.evaluation.report.episode import Place, tell
from tandem.agent.evaluation.report.sections import Section
from tandem.agent.evaluation.report.selection import Budget, with_strips
from tandem.agent.evaluation.report.strip import data_uri
from tandem.agent.evaluation.report.summary import Ending, Summary, ending, summarise
from tandem.agent.evaluation.report.transcript import Prompts, Room
from tandem.agent.evaluation.results import Evaluation
from tandem.bridge.contract import InvalidOption
from tandem.bridge.log.atomic import replacing

_TEMPLATES = Path(__file__).parent / "templates"
_PIECE = 1 << 16  # characters of the scratch file at a time


@dataclass(frozen=True)
class Written:
    """What was written: where, how big, how many episodes, and how many of them with a film strip."""

    path: Path
    size: int
    episodes: int
    strips: int


def write_report(
    path: Path, evaluations: Sequence[Evaluation], sections: Sequence[Section] = (), *, budget: Budget | None = None,
    on_episode: Callable[[], None] = lambda: None,
) -> Written:
    """Write one HTML file that needs nothing else: no network, no server.

    Args:
        path: the file; replaced only once it is complete.
        evaluations: one or more.
        sections: what else was measured.
        budget: how many pictures.
        on_episode: called after each episode.

    Raises `InvalidOption` without an evaluation, `UnusableResults` for one without a plan, and `LogUnwritable` when the
    disk does not take the file. A log that cannot be read is said so in the page.
    """
    if not evaluations:
        raise InvalidOption("a report needs at least one folder of results")
    budget = budget or Budget()
    summaries, prompts, environment = summarise(evaluations), Prompts(), _environment()
    places = _places(summaries, budget)
    with replacing(Path(path)) as part, TemporaryFile("w+", encoding="utf-8", errors="replace") as scratch:
        told = []
        for place in places:
            brief, shown = tell(place, prompts, Room(budget.transcript // len(places)), budget)
            told.append(brief)
            scratch.write(environment.get_template("episode.html").render(shown) + "\n")
            on_episode()
        values = _values(summaries, told, sections, prompts)
        page = environment.get_template("page.html").generate(values, episodes=_pieces(scratch))
        with part.open("w", encoding="utf-8", errors="replace") as stream:
            stream.writelines(page)
    return Written(Path(path), Path(path).stat().st_size, len(told), sum(bool(one.stills) for one in told))


def _places(summaries: list[Summary], budget: Budget) -> list[Place]:
    records = {
        (number, address): record
        for number, summary in enumerate(summaries)
        for address, record in summary.evaluation.episodes.items()
    }
    strips = with_strips(records, budget)
    firsts = {number: (number, address) for number, address in reversed(records)} if len(summaries) > 1 else {}
    return [
        Place(f"e{count}", summaries[key[0]], record, firsts.get(key[0]) == key, key in strips)
        for count, (key, record) in enumerate(records.items())
    ]


def _values(
    summaries: list[Summary], told: list[Told], sections: Sequence[Section], prompts: Prompts
) -> dict[str, Any]:
    script = _source("report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return {
        "summaries": summaries, "headline": words.headline(summaries), "clusters": clusters(told), "sections": sections,
        "told": told, "endings": {one: sum(ending(each.record) is one for each in told) for one in Ending},
        "prompts": prompts.texts, "made": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "codes": list(dict.fromkeys(code for summary in summaries for code in summary.failures)),
        "tasks": list(dict.fromkeys(task for summary in summaries for task in summary.tasks)),
        "strips": sum(bool(one.stills) for one in told),
        "script": Markup(script), "style": Markup(_source("report.css")), "digest": digest,
    }


def _source(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": words.percent, "points": words.points, "seconds": words.seconds, "said": words.said,
        "quantity": words.quantity, "value": words.value, "number": words.number, "count": words.count,
        "brief": words.brief,
    }
    environment.globals |= {"ending": ending, "data_uri": data_uri, "curve": curve}
    return environment


def _pieces(scratch: IO[str]) -> Iterator[Markup]:
    """The episodes as they were rendered, and so escaped, before."""
    scratch.seek(0)
    while piece := scratch.read(_PIECE):
        yield Markup(piece)
