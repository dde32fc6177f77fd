"""What the terminal shows of one run and of several."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from engines.report_headline import COMPARED
from serve.output import print_runs
from tests.unit.test_report import KLINES, run_of


def shown(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_one_run_is_shown_in_lines(capsys: pytest.CaptureFixture[str]) -> None:
    print_runs([run_of()], Path("there"), json=False)
    lines = shown(capsys)
    assert lines[0] == "ema_crossover (fast=9)"
    assert "SYNTHETIC bars: SYNTHETIC, 15m, 1,500 bars" in lines[1]
    assert lines[-1] == "report: there/report.html"


def test_several_runs_are_one_table_a_row_each(capsys: pytest.CaptureFixture[str]) -> None:
    run = run_of()
    runs = [run, run_of(name="other"), replace(run, parameters={"fast": 12})]
    print_runs(runs, None, json=False)
    lines = shown(capsys)
    assert lines[0].startswith("SYNTHETIC bars: ")
    head = next(line for line in lines if line.startswith("run "))
    assert all(heading.lower() in head for _, heading, _ in COMPARED)
    table = lines[lines.index(head) + 1 :][:3]
    labels = ["ema_crossover (fast=9)", "other", "ema_crossover (fast=12)"]
    assert [row.startswith(label) for row, label in zip(table, labels, strict=True)] == [True] * 3
    assert f"{run.metrics['net_profit_quote']:,.2f}" in table[0]
    assert f"{run.metrics['win_ratio']:.2%}" in table[1]
    assert {len(row.split("  ")) > len(COMPARED) for row in table} == {True}


def test_what_is_undefined_is_a_dash_and_runs_on_other_bars_are_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    short = run_of(KLINES.between(0, 8))
    print_runs([short, run_of(replace(KLINES, symbol="ETHUSDT"))], None, json=False)
    lines = shown(capsys)
    assert "8 bars" in lines[0]
    assert lines[1].startswith("ETHUSDT, 15m, 1,500 bars")
    row = next(line for line in lines if line.startswith("ema_crossover SYNTHETIC"))
    assert row.split().count("-") >= 3
    assert "nan" not in row


def test_a_terminal_shows_the_best_in_bold_and_a_file_none(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of()
    better = replace(run, strategy="better", metrics={**run.metrics, "net_profit_quote": 12_345.0})
    print_runs([run, better], None, json=False)
    assert "\x1b" not in capsys.readouterr().out
    monkeypatch.setenv("FORCE_COLOR", "1")
    print_runs([run, better], None, json=False)
    assert re.search(r"\x1b\[1m +12,345.00\x1b", capsys.readouterr().out)


def test_json_holds_the_same_runs(capsys: pytest.CaptureFixture[str]) -> None:
    print_runs([run_of(), run_of(name="other")], None, json=True)
    runs = json.loads(capsys.readouterr().out)["runs"]
    assert [run["label"] for run in runs] == ["ema_crossover", "other"]
