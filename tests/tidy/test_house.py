"""The repository holds what DESIGN says, nothing private, and imports run one way."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tidy import house
from tests.tidy.house import ROOT, SHARED
from tests.tidy.rules import ROOMS


def contents() -> dict[str, bytes]:
    return {path: (ROOT / path).read_bytes() for path in house.files_of(ROOT)}


def test_the_root_holds_only_the_rooms_and_their_papers() -> None:
    assert not house.strangers_in_root(house.files_of(ROOT))
    assert house.strangers_in_root(["engines/a.py", ".ci/run", "src/a.py", "notes.md"]) == [
        "notes.md",
        "src",
    ]


def test_no_file_names_a_machine_path_a_registry_or_a_download() -> None:
    texts = {path: content.decode("utf-8", "replace") for path, content in contents().items()}
    findings = [found for path, text in texts.items() for found in house.forbidden_text(path, text)]
    assert not findings, "\n" + "\n".join(findings)


@pytest.mark.parametrize(
    "text",
    [
        "/".join(["", "root", "x"]),
        "/".join(["path = '", "home", "ann", "klines'"]),
        "C:" + "\\Users\\ann",
        "see py" + "pi.org",
        "files.python" + "hosted.org",
        "--extra-index" + "-url there",
        "https:/" + "/example.test/a-1.0-py3-none-any.whl",
    ],
)
def test_a_private_or_foreign_address_is_found(text: str) -> None:
    assert list(house.forbidden_text("x", text))


def test_an_ordinary_address_is_left_alone() -> None:
    assert not list(house.forbidden_text("x", "https:/" + "/example.test/home/someone/page.html"))


def test_no_file_is_too_heavy_for_the_repository() -> None:
    findings = [
        found for path, content in contents().items() for found in house.too_heavy(path, content)
    ]
    assert not findings, "\n" + "\n".join(findings)
    assert list(house.too_heavy("tests/golden/a.bin", b"x" * 200_001))
    assert list(house.too_heavy("engines/a.csv", b"1,2\n" * 201))
    assert not list(house.too_heavy("tests/golden/a.csv", b"1,2\n" * 201))


def test_a_copy_of_a_shared_file_is_found(tmp_path: Path) -> None:
    original = tmp_path / "klines.csv"
    original.write_bytes(b"1,2,3\n")
    mine = {"tests/golden/mine.csv": b"1,2,3\n", "engines/other.py": b"1,2,4\n", "empty": b""}
    assert house.copies_of([original], mine) == ["tests/golden/mine.csv"]


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared is absent")
def test_nothing_from_shared_is_committed() -> None:
    assert not house.copies_of(SHARED.rglob("*"), contents())


def test_git_and_the_disk_agree_on_what_is_ours(tmp_path: Path) -> None:
    for path in house.files_of(ROOT):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, tmp_path / path)
    (tmp_path / "engines" / "__pycache__").mkdir()
    (tmp_path / "engines" / "__pycache__" / "a.pyc").touch()
    undotted = {path for path in house.files_of(ROOT) if not path.startswith(".")}
    assert set(house.files_of(tmp_path)) == undotted


def import_contracts(root: Path) -> subprocess.CompletedProcess[str]:
    command = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    return subprocess.run(
        [sys.executable, "-c", command, "--no-cache"], cwd=root, capture_output=True, text=True
    )


def test_imports_run_one_way() -> None:
    outcome = import_contracts(ROOT)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


@pytest.mark.parametrize("line", ["import cluster", "import os", "from pathlib import Path"])
def test_a_wrong_way_or_impure_import_breaks_a_contract(tmp_path: Path, line: str) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for room in ROOMS:
        (tmp_path / room).mkdir()
        (tmp_path / room / "__init__.py").touch()
    (tmp_path / "engines" / "bad.py").write_text(line + "\n")
    outcome = import_contracts(tmp_path)
    assert outcome.returncode == 1, outcome.stdout + outcome.stderr
    assert "engines.bad" in outcome.stdout
