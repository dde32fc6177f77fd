"""`make demo`: a small sweep on Ray, from made-up bars to the report of its best set."""

import json
import re
from pathlib import Path

import pytest

from serve.cli import run


def test_the_demo_sweeps_verifies_and_writes_a_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "demo"
    assert run(["demo", "--out", str(out)]) == 0
    said = capsys.readouterr()
    # Ray may warn before it, on a busy machine.
    assert f"report: {out / 'report.html'}" in said.out.splitlines()
    assert "SYNTHETIC bars from seed" in said.err
    manifest = json.loads((out / "manifest.json").read_text("utf-8"))
    assert manifest["status"] == "complete"
    assert [row["verified"] for row in manifest["best"]] == [True] * 10
    page = (out / "report.html").read_text("utf-8")
    found = re.search(r'id="payload">(.*?)</script>', page)
    assert found is not None
    payload = json.loads(found[1])
    assert payload["is_synthetic"]
    assert payload["trials"] >= payload["counts"]["rows"] == manifest["counts"]["evaluated"]
    assert "backtest report" in (out / "best.html").read_text("utf-8")


def test_a_folder_that_holds_something_else_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert run(["demo", "--out", str(tmp_path)]) == 2
    assert "found other files" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
