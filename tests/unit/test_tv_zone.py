"""Real lists are read in full, and their time zone is found by laying them on the bars."""

import csv
import io
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from cluster.kline_files import read_klines
from cluster.tv_export import locate, read_trade_list
from engines.errors import TradeListFault
from engines.klines import HOUR_MS, Klines
from engines.resample import aggregate
from engines.synthetic import synthetic_klines

TRUTH = Path(__file__).resolve().parents[2].parent / "shared" / "truth"
needs_truth = pytest.mark.skipif(not TRUTH.is_dir(), reason="../shared/truth is absent")
NOW_MS = 1_893_456_000_000
HEADER = ("Trade #", "Type", "Date and time", "Signal", "Price USDT", "Size (qty)")


def written(folder: Path, rows: Sequence[Sequence[str]]) -> Path:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([HEADER, *rows])
    path = folder / "list.csv"
    path.write_text(out.getvalue(), encoding="utf-8")
    return path


def listed_on(klines: Klines, zone: str, count: int = 60) -> list[list[str]]:
    """Return a list of fills at opens of bars, written in the wall clock of a zone."""
    rng = np.random.default_rng(5)
    bars = np.sort(rng.choice(len(klines), size=2 * count, replace=False))
    rows = []
    for i in range(count):
        for word, bar in (("Entry long", bars[2 * i]), ("Exit long", bars[2 * i + 1])):
            moment = datetime.fromtimestamp(int(klines.open_time_ms[bar]) / 1000, ZoneInfo(zone))
            price = f"{klines.open[bar]:.10g}"
            rows.append([str(i + 1), word, f"{moment:%Y-%m-%d %H:%M}", "x", price, "1"])
    return rows


@pytest.mark.parametrize(
    "zone", ["UTC", "Europe/Moscow", "Asia/Kolkata", "America/New_York", "Europe/Berlin"]
)
def test_zone_is_found_from_the_bars(tmp_path: Path, zone: str) -> None:
    klines = synthetic_klines(365 * 24, HOUR_MS, seed=3)
    path = written(tmp_path, listed_on(klines, zone))
    found = read_trade_list(path, klines=klines)
    opens = set(klines.open_time_ms.tolist())
    assert all(trade.entry_time_ms in opens for trade in found.trades)
    prices = dict(zip(klines.open_time_ms.tolist(), klines.open.tolist(), strict=True))
    assert all(prices[trade.entry_time_ms] == trade.entry_price for trade in found.trades)


def test_list_of_another_symbol_is_told_so(tmp_path: Path) -> None:
    klines = synthetic_klines(2000, HOUR_MS, seed=3)
    other = synthetic_klines(2000, HOUR_MS, seed=4)
    path = written(tmp_path, listed_on(other, "UTC"))
    with pytest.raises(TradeListFault, match="another symbol or time zone") as caught:
        read_trade_list(path, klines=klines)
    assert "of 120 prices inside their bars under the best" in str(caught.value)


def test_zone_that_two_offsets_fit_is_no_answer(tmp_path: Path) -> None:
    flat = np.full(200, 5.0)
    start_ms = round(datetime(2025, 1, 1, tzinfo=UTC).timestamp() * 1000)
    times = start_ms + HOUR_MS * np.arange(200, dtype=np.int64)
    klines = Klines("X", HOUR_MS, times, flat, flat, flat, flat, flat)
    rows = [
        ["1", "Entry long", "2025-01-05 00:00", "x", "5", "1"],
        ["1", "Exit long", "2025-01-05 05:00", "x", "5", "1"],
    ]
    found = read_trade_list(written(tmp_path, rows))
    with pytest.raises(TradeListFault, match="expected one that fits, found both"):
        locate(found, klines)


def two_row_lists() -> list[Path]:
    return sorted([*TRUTH.glob("tv_eurusd_1h/*trades*.csv"), *TRUTH.glob("tv_bybit_rsi/*/a4.csv")])


def one_row_lists() -> list[Path]:
    return sorted(
        [*TRUTH.glob("tv_ethusdt_15m/trades/*.csv"), *TRUTH.glob("tv_bybit_rsi/trades*.csv")]
    )


@needs_truth
def test_every_list_of_the_truth_is_read_in_full() -> None:
    assert len(two_row_lists()) >= 10
    assert len(one_row_lists()) >= 30
    for rows_a_trade, paths in ((2, two_row_lists()), (1, one_row_lists())):
        for path in paths:
            lines = path.read_text(encoding="utf-8").strip().splitlines()
            found = read_trade_list(path).trades
            assert len(found) * rows_a_trade == len(lines) - 1, path.name
            assert all(t.pnl and t.mfe and t.mae and t.cumulative for t in found), path.name


@needs_truth
def test_export_in_moscow_time_is_the_table_in_utc() -> None:
    bars = read_klines(
        sorted((TRUTH / "bybit_klines/linear_15m").glob("ETHUSDT*.csv")), "ETH", None, NOW_MS
    ).klines
    end_ms = int(bars.open_time_ms[-1])
    listed = read_trade_list(next(TRUTH.glob("tv_bybit_rsi/*/a4.csv")))
    table = read_trade_list(TRUTH / "tv_bybit_rsi" / "trades_ETHUSDT.P_30m_154.csv")
    early = [t for t in listed.trades if (t.exit_time_ms or 0) < end_ms]
    assert len(early) > 100
    part = type(listed)(tuple(early), None, True, ())
    found = locate(part, aggregate(bars, 30 * 60_000))
    for mine, theirs in zip(found.trades, table.trades, strict=False):
        assert (mine.entry_time_ms, mine.exit_time_ms) == (
            theirs.entry_time_ms,
            theirs.exit_time_ms,
        )
        assert (mine.side, mine.qty, mine.pnl) == (theirs.side, theirs.qty, theirs.pnl)


def test_days_of_a_daily_chart_fall_on_their_bars(tmp_path: Path) -> None:
    klines = aggregate(synthetic_klines(24 * 300, HOUR_MS, seed=3), 24 * HOUR_MS)
    rows = [[*row[:2], row[2][:10], *row[3:]] for row in listed_on(klines, "UTC")]
    found = read_trade_list(written(tmp_path, rows), klines=klines)
    prices = dict(zip(klines.open_time_ms.tolist(), klines.open.tolist(), strict=True))
    assert all(prices[trade.entry_time_ms] == trade.entry_price for trade in found.trades)
