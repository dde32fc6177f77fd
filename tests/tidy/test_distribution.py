"""What is installed is ours, complete and pinned."""

import tomllib
from functools import cache
from importlib.metadata import distribution, packages_distributions
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from tests.tidy import house
from tests.tidy.house import ROOT
from tests.tidy.rules import ROOMS


@cache
def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


@pytest.mark.parametrize("room", ROOMS)
def test_the_installed_room_is_this_checkout_and_phalanx_ships_it(room: str) -> None:
    spec = find_spec(room)
    assert spec is not None
    assert spec.origin is not None
    assert Path(spec.origin).resolve() == ROOT / room / "__init__.py"
    assert set(packages_distributions()[room]) == {"phalanx"}


def test_the_console_script_is_phalanx() -> None:
    scripts = {
        point.name: point.value
        for point in distribution("phalanx").entry_points
        if point.group == "console_scripts"
    }
    assert scripts == {"phalanx": "serve.cli:main"}


def test_every_folder_of_the_rooms_is_listed_as_a_package() -> None:
    listed = pyproject()["tool"]["setuptools"]["packages"]
    assert not house.unlisted_packages(house.files_of(ROOT), listed)
    assert listed == sorted(listed)


def test_an_unlisted_folder_and_an_empty_listing_are_found() -> None:
    paths = ["engines/__init__.py", "engines/live/trader.py", "tests/unit/test_a.py"]
    assert house.unlisted_packages(paths, ["engines", "serve"]) == ["engines.live", "serve"]


def test_every_package_folder_has_its_init() -> None:
    paths = set(house.files_of(ROOT))
    listed = pyproject()["tool"]["setuptools"]["packages"]
    inits = {name.replace(".", "/") + "/__init__.py" for name in listed}
    assert not inits - paths


def test_requirements_hold_nothing_but_pins() -> None:
    assert not house.loose_pins((ROOT / "requirements.txt").read_text("utf-8"))


@pytest.mark.parametrize(
    "line",
    ["numpy>=2", "numpy", "# a comment", "--hash=sha256:00", "ray @ there", "a==1 --hash=x", ""],
)
def test_a_line_that_is_not_a_pin_is_found(line: str) -> None:
    assert house.loose_pins(line + "\n")


def test_every_dependency_is_pinned_within_its_range() -> None:
    project = pyproject()["project"]
    pins: dict[str, list[str]] = {}
    for line in (ROOT / "requirements.txt").read_text("utf-8").splitlines():
        name, _, version = line.partition(" ;")[0].partition("==")
        pins.setdefault(name, []).append(version)
    for text in [*project["dependencies"], *project["optional-dependencies"]["dev"]]:
        wanted = Requirement(text)
        assert all(version in wanted.specifier for version in pins[wanted.name]), text
