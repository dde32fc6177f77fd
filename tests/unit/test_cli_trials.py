"""Commands count their evaluations, and the deflated Sharpe ratio is measured by the count."""

import json
from pathlib import Path
from typing import Any

import pytest

from serve.cli import run
from tests.unit.test_cli import write_bars


@pytest.fixture(autouse=True)
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHALANX_DATABASE_URL", f"sqlite:///{tmp_path / 'ledger.db'}")


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    return write_bars(tmp_path / "TESTUSDT_15m.csv", bars=6000)


def document(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    assert run([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def backtest(capsys: pytest.CaptureFixture[str], bars: Path, *flags: object) -> Any:
    return document(capsys, "backtest", "ema_crossover", "--bars", bars, *flags)["runs"][0]


def test_each_different_run_is_a_trial_and_a_repeated_one_is_none(
    bars: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = [(), ("--set", "fast=7"), (), ("--stop-loss", "1%"), ("--since", "2024-01-10"), ()]
    found = [backtest(capsys, bars, *one)["trials_counted"] for one in flags]
    assert found == [1, 2, 2, 3, 4, 4]


def test_the_same_settings_on_another_market_are_another_trial(
    bars: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = [(), ("--funding", "0.01%"), ("--tick-size", "5"), ("--qty-step", "0.5"), ()]
    found = [backtest(capsys, bars, *one)["trials_counted"] for one in flags]
    assert found == [1, 2, 3, 4, 4]


def test_more_trials_make_the_same_run_less_convincing(
    bars: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = backtest(capsys, bars)["metrics"]["sharpe_deflated_ratio"]
    for fast in (5, 6, 7, 8):
        last = backtest(capsys, bars, "--set", f"fast={fast}")
    again = backtest(capsys, bars)
    assert (last["trials_counted"], again["trials_counted"]) == (5, 5)
    assert again["metrics"]["sharpe_deflated_ratio"] < first


def test_a_preset_is_the_strategy_with_other_values(
    bars: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    backtest(capsys, bars)
    document(capsys, "backtest", "ema_crossover:moderate", "--bars", bars)
    (row,) = document(capsys, "trials")["trials"]
    assert row["strategy"] == "ema_crossover"
    assert row["trials"] <= 2


def test_the_ledger_is_listed(bars: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document(capsys, "backtest", "ema_crossover", "channel_breakout", "--bars", bars)
    backtest(capsys, bars, "--set", "fast=7")
    assert run(["trials", "ema"]) == 0
    header, row = capsys.readouterr().out.splitlines()
    assert header.split() == ["strategy", "bars", "trials", "first", "counted", "by"]
    assert row.split()[0] == "ema_crossover"
    assert "TESTUSDT 15m, 6,000 bars" in row
    assert row.endswith("backtest 2")


def test_a_ledger_that_cannot_be_written_is_said_before_any_work(
    bars: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PHALANX_DATABASE_URL", "sqlite:////dev/null/ledger.db")
    assert run(["backtest", "ema_crossover", "--bars", str(bars)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "PHALANX_DATABASE_URL" in said.err
