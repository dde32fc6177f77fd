"""`--symbol` of backtest against the local server: missing bars are fetched, stored ones trade."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.venue_sim.server import VenueServer
from cluster.history import History
from engines.klines import time_text
from engines.series import SeriesKey
from serve.cli import run
from tests.contract.serving import serving
from tests.contract.venue_bench import BTC, QUARTER_MS, START_MS, listings, standing

KEY = SeriesKey("sim", BTC, QUARTER_MS)


@pytest.fixture(autouse=True)
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    monkeypatch.setenv("PHALANX_HISTORY_URL", str(tmp_path / "history"))
    monkeypatch.setenv("PHALANX_DATABASE_URL", f"sqlite:///{tmp_path / 'phalanx.db'}")
    return History()


@pytest.fixture
def server() -> Iterator[VenueServer]:
    with serving(listings(), standing(2000)) as venue:
        yield venue


def backtest(
    capsys: pytest.CaptureFixture[str], url: str, *flags: str, symbol: str = BTC
) -> tuple[int, dict[str, Any], str]:
    command = ["backtest", "ema_crossover", "--symbol", symbol, "--interval", "15m"]
    code = run([*command, "--venue", url, "--json", *flags])
    said = capsys.readouterr()
    return code, json.loads(said.out)["runs"][0] if said.out else {}, said.err


def range_of(first: int, stop: int) -> tuple[str, ...]:
    since, until = (time_text(START_MS + bar * QUARTER_MS) for bar in (first, stop))
    return ("--since", since, "--until", until)


def test_missing_bars_are_fetched_once_and_trade_without_a_network_then(
    server: VenueServer, history: History, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = (*range_of(1200, 1900), "--warm-up", "400")
    code, first, err = backtest(capsys, server.url, *flags)
    assert code == 0, err
    assert "1,100 bars of sim BTC/USDT:USDT 15m fetched" in err
    assert first["klines"]["bars"] == 1100
    # The rules are those that the venue lists, and nothing about them is guessed.
    assert "inferred" not in err
    assert "assumed" not in err
    seen = len(server.core.seen)
    code, again, _ = backtest(capsys, server.url, *flags)
    assert (code, len(server.core.seen)) == (0, seen)
    assert again["trades"] == first["trades"]
    file = tmp_path / "BTCUSDT.csv"
    export = ["data", "export", BTC, "--interval", "15m", "--venue", "sim", "--to", str(file)]
    assert run(export) == 0
    of_file = ["backtest", "ema_crossover", "--bars", str(file), "--since", flags[1], "--json"]
    rules = ("tick_size", "qty_step", "point_value")
    for name in rules:
        of_file += [f"--{name.replace('_', '-')}", str(first["instrument"][name])]
    capsys.readouterr()
    assert run(of_file) == 0
    by_file = json.loads(capsys.readouterr().out)["runs"][0]
    assert by_file["klines"]["sha256"] == first["klines"]["sha256"]
    assert by_file["trades"] == first["trades"]


def test_without_a_network_it_is_said_what_is_missing_and_what_trades(
    server: VenueServer, history: History, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, _ = backtest(capsys, server.url, *range_of(500, 1000), "--warm-up", "0")
    assert code == 0
    nowhere = "http://127.0.0.1:9"
    code, _, err = backtest(capsys, nowhere, *range_of(500, 1500), "--warm-up", "0")
    assert code == 2
    assert "which trade without a venue; not fetched: " in err
    assert err.count("\n") == 1
    code, _, _ = backtest(capsys, nowhere, *range_of(500, 1000), "--warm-up", "0")
    assert code == 0


def test_a_symbol_that_the_venue_does_not_have_is_no_other_one(
    server: VenueServer, history: History, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = backtest(capsys, server.url, *range_of(500, 600), symbol="BTC/USD:USDT")
    assert code == 2
    assert "did you mean BTC/USDT:USDT" in err
    assert history.keys() == []
