"""PROTOCOL.md says what the code does: every kind, field, refusal, fault, mode and limit is on the page."""

import dataclasses
import re
from importlib import resources

from tandem.bridge.controller.mode import FaultCode, Mode
from tandem.bridge.controller.options import Limits
from tandem.bridge.wire import KINDS, Port, Refusal
from tandem.bridge.wire.kinds import ENVELOPE

PAGE = (resources.files("tandem.bridge") / "PROTOCOL.md").read_text(encoding="utf-8")
ROWS = {match[1]: match[0] for match in re.finditer(r"^\| ([a-z_, ]+) \|.*$", PAGE, re.MULTILINE)}


def row_of(kind):
    return next(row for name, row in ROWS.items() if kind in name.split(", "))


def test_every_kind_has_a_row_that_names_its_fields():
    for kind, fields in KINDS.items():
        row = row_of("chunk" if kind == "step" else kind)
        for name in fields if kind != "step" else ("names", "q"):
            assert name == "id" or re.search(rf"\b{name}\b", row), (kind, name)


def test_the_page_names_every_word_of_the_closed_lists():
    for word in (*ENVELOPE, *Port, *Refusal, *FaultCode, *Mode, *(field.name for field in dataclasses.fields(Limits))):
        assert re.search(rf"\b{word}\b", PAGE), word
