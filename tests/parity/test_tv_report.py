"""TradingView's own report, cell by cell, computed from its list of trades.

The bars that are at hand end with 2025 and begin again six days before the export's end; the 52
days between hold 21 of the 154 trades. There the bars of this test are straight lines between the
fills, which leaves every cell alone but those that value positions at closes: margin used and what
contains it. Those are bounded instead, by what the listed excursions allow.
"""

import csv
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

import numpy as np
import pytest

from cluster.kline_files import read_klines
from cluster.tv_export import read_trade_list
from cluster.tv_report import ListedReport, read_report
from engines.backtest import Backtest
from engines.costs import Costs
from engines.instrument import Instrument
from engines.klines import PRICE_COLUMNS, Klines
from engines.listed_run import listed_run
from engines.metrics.measure import measure
from engines.metrics.table import TRADINGVIEW
from engines.parity import ListedTrade
from engines.plan import Plan
from engines.report_parity import ReportMatch, Verdict, compare_report
from engines.resample import aggregate
from tests.parity.truth import AFTER_ALL_MS, BYBIT_FOLDER, KLINES_FOLDER, needs_truth

EXPORT = BYBIT_FOLDER / "tradingview_export_ETHUSDT.P"
SHEETS = tuple(EXPORT / f"a{number}.csv" for number in (1, 2, 3))
HALF_HOUR_MS = 1_800_000
SINCE_MS = round(datetime(2025, 1, 1, tzinfo=UTC).timestamp() * 1000)
UNTIL_MS = round(datetime(2026, 2, 27, 21, tzinfo=UTC).timestamp() * 1000)
# Margin needs closes of January 2026; the other four contain it.
NEED_MISSING_BARS = {
    "margin_used_quote_mean",
    "margin_used_quote_max",
    "account_size_quote",
    "return_on_account_size_ratio",
    "return_on_account_size_ratio_short",
    "margin_efficiency_long",
}
HELD_TO_THE_EXPORT = {
    "buy_and_hold_quote",
    "buy_and_hold_ratio",
    "buy_and_hold_return_ratio",
    "outperformance_quote",
}

pytestmark = needs_truth


@dataclass(frozen=True)
class Known:
    """The bars of the whole range, and which of them are real [T]."""

    klines: Klines
    is_real: np.ndarray


@cache
def listed() -> tuple[ListedTrade, ...]:
    return read_trade_list(EXPORT / "a4.csv", "Europe/Moscow").trades


@cache
def report() -> ListedReport:
    return read_report(SHEETS)


@cache
def known() -> Known:
    year = KLINES_FOLDER / "linear_15m" / "ETHUSDT_15m_2025.csv"
    early = aggregate(read_klines([year], "ETHUSDT", None, AFTER_ALL_MS).klines, HALF_HOUR_MS)
    chart = read_klines([EXPORT / "BYBIT_ETHUSDT.P, 30.csv"], "ETHUSDT", None, AFTER_ALL_MS).klines
    late = chart.between(0, chart.index_at(UNTIL_MS))
    start, stop = int(early.close_time_ms[-1]), int(late.open_time_ms[0])
    missing = np.arange(start, stop, HALF_HOUR_MS)
    points = {start - HALF_HOUR_MS: float(early.close[-1]), stop: float(late.open[0])}
    for trade in listed():
        assert trade.exit_time_ms is not None and trade.exit_price is not None
        points[trade.entry_time_ms] = trade.entry_price
        points[trade.exit_time_ms] = trade.exit_price
    inside = {time: points[time] for time in sorted(points) if start <= time + 1 <= stop + 1}
    line = np.interp(missing, list(inside), list(inside.values()))
    prices = [
        np.concatenate((getattr(early, name), line, getattr(late, name))) for name in PRICE_COLUMNS
    ]
    volume = np.ones(len(line) + len(early) + len(late))
    times = np.concatenate((early.open_time_ms, missing, late.open_time_ms))
    o, h, low, c = prices
    klines = Klines("ETHUSDT", HALF_HOUR_MS, times, o, h, low, c, volume)
    return Known(klines, (times < start) | (times >= stop))


@cache
def run() -> Backtest:
    return listed_run(
        listed(),
        known().klines,
        Instrument("ETHUSDT", tick_size=0.01, qty_step=0.0001),
        Plan(capital_quote=10_000.0),
        Costs(commission=0.0007),
        since_ms=SINCE_MS,
    )


@cache
def match() -> ReportMatch:
    return compare_report(report().cells, measure(run()), run())


def listed_value(name: str) -> float:
    (cell,) = (cell for cell in match().cells if cell.metric.name == name)
    return float(cell.listed.split(" ")[0])


def test_the_table_has_one_metric_for_each_filled_cell_of_the_report() -> None:
    filled = 0
    for sheet in SHEETS:
        with sheet.open(encoding="utf-8-sig", newline="") as lines:
            rows = list(csv.reader(lines, delimiter=";"))[1:]
        filled += sum(bool(cell.strip()) for row in rows for cell in row[1:])
    assert filled == len(TRADINGVIEW) == 145
    places = {(cell.row, cell.column, cell.side) for cell in report().cells}
    ours = {(m.cell.row, m.cell.column, m.side) for m in TRADINGVIEW if m.cell is not None}
    assert places == ours
    assert len(places) == 145
    assert report().unknown_rows == ()


def test_135_cells_are_equal_to_the_shown_digit() -> None:
    different = {c.metric.name for c in match().cells if c.verdict is Verdict.DIFFERENT}
    unexplained = {c.metric.name for c in match().cells if c.verdict is Verdict.UNEXPLAINED}
    assert different == NEED_MISSING_BARS
    assert unexplained == HELD_TO_THE_EXPORT
    assert match().count(Verdict.EQUAL) == 135


def test_the_margin_cells_lie_where_the_listed_excursions_allow() -> None:
    """Only the closes of the missing bars are unknown; each trade's MFE and MAE bound them."""
    klines, is_real = known().klines, known().is_real
    used = np.zeros((2, len(klines)))
    for trade, ours in zip(listed(), run().trades, strict=True):
        bars = slice(ours.entry_bar, ours.exit_bar)
        swing = (ours.mfe_quote + ours.fee_entry_quote, ours.mae_quote)
        best, worst = (
            trade.entry_price + sign * trade.side * amount / trade.qty
            for sign, amount in zip((1, -1), swing, strict=True)
        )
        for row, bound in zip(used, sorted((best, worst)), strict=True):
            row[bars] = trade.qty * np.where(is_real[bars], klines.close[bars], bound)
    first = klines.index_at(SINCE_MS)
    low, high = used[:, first:].mean(axis=1)
    assert low < listed_value("margin_used_quote_mean") < high
    assert high - low < 15.0
    assert used[0].max() < listed_value("margin_used_quote_max") < used[1].max()


def test_what_contains_the_margin_follows_from_the_listed_margin() -> None:
    found, mean = measure(run()), listed_value("margin_used_quote_mean")
    for suffix in ("", "_long", "_short"):
        efficiency = mean / found[f"net_profit_quote{suffix}"]
        assert round(efficiency, 2) == listed_value(f"margin_efficiency{suffix}")
        on_size = 100 * found[f"net_profit_quote{suffix}"] / listed_value("account_size_quote")
        assert round(on_size, 2) == listed_value(f"return_on_account_size_ratio{suffix}")
    size = listed_value("margin_used_quote_max") + found["drawdown_quote_max"]
    assert size == pytest.approx(listed_value("account_size_quote"), abs=0.01)


def test_the_excursions_found_on_the_bars_are_the_listed_ones() -> None:
    real = known().is_real
    exact = [
        (trade, ours)
        for trade, ours in zip(listed(), run().trades, strict=True)
        if real[ours.entry_bar : ours.exit_bar + 1].all()
    ]
    assert len(exact) == 133
    for trade, ours in exact:
        assert trade.mae is not None and trade.mfe is not None
        assert ours.mae_quote == pytest.approx(abs(trade.mae.value), abs=0.005001)
        assert ours.mfe_quote == pytest.approx(trade.mfe.value, abs=0.005001)
    refined = sum(ours.mae_quote != abs(t.mae.value) for t, ours in exact if t.mae is not None)
    assert refined == 133
