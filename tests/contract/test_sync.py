"""`phalanx data sync` and `data repair` against the local server: what is stored is the venue's."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.venue_sim.clock import VenueClock
from actors.venue_sim.faults import REPLY_KINDS, FaultKind
from actors.venue_sim.listing import Listing
from actors.venue_sim.server import VenueServer
from cluster.history import History
from engines.klines import DAY_MS, HOUR_MS, Klines
from engines.series import PriceKind, SeriesKey
from serve.cli import run
from tests.contract.serving import serving
from tests.contract.venue_bench import (
    BTC,
    QUARTER_MS,
    START_MS,
    listings,
    made_up,
    made_up_funding,
    made_up_mark,
    standing,
)
from tests.parity.truth import AFTER_ALL_MS, KLINES_FOLDER, bars, needs_truth

KEY = SeriesKey("sim", BTC, QUARTER_MS)
COLUMNS = ("open", "high", "low", "close", "volume")
ROUTE = "/v5/market/kline"
Command = Callable[..., tuple[int, dict[str, Any], str]]


@pytest.fixture(autouse=True)
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    """Give every test a history and a database of its own."""
    monkeypatch.setenv("PHALANX_HISTORY_URL", str(tmp_path / "history"))
    monkeypatch.setenv("PHALANX_DATABASE_URL", f"sqlite:///{tmp_path / 'phalanx.db'}")
    return History(str(tmp_path / "history"))


@pytest.fixture
def phalanx(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run `phalanx data ...` and return its exit code, its JSON and what it said."""

    def command(*arguments: str) -> tuple[int, dict[str, Any], str]:
        code = run(["data", *arguments, "--json"])
        said = capsys.readouterr()
        return code, json.loads(said.out) if said.out else {}, said.err

    return command


@pytest.fixture
def server() -> Iterator[VenueServer]:
    """Serve made-up markets of 3,000 quarter-hours at a time when 2,000 have passed."""
    with serving(listings(), standing(2000)) as venue:
        yield venue


def same(stored: Klines, expected: Klines) -> bool:
    """Return whether two series hold the same bars, bit by bit."""
    return np.array_equal(stored.open_time_ms, expected.open_time_ms) and all(
        np.array_equal(getattr(stored, name), getattr(expected, name)) for name in COLUMNS
    )


def asked(venue: VenueServer, route: str = ROUTE) -> int:
    """Return how many requests of a route the server has seen."""
    return sum(seen.path == route for seen in venue.core.seen)


# --- real bars


def as_file(klines: Klines, like: str) -> str:
    """Return bars written with the decimals of each cell of a file."""
    header, *lines = like.splitlines()
    written = [header]
    columns = [getattr(klines, name).tolist() for name in COLUMNS]
    rows = zip(klines.open_time_ms.tolist(), *columns, strict=True)
    for row, line in zip(rows, lines, strict=True):
        decimals = [len(cell.partition(".")[2]) for cell in line.split(",")]
        written.append(",".join(f"{x:.{n}f}" for x, n in zip(row, decimals, strict=True)))
    return "\n".join(written) + "\n"


@needs_truth
def test_two_years_of_real_bars_through_faults_are_the_files_byte_for_byte(
    phalanx: Command, history: History
) -> None:
    files = sorted((KLINES_FOLDER / "linear_15m").glob("BTCUSDT_15m_*.csv"))
    truth = bars(*files, symbol=BTC)
    until_ms = int(truth.open_time_ms[-1]) + QUARTER_MS
    clock = VenueClock(until_ms - 30 * DAY_MS, speed=0)
    with serving([Listing(BTC, [truth])], clock, seed=3) as server:
        server.faults.at_random(0.1, sorted(REPLY_KINDS), where="/v5/market")
        command = ("sync", BTC, "--interval", "15m", "--since", "2023-11-01", "--venue", server.url)
        code, found, _ = phalanx(*command)
        assert code == 0
        assert found["series"][0]["added"] == len(truth) - 30 * 96
        assert server.faults.counts.total() >= 5
        assert found["series"][0]["repeated"] >= 1

        server.faults.clear()
        clock.advance(30 * DAY_MS)
        before = asked(server)
        code, found, _ = phalanx(*command)
        assert (code, found["series"][0]["added"]) == (0, 30 * 96)
        assert found["series"][0]["checked"] == 12
        assert asked(server) - before <= 4, "the tail alone, by months"

    stored = history.read(KEY)
    assert same(stored, truth)
    at = 0
    for file in files:
        text = file.read_text()
        count = text.count("\n") - 1
        assert as_file(stored.between(at, at + count), text) == text
        at += count
    assert at == len(stored)


@needs_truth
def test_a_sync_that_is_killed_goes_on_where_it_was(
    phalanx: Command, history: History, tmp_path: Path
) -> None:
    truth = bars(KLINES_FOLDER / "linear_15m" / "BTCUSDT_15m_2024.csv", symbol=BTC)
    clock = VenueClock(AFTER_ALL_MS, speed=0)
    with serving([Listing(BTC, [truth])], clock) as server:
        server.faults.delay_ms = 400
        server.faults.at_random(1.0, [FaultKind.DELAY], where=ROUTE)
        command = ["data", "sync", BTC, "--interval", "15m", "--venue", server.url]
        command += ["--since", "2024-01-01", "--until", "2025-01-01"]
        code = f"import sys; from serve.cli import run; sys.exit(run({command!r}))"
        program = subprocess.Popen([sys.executable, "-c", code])
        while not list((tmp_path / "history").rglob("*.parquet")):
            assert program.poll() is None, "it ended before it could be killed"
            time.sleep(0.01)
        os.kill(program.pid, signal.SIGKILL)
        assert program.wait() == -signal.SIGKILL

        partly = history.read(KEY)
        assert 0 < len(partly) < len(truth)
        assert same(partly, truth.between(0, len(partly)))
        server.faults.clear()
        code_, found, _ = phalanx(*command[1:])
        assert (code_, found["series"][0]["added"]) == (0, len(truth) - len(partly))
        # The server's own count would hold what the killed program had still under way.
        assert found["series"][0]["pages"] < 12 * 3, "whole months are not fetched again"
    assert same(history.read(KEY), truth)


# --- made-up bars


def sync(phalanx: Command, server: VenueServer, *flags: str) -> tuple[int, dict[str, Any], str]:
    """Sync a quarter-hour series from its first bar on."""
    where = ("--interval", "15m", "--venue", server.url, "--since", "2025-01-01")
    return phalanx("sync", BTC, *where, *flags)


def test_without_a_symbol_all_that_is_stored_is_brought_up_to_date(
    phalanx: Command, history: History, server: VenueServer
) -> None:
    code, found, _ = sync(phalanx, server, "--funding")
    assert code == 0
    assert [row["series"] for row in found["series"]] == [
        "sim BTC/USDT:USDT 15m",
        "funding of sim BTC/USDT:USDT",
    ]
    server.clock.advance(10 * DAY_MS)
    code, found, _ = phalanx("sync", "--venue", server.url)
    assert code == 0
    assert [row["added"] for row in found["series"]] == [960, 30]
    assert same(history.read(KEY), made_up(BTC).between(0, 2960))
    funding = history.read_funding("sim", BTC)
    assert np.array_equal(funding.rate, made_up_funding().rate[: len(funding.rate)])


def test_one_series_that_cannot_be_fetched_does_not_keep_the_others_from_their_turn(
    phalanx: Command, history: History, server: VenueServer
) -> None:
    sync(phalanx, server)
    gone = replace(made_up(BTC, 10), symbol="AAA/USDT:USDT")
    for part in (gone.between(0, 4), gone.between(6, 10)):
        history.write(replace(KEY, symbol=gone.symbol), part)
    server.clock.advance(DAY_MS)
    for command in ("sync", "repair"):
        code, found, _ = phalanx(command, "--venue", server.url)
        assert code == 2
        assert [row["series"] for row in found["series"]] == ["sim BTC/USDT:USDT 15m"]
        assert list(found["failed"]) == ["sim AAA/USDT:USDT 15m"]
    assert len(history.read(KEY)) == 2096


def test_marks_of_an_hour_are_their_own_series(
    phalanx: Command, history: History, server: VenueServer
) -> None:
    flags = ("--interval", "1h", "--mark", "--since", "2025-01-01", "--venue", server.url)
    assert phalanx("sync", BTC, *flags)[0] == 0
    mark = history.read(SeriesKey("sim", BTC, HOUR_MS, PriceKind.MARK))
    made = made_up_mark(3000).between(0, 500)
    assert np.array_equal(mark.close, made.close)
    assert not mark.volume.any()


def test_a_late_correction_is_flagged_and_kept_until_it_is_accepted(
    phalanx: Command, history: History, server: VenueServer
) -> None:
    sync(phalanx, server)
    tape = server.core.market.find("linear", "BTCUSDT").base_tape
    at_ms = START_MS + 1995 * QUARTER_MS
    bar = tape.at(tape.index_of(at_ms), server.clock.now_ms())
    tape.correct(at_ms, bar._replace(volume=bar.volume + 1))
    code, found, _ = sync(phalanx, server)
    assert (code, found["series"][0]["corrected"]) == (1, 1)
    assert history.read(KEY).volume[1995] == bar.volume, "never rewritten in silence"
    code, found, _ = phalanx("repair", "--venue", server.url)
    assert (code, found["series"][0]["open"]) == (1, 1)
    code, found, _ = phalanx("repair", "--venue", server.url, "--accept")
    assert (code, found["series"][0]["accepted"]) == (0, 1)
    assert history.read(KEY).volume[1995] == bar.volume + 1
    assert phalanx("repair", "--venue", server.url)[1]["series"][0]["open"] == 0


def spiked(klines: Klines, at: int) -> Klines:
    """Return bars of which one runs away and comes back."""
    high = klines.high.copy()
    high[at] *= 1.5
    return replace(klines, high=high)


def test_a_spike_is_rejected_counted_and_shown_and_can_be_accepted(
    phalanx: Command, history: History
) -> None:
    made = spiked(made_up(BTC), 500)
    with serving([Listing(BTC, [made])], standing(2000)) as server:
        code, found, _ = sync(phalanx, server)
        row = found["series"][0]
        assert (code, row["added"], row["rejected"]) == (1, 1999, {"2025-01-06 05:00Z": "spike"})
        assert len(history.gaps(KEY)) == 1
        before = asked(server)
        assert sync(phalanx, server)[1]["series"][0]["added"] == 0
        assert asked(server) - before == 1, "what is known to be wrong is not asked for again"
        assert phalanx("repair", "--venue", server.url)[1]["series"][0]["filled"] == 0
        code, found, _ = phalanx("repair", "--venue", server.url, "--accept")
        assert (code, found["series"][0]["filled"]) == (0, 1)
    assert same(history.read(KEY), made.between(0, 2000))


def test_what_the_venue_does_not_have_is_told_and_not_asked_for_again(
    phalanx: Command, history: History
) -> None:
    made = made_up(BTC)
    held = np.ones(len(made), dtype=bool)
    held[700:800] = False
    columns = {name: getattr(made, name)[held] for name in ("open_time_ms", *COLUMNS)}
    gappy = Klines.of_columns(BTC, QUARTER_MS, columns)
    with serving([Listing(BTC, [gappy])], standing(2000)) as server:
        code, found, _ = sync(phalanx, server)
        assert (code, found["series"][0]["absent"]) == (0, 100)
        before = asked(server)
        assert sync(phalanx, server)[1]["series"][0]["absent"] == 100
        assert asked(server) - before == 1
        assert phalanx("repair", "--venue", server.url)[0] == 0
    assert same(history.read(KEY), gappy.between(0, 1900))


def test_a_damaged_month_is_named_and_repaired(
    phalanx: Command, history: History, server: VenueServer, tmp_path: Path
) -> None:
    sync(phalanx, server)
    file = next((tmp_path / "history").rglob("2025-01.parquet"))
    whole = file.read_bytes()
    file.write_bytes(whole[:1000] + bytes(8) + whole[1008:])
    code, _, said = sync(phalanx, server)
    assert code == 2
    assert "2025-01.parquet" in said
    assert "phalanx data repair" in said
    code, found, _ = phalanx("repair", "--venue", server.url)
    assert (code, found["series"][0]["months"]) == (0, {"2025-01": 2000})
    assert file.read_bytes() == whole
    assert same(history.read(KEY), made_up(BTC).between(0, 2000))


def test_a_run_that_lacks_bars_says_what_kept_them_away(
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["backtest", "rsi_mean_reversion", "--symbol", BTC, "--interval", "15m"]
    assert run([*command, "--since", "2025-01-11", "--until", "2025-01-20"]) == 2
    said = capsys.readouterr().err
    assert "not fetched: time of bybit: expected an answer" in said
    assert "without a network" in said


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["BTC/USDC:USDT", "--interval", "15m"], "did you mean BTC/USDT:USDT"),
        (["BTCUSDT", "--interval", "15m"], "ccxt's unified form"),
        ([BTC, "--interval", "7m"], "expected one of 1m, 3m, 5m, 15m"),
        ([BTC, "--interval", "15x"], "a count and a unit"),
        ([BTC], "--interval: expected"),
        ([BTC, "--interval", "15m", "--since", "2031-01-01"], "a time before now"),
        (
            [BTC, "--interval", "15m", "--until", "2024-06-01"],
            "--until: expected a time after 2025",
        ),
        (["BTC/USDT", "--funding"], "a perpetual, found a spot market"),
        (["BTC/USDT", "--mark", "--interval", "1h"], "a perpetual, found a spot market"),
        (["--funding"], "SYMBOL: expected one"),
    ],
)
def test_bad_input_is_one_sentence(
    phalanx: Command, server: VenueServer, arguments: list[str], sentence: str
) -> None:
    code, _, said = phalanx("sync", *arguments, "--venue", server.url)
    assert code == 2
    assert sentence in said
    assert said.count("\n") == 1


def test_where_bars_begin_if_nothing_is_said_is_one_setting(
    phalanx: Command, server: VenueServer, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("sync", BTC, "--interval", "15m", "--venue", server.url)
    monkeypatch.setenv("PHALANX_HISTORY_SINCE", "2999-01-01")
    code, _, said = phalanx(*command)
    assert code == 2
    assert "--since: expected a time before now" in said
    monkeypatch.setenv("PHALANX_HISTORY_SINCE", "2025-01-11")
    assert phalanx(*command)[0] == 0
    assert history.span(KEY) == (START_MS + 10 * DAY_MS, START_MS + 1999 * QUARTER_MS)


@pytest.mark.parametrize(
    ("venue", "sentence"),
    [
        ("http://127.0.0.1:9", "what is stored can be backtested, swept and checked without"),
        ("ftp://127.0.0.1", "address of the venue: expected one such as http://"),
        ("kraken", "venue: expected bybit, binance, sim, or the address of a local server"),
    ],
)
def test_a_venue_that_cannot_be_asked_is_one_sentence(
    phalanx: Command, venue: str, sentence: str
) -> None:
    code, _, said = phalanx("sync", BTC, "--interval", "15m", "--venue", venue)
    assert code == 2
    assert sentence in said
