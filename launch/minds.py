"""From the word behind --planner to a model: loaded once for each choice and process, shared by planner and judge.

Nothing heavy is imported before a choice needs it: the scripted planner runs without torch.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from tandem.agent import planner
from tandem.agent.planner.model import Model
from tandem.agent.planner.terse import Terse
from tandem.bridge.contract import InvalidOption, MissingDependency, ModelUnusable, UnknownName
from tandem.bridge.log import LogReader

TINY = Path(planner.__file__).parent / "tiny"
NAMES = ("scripted", "tiny", "babble")
FORMS = ("<folder>", "<hub id>", "openai:<base url>#<model>", "cassette:<file.mcap>", "cassette:<file.mcap>#<model>")
SETTINGS_FILE = "tandem.json"
PLANNER_SETTINGS = {"show_picture": bool, "look_first": bool, "glance_again": int, "point_step": int}
SETTINGS = {**PLANNER_SETTINGS, "terse": bool}
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True)
class Choice:
    """Which model, and how it runs; see `composition.System` for the meaning of each."""

    spec: str
    device: str = "auto"
    dtype: str = "auto"
    bits: int = 16
    revision: str | None = None
    family: str | None = None
    temperature: float = 0.0
    think_tokens: int = 0
    timeout_s: float = 60.0
    grammar: bool = True
    seed: int = 0


def check_spec(spec: str) -> None:
    """Raise `UnknownName` or `InvalidOption` for a word that can mean no planner."""
    kind, _, rest = spec.partition(":")
    if kind == "openai" and rest:
        if not re.fullmatch(r"https?://[^#\s]+#\S+", rest):
            raise InvalidOption("what follows openai: is no server (it is not repeated here, it may hold a key): write "
                                "openai:<base url>#<model>, such as openai:http://127.0.0.1:8000/v1#qwen")
    elif kind == "cassette" and rest:
        if not _tape(spec)[0].is_file():
            raise InvalidOption(f"there is no log {rest!r} to replay; choose one of an episode with a model planner")
    elif not spec or not (spec in NAMES or Path(spec).expanduser().is_dir() or _HUB_ID.fullmatch(spec)):
        raise UnknownName("planner", spec, (*NAMES, *FORMS))


def load_model(choice: Choice) -> Model:
    """The model of a choice; raises `ModelUnusable`, `InvalidOption`, `MissingDependency` or `UnknownName`."""
    model = _load(choice)
    return Terse(model) if _told(choice.spec).get("terse") else model


def _load(choice: Choice) -> Model:
    kind, _, rest = choice.spec.partition(":")
    if choice.spec == "babble":
        from tandem.agent.planner.babbler import Babbler

        return Babbler(seed=choice.seed)
    if kind == "cassette" and rest:
        from tandem.agent.planner.cassette import CassetteModel

        tape, name = _tape(choice.spec)
        return CassetteModel(tape, model=name)  # a new one each time, which begins at the beginning
    with importing(choice.spec):
        return _served(choice, rest) if kind == "openai" and rest else _in_process(choice)


@contextmanager
def importing(what: str) -> Iterator[None]:
    """What is missing for a model is named with the command that installs it."""
    try:
        yield
    except ModuleNotFoundError as reason:
        raise MissingDependency(f"{reason.name}, for the planner {what!r},", 'pip install "tandem[vlm]"') from reason


def _served(choice: Choice, address: str) -> Model:
    from tandem.agent.planner.families.registry import family_of
    from tandem.agent.planner.in_process.options import Sampling
    from tandem.agent.planner.served import ServedModel

    url, _, name = address.partition("#")
    family = family_of(choice.family) if choice.family else None
    sampling = Sampling(temperature=choice.temperature, seed=choice.seed)
    return ServedModel(
        url, name, family=family, timeout_s=choice.timeout_s, think_tokens=choice.think_tokens, sampling=sampling)


def _in_process(choice: Choice) -> Model:
    """The weights are loaded once, however words are chosen."""
    from tandem.agent.planner.in_process.options import Sampling

    model = _weights(replace(choice, temperature=0.0, seed=0, timeout_s=Choice.timeout_s))
    sampling = Sampling(temperature=choice.temperature, seed=choice.seed)
    return model if sampling == Sampling() else model.with_sampling(sampling)


@lru_cache(maxsize=2)
def _weights(choice: Choice) -> Any:
    from tandem.agent.planner.in_process.model import InProcessModel
    from tandem.agent.planner.in_process.options import Options

    return InProcessModel(str(_folder(choice.spec)), Options(
        device=choice.device, dtype=choice.dtype, bits=choice.bits, revision=choice.revision,
        think_tokens=choice.think_tokens, grammar=choice.grammar,
    ))


def settings_of(spec: str) -> dict[str, Any]:
    """How a planner over this model is set up: by `tandem.json` beside its weights, or as it was in a recording."""
    return {name: value for name, value in _told(spec).items() if name in PLANNER_SETTINGS}


def _told(spec: str) -> dict[str, Any]:
    """Every setting that is told of a model."""
    if spec.startswith("cassette:"):
        tape, name = _tape(spec)
        recorded = LogReader(tape).manifest.get("planner") or {}
        minds = [recorded.get(who) or {} for who in ("model", "perceiver")]
        mind = next((mind for mind in minds if mind.get("id") == name), minds[0])
        known = {**recorded, "terse": mind.get("terse", False)}
        return {name: known[name] for name in SETTINGS if name in known}
    path = Path(_folder(spec)).expanduser() / SETTINGS_FILE
    if not path.is_file():
        return {}
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        wrong = {name: value for name, value in settings.items() if type(value) is not SETTINGS.get(name)}
    except (ValueError, AttributeError) as reason:
        raise ModelUnusable(f"{path} is no JSON object: {reason}") from reason
    if wrong:
        values = {bool: "true or false", int: "a whole number"}
        known = ", ".join(f"{name} ({values[kind]})" for name, kind in SETTINGS.items())
        raise ModelUnusable(f"{path} says {wrong}; it may say: {known}")
    return settings


def _tape(spec: str) -> tuple[Path, str | None]:
    """The log, and which of the models in it is meant, None when none is named."""
    whole = Path(spec.partition(":")[2]).expanduser()
    path, mark, name = str(whole).partition(".mcap#")
    return (Path(path + ".mcap"), name) if mark and not whole.is_file() else (whole, None)


def _folder(spec: str) -> str | Path:
    return TINY if spec == "tiny" else spec
