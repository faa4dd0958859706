"""What the page shows is so: its key map of one's own, and the map that it prints."""

import re
from pathlib import Path

import pytest

from tandem.policies.remote import FORMS, PRESETS, Part, Told, key_map

PAGE = (Path(__file__).parents[3] / "docs" / "remote_policies.md").read_text(encoding="utf-8")


def test_the_map_of_ones_own_fits_a_panda(tmp_path, spec_of):
    path = tmp_path / "mine.toml"
    path.write_text(re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)[1])
    keymap = key_map(str(path), spec_of("panda"))
    keymap.require(spec_of("panda"), Told())
    assert keymap.needs(Part.JOINT_OFFSETS)


def test_the_printed_map_is_the_one_that_is_printed(spec_of):
    printed = re.search(r"key map droid\n(.*?)\na subgoal ends", PAGE, re.DOTALL)[1].splitlines()
    assert printed == key_map("droid", spec_of("panda")).lines(spec_of("panda"))


@pytest.mark.parametrize("name", PRESETS)
def test_every_map_is_told_of(name):
    assert f"| `{name}` |" in PAGE


def test_every_wire_is_told_of():
    assert all(f"`{form}`" in PAGE for form in FORMS)
