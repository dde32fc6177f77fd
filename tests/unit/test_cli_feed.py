"""`phalanx feed` shows each bar once, keeps the store current, and ends in order."""

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from actors.venue_sim.clock import VenueClock
from actors.venue_sim.listing import Listing
from actors.venue_sim.server import VenueServer
from cluster.history import History
from engines.klines import MINUTE_MS
from engines.live.events import Alert, AlertKind
from engines.series import SeriesKey
from serve.cli import run
from serve.feed_view import LiveTable, document
from tests.contract.serving import serving
from tests.contract.venue_bench import BTC, ETH, START_MS, made_up
from tests.patience import PATIENCE_S

TRUTH = made_up(BTC, 600, MINUTE_MS)
KEY = SeriesKey("sim", BTC, MINUTE_MS)
SINCE = "2025-01-01T00:20"


@pytest.fixture
def venue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[VenueServer]:
    """Serve bars of a minute, two a second; the store is in the test's own folder."""
    monkeypatch.setenv("PHALANX_HISTORY_URL", str(tmp_path / "history"))
    monkeypatch.setenv("PHALANX_DATABASE_URL", f"sqlite:///{tmp_path}/records.db")
    listings = [Listing(BTC, [TRUTH]), Listing(ETH, [made_up(ETH, 600, MINUTE_MS, 3, 3000.0)])]
    with serving(listings, VenueClock(START_MS + 30 * MINUTE_MS, speed=120)) as server:
        yield server


def feed(venue: VenueServer, *arguments: str) -> list[str]:
    return ["feed", BTC, "--interval", "1m", "--venue", venue.url, *arguments]


def test_json_lines_are_the_bars_of_the_venue_and_the_store_has_them(
    venue: VenueServer, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(feed(venue, "--since", SINCE, "--bars", "12", "--json"))
    said = capsys.readouterr()
    assert code == 0, said.err
    found = [json.loads(line) for line in said.out.splitlines()]
    assert [row["close"] for row in found] == TRUTH.close[20:32].tolist()
    assert set(found[0]) >= {"venue", "symbol", "interval", "open_time", "turnover"}
    assert "note: 12 bars of BTC/USDT:USDT" in said.err
    assert "bad kline" not in said.err, "the venue's time was not followed"
    stored = History().read(KEY)
    assert stored.close.tolist() == TRUTH.close[20 : 20 + len(stored)].tolist()


def test_what_is_missing_before_and_between_stored_bars_is_fetched_first(
    venue: VenueServer, capsys: pytest.CaptureFixture[str]
) -> None:
    history = History(now_ms=lambda: START_MS + 40 * MINUTE_MS)
    history.write(KEY, TRUTH.between(22, 24))
    history.write(KEY, TRUTH.between(26, 28))
    code = run(feed(venue, "--since", SINCE, "--bars", "12", "--json"))
    said = capsys.readouterr()
    assert code == 0, said.err
    found = [json.loads(line) for line in said.out.splitlines()]
    assert [row["close"] for row in found] == TRUTH.close[20:32].tolist()


def test_lines_tell_bars_and_longer_ones(
    venue: VenueServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(feed(venue, "--since", SINCE, "--bars", "12", "--longer", "5m")) == 0
    lines = capsys.readouterr().out.splitlines()
    shown = [line for line in lines if " BTC/USDT:USDT 1m " in line]
    longer = [line for line in lines if " BTC/USDT:USDT 5m " in line]
    assert len(shown) + len(longer) == len(lines) == 12
    assert shown[0].startswith("2025-01-01 00:20Z BTC/USDT:USDT 1m open ")
    assert longer[0].startswith("2025-01-01 00:20Z BTC/USDT:USDT 5m open ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["BTCUSDT"], "symbol: expected ccxt's unified form"),
        (["BTX/USDT:USDT"], "did you mean BTC/USDT:USDT"),
        ([BTC, "--longer", "90s"], "--longer: expected a multiple of 1m, found 90s"),
        ([BTC, "--since", "2031-01-01"], "--since: expected a time that has come at the venue"),
        ([BTC, "--since", "now"], "--since: expected a time such as"),
        ([BTC, "--bars", "0"], "--bars"),
    ],
)
def test_what_cannot_be_fed_is_one_sentence(
    arguments: list[str], said: str, venue: VenueServer, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(["feed", *arguments, "--interval", "1m", "--venue", venue.url])
    error = capsys.readouterr().err
    assert code == 2, error
    assert said in error
    assert len(error.splitlines()) == 1


def test_an_interrupt_ends_it_in_order(venue: VenueServer) -> None:
    command = [sys.executable, "-m", "serve.cli", *feed(venue)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    ) as program:
        assert program.stdout is not None
        assert BTC in program.stdout.readline()
        program.send_signal(signal.SIGINT)
        _, error = program.communicate(timeout=PATIENCE_S)
    assert program.returncode == 0, error
    assert error.strip().startswith("note: ")
    assert "Traceback" not in error


def drawn(table: LiveTable) -> str:
    console = Console(width=140, record=True, file=io.StringIO())
    console.print(table.table())
    return console.export_text()


def test_the_table_shows_the_newest_bar_of_each_series_and_the_latest_alerts() -> None:
    other = replace(KEY, symbol=ETH)
    table = LiveTable([KEY, other])
    assert "waiting" in drawn(table)
    table.show(KEY, TRUTH.between(0, 3))
    table.show(KEY, TRUTH.between(3, 4))
    alerts = [Alert(AlertKind.GAP, KEY, f"hole {i}", START_MS) for i in range(7)]
    table.tell(alerts, START_MS + 4 * MINUTE_MS)
    text = drawn(table)
    change = TRUTH.close[3] / TRUTH.close[2] - 1
    for wanted in (
        f"{TRUTH.close[3]:.10g}",
        f"{change:+.2%}",
        "2025-01-01 00:03Z",
        "00:04Z",
        "hole 6",
    ):
        assert wanted in text, text
    assert "hole 1" not in text
    assert ETH in text
    assert text.count("waiting") == 1


def test_a_bar_is_a_document_of_plain_numbers() -> None:
    from engines.live.events import kline_rows

    (bar,) = kline_rows(TRUTH.between(0, 1))
    assert document(KEY, bar)["open_time"] == "2025-01-01 00:00Z"
    assert json.loads(json.dumps(document(KEY, bar)))["open"] == TRUTH.open[0]
