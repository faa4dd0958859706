"""A folder of keys that cannot be right is refused before anything is bound, with the way out."""

from __future__ import annotations

from pathlib import Path

import pytest
import zmq

from tandem.bridge import keys
from tandem.bridge.contract import InvalidOption
from tandem.bridge.roles import Role


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    keys.make_pair(tmp_path, keys.CONTROLLER)
    for role in Role:
        keys.allow(tmp_path, str(role), role, keys.make_pair(tmp_path, str(role)).public)
    return tmp_path


@pytest.mark.parametrize("secret", ["~" * 40, "x" * 40, "short"], ids=["no z85", "of nobody", "short"])
def test_two_keys_that_are_no_pair_are_refused(folder: Path, secret: str) -> None:
    path = folder / "controller.key_secret"
    pair = keys.load_pair(folder, keys.CONTROLLER)
    path.write_text(path.read_text().replace(pair.secret, secret))
    with pytest.raises(keys.KeyProblem, match="are no pair"):
        keys.load_pair(folder, keys.CONTROLLER)


def test_the_public_key_of_another_is_refused(folder: Path) -> None:
    path = folder / "controller.key_secret"
    pair = keys.load_pair(folder, keys.CONTROLLER)
    path.write_text(path.read_text().replace(pair.public, zmq.curve_keypair()[0].decode()))
    with pytest.raises(keys.KeyProblem, match="are no pair"):
        keys.load_pair(folder, keys.CONTROLLER)


def test_a_key_has_one_name_and_one_role(folder: Path) -> None:
    public = keys.load_pair(folder, "observer").public
    with pytest.raises(InvalidOption, match="on the list already, as 'observer'"):
        keys.allow(folder, "eve", Role.SUPERVISOR, public)
    keys.allow(folder, "observer", Role.COMMANDER, public)  # another role for the same name
    assert keys.load_allowed(folder)[public].role is Role.COMMANDER
    with (folder / keys.ALLOWED).open("a") as file:
        file.write(f'"eve" = {{ role = "supervisor", key = "{public}" }}\n')
    with pytest.raises(keys.KeyProblem, match="observer and eve have the same key"):
        keys.load_allowed(folder)
