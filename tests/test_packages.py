"""The package list in pyproject.toml is written by hand; the folders on disk are what it has to say."""

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("bridge", "sim", "policies", "agent")
TOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
LISTED = set(TOOLS["setuptools"]["packages"])


def _packages_on_disk() -> set[str]:
    """Every folder of the four rooms that holds Python directly, as its import name."""
    files = (path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
    return {".".join(("tandem", *path.parent.relative_to(ROOT).parts)) for path in files}


def test_every_folder_with_python_is_listed():
    missing = sorted(_packages_on_disk() - LISTED)
    assert not missing, f"Add to [tool.setuptools] packages in pyproject.toml, or the wheel leaves them out: {missing}"


def test_every_listed_package_has_a_folder():
    absent = sorted(LISTED - _packages_on_disk())
    assert not absent, f"Remove from [tool.setuptools] packages in pyproject.toml, or nothing installs: {absent}"


def test_every_data_file_is_packed():
    patterns = TOOLS["setuptools"]["package-data"]
    files = [path.relative_to(ROOT) for room in ROOMS for path in (ROOT / room).rglob("*") if path.is_file()]
    data = [path for path in files if path.suffix not in {".py", ".pyc", ".md"}]
    packed = {
        found.relative_to(ROOT)
        for package, globs in patterns.items()
        for pattern in globs
        for found in ROOT.joinpath(*package.split(".")[1:]).glob(pattern)
    }
    left_out = [str(path) for path in data if path not in packed]
    assert not left_out, f"Add to [tool.setuptools.package-data] in pyproject.toml, or the wheel lacks them: {left_out}"


def test_imports_of_every_room_are_checked():
    rooms = {f"tandem.{room}" for room in ROOMS if (ROOT / room / "__init__.py").exists()}
    checked = set(TOOLS["importlinter"]["root_packages"])
    assert checked == rooms, "Set root_packages of [tool.importlinter] in pyproject.toml to the rooms that exist"


@pytest.mark.parametrize("folder", ["launch", "tests"])
def test_scripts_and_tests_are_no_packages(folder):
    initialisers = [str(path.relative_to(ROOT)) for path in (ROOT / folder).rglob("__init__.py")]
    assert not initialisers, f"{folder}/ is not installed and must not be importable: delete {initialisers}"
