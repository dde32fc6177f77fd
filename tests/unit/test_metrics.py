"""The summary by hand, and on a list whose report TradingView exported."""

import csv
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from engines.backtest import run_backtest
from engines.costs import Costs
from engines.instrument import Instrument
from engines.metrics.ratios import daily_returns, monthly_returns, sharpe, sortino
from engines.metrics.summary import (
    cagr_ratio,
    closed_drawdown_quote_max,
    drawdown_quote,
    exposure_ratio,
    summarize,
)
from engines.metrics.trade_figures import trade_figures
from engines.plan import Plan
from engines.synthetic import synthetic_klines
from engines.trades import Side, Trade
from strategies.channel_breakout import ChannelBreakout
from strategies.ema_crossover import EmaCrossover

TRUTH = Path(__file__).resolve().parents[2].parent / "shared" / "truth"
EXPORT = TRUTH / "tv_bybit_rsi" / "tradingview_export_ETHUSDT.P"
DAY_MS = 86_400_000
JANUARY_MS = 1_735_689_600_000  # 2025-01-01T00:00Z


def trade_of(
    pnl: float, *, entry_bar: int = 0, exit_bar: int = 1, exit_ms: int = JANUARY_MS, fee: float = 0
) -> Trade:
    return Trade(
        side=Side.BUY, qty=1.0, entry_bar=entry_bar, entry_time_ms=JANUARY_MS, entry_price=100.0,
        entry_name="in", exit_bar=exit_bar, exit_time_ms=exit_ms, exit_price=100.0 + pnl,
        exit_name="out", pnl_quote=pnl, pnl_ratio=pnl / 100.0, fee_quote=fee, fee_entry_quote=0.0,
        mfe_quote=0.0, mfe_ratio=0.0, mae_quote=0.0, mae_ratio=0.0, cumulative_quote=0.0,
    )  # fmt: skip  # twenty fields of no interest


def test_trade_figures_add_up_by_hand() -> None:
    trades = [trade_of(pnl, exit_bar=bar, fee=1.0) for pnl, bar in ((30, 2), (-10, 4), (-5, 0))]
    figures = trade_figures([*trades, trade_of(0.0, exit_bar=5), trade_of(10, exit_bar=9)])
    assert (figures.trades, figures.wins, figures.losses) == (5, 2, 2)
    assert figures.net_profit_quote == 25
    assert (figures.gross_profit_quote, figures.gross_loss_quote) == (40, 15)
    assert figures.profit_factor == pytest.approx(40 / 15)
    assert figures.win_ratio == pytest.approx(0.4)
    assert figures.expectancy_quote == 5
    assert (figures.win_max_quote, figures.loss_max_quote) == (30, 10)
    assert figures.losses_in_a_row_max == 2
    assert figures.bars_held_mean == (3 + 5 + 1 + 6 + 10) / 5
    assert figures.fees_quote == 3
    results = np.array([30, -10, -5, 0, 10])
    assert figures.sqn == pytest.approx(math.sqrt(5) * 5 / results.std(ddof=1))


def test_what_no_trade_defines_is_nan_and_never_zero() -> None:
    none, win = trade_figures([]), trade_figures([trade_of(3.0)])
    undefined = (none.win_ratio, none.profit_factor, none.expectancy_quote, none.bars_held_mean,
                 none.win_max_quote, none.loss_max_quote, none.sqn, win.profit_factor,
                 win.loss_mean_quote, win.sqn)  # fmt: skip  # one value after another
    assert all(map(math.isnan, undefined))
    assert (none.trades, none.net_profit_quote, none.fees_quote) == (0, 0.0, 0.0)


def test_monthly_returns_count_empty_months_and_the_month_of_the_exit() -> None:
    trades = [trade_of(100.0, exit_ms=JANUARY_MS + 5 * DAY_MS)]
    trades += [trade_of(-55.0, exit_ms=JANUARY_MS + 70 * DAY_MS)]
    returns = monthly_returns(trades, 1000.0, JANUARY_MS, JANUARY_MS + 100 * DAY_MS, "UTC")
    np.testing.assert_allclose(returns, [0.1, 0.0, -0.05, 0.0])


def test_a_month_ends_at_midnight_of_the_exchange() -> None:
    late = [trade_of(10.0, exit_ms=JANUARY_MS + 31 * DAY_MS - 3_600_000)]
    span = (1000.0, JANUARY_MS, JANUARY_MS + 40 * DAY_MS)
    assert monthly_returns(late, *span, "UTC")[0] == pytest.approx(0.01)
    assert monthly_returns(late, *span, "Asia/Tokyo")[1] == pytest.approx(0.01)


def test_sharpe_and_sortino_are_tradingviews_form() -> None:
    returns = np.array([0.10, 0.0, -0.05])
    free = 0.02 / 12
    mean = 0.05 / 3
    assert sharpe(returns) == pytest.approx((mean - free) / returns.std())
    below = math.sqrt((free**2 + (0.05 + free) ** 2) / 3)
    assert sortino(returns) == pytest.approx((mean - free) / below)


def test_ratios_without_spread_are_undefined() -> None:
    assert math.isnan(sharpe(np.array([0.1])))
    assert math.isnan(sharpe(np.array([0.1, 0.1, 0.1])))
    assert math.isnan(sharpe(np.array([])))
    assert math.isnan(sortino(np.array([0.1, 0.2])))


def test_a_day_counts_once_and_the_first_is_over_capital() -> None:
    times = JANUARY_MS + np.arange(6, dtype=np.int64) * DAY_MS // 3
    equity = np.array([1.0, 1.0, 110.0, 1.0, 1.0, 99.0])
    np.testing.assert_allclose(daily_returns(equity, times, 100.0), [0.1, -0.1])


def test_drawdown_is_a_fall_from_the_peak_and_capital_is_the_first_peak() -> None:
    np.testing.assert_array_equal(
        drawdown_quote(np.array([90.0, 120.0, 80.0, 130.0]), 100.0), [10.0, 0.0, 40.0, 0.0]
    )
    closed = [trade_of(20.0), trade_of(-40.0), trade_of(50.0)]
    assert closed_drawdown_quote_max(closed, 100.0) == 40.0
    assert closed_drawdown_quote_max([], 100.0) == 0.0


def test_growth_of_a_lost_account_is_undefined() -> None:
    assert cagr_ratio(0.21, 730.0) == pytest.approx(0.1)
    assert math.isnan(cagr_ratio(-1.0, 730.0))


def test_exposure_counts_each_bar_once() -> None:
    trades = [trade_of(1.0, entry_bar=2, exit_bar=4), trade_of(1.0, entry_bar=4, exit_bar=5)]
    assert exposure_ratio(trades, 10, 0) == 0.4
    assert exposure_ratio(trades, 10, 5) == 0.2


@pytest.mark.parametrize("strategy", [EmaCrossover(), ChannelBreakout(period=20)])
@pytest.mark.parametrize("since_bar", [0, 300])
def test_the_summary_of_a_run_agrees_with_its_equity(
    strategy: EmaCrossover | ChannelBreakout, since_bar: int
) -> None:
    klines = synthetic_klines(3000, 900_000, seed=3)
    result = run_backtest(
        strategy,
        klines,
        Instrument("SYNTHETIC", tick_size=0.1, qty_step=0.001),
        Plan(),
        Costs(),
        since_ms=int(klines.open_time_ms[since_bar]),
    )
    summary = summarize(result)
    # A position still open is listed after the commission of a close that has not happened.
    unpaid = sum(t.fee_quote - t.fee_entry_quote for t in result.trades if t.is_open)
    assert summary.bars == 3000 - since_bar
    assert summary.days == pytest.approx(summary.bars / 96)
    end = 10_000 + summary.figures.net_profit_quote + summary.pnl_open_quote + unpaid
    assert summary.equity_end_quote == pytest.approx(end, rel=1e-9)
    assert 0 < summary.exposure_ratio <= 1
    assert summary.drawdown_quote_max >= summary.drawdown_closed_quote_max * 0.5
    traded = klines.open[since_bar]
    assert summary.buy_and_hold_ratio == pytest.approx(klines.close[-1] / traded - 1)


@dataclass(frozen=True)
class Export:
    """TradingView's own report: its trades, exact, and the first value of each named row."""

    trades: list[Trade]
    cells: dict[str, float]


@pytest.fixture(scope="module")
def export() -> Export:
    if not EXPORT.is_dir():
        pytest.skip("../shared/truth is absent")
    cells = {}
    for sheet in ("a1", "a2", "a3"):
        with (EXPORT / f"{sheet}.csv").open(encoding="utf-8-sig", newline="") as lines:
            for row in list(csv.reader(lines, delimiter=";"))[1:]:
                value = next((cell for cell in row[1:] if cell), "")
                cells[row[0]] = float(value) if value[:1].lstrip("-").isdigit() and (
                    " " not in value) else math.nan  # fmt: skip  # one cell
    with (EXPORT / "a4.csv").open(encoding="utf-8-sig", newline="") as lines:
        rows = list(csv.reader(lines, delimiter=";"))[1:]
    return Export(
        [_exact(out, into) for out, into in zip(rows[::2], rows[1::2], strict=True)], cells
    )


def _exact(out: list[str], into: list[str]) -> Trade:
    """Return a listed trade with its result to full precision; the list rounds to cents."""
    side = Side.BUY if "длинн" in into[1] else Side.SELL
    qty, entry, leave = float(into[5]), float(into[4]), float(out[4])
    fee = 0.0007 * qty * (entry + leave)
    entry_ms, exit_ms = _utc_ms(into[2]), _utc_ms(out[2])
    half_hour = 1_800_000
    pnl = side * qty * (leave - entry) - fee
    return Trade(
        side=side, qty=qty, entry_bar=entry_ms // half_hour, entry_time_ms=entry_ms,
        entry_price=entry, entry_name=into[3], exit_bar=exit_ms // half_hour,
        exit_time_ms=exit_ms, exit_price=leave, exit_name=out[3], pnl_quote=pnl,
        pnl_ratio=pnl / (qty * entry), fee_quote=fee, fee_entry_quote=0.0,
        mfe_quote=0.0, mfe_ratio=0.0, mae_quote=0.0, mae_ratio=0.0, cumulative_quote=0.0,
    )  # fmt: skip  # twenty fields


def _utc_ms(moscow: str) -> int:
    local = datetime.strptime(moscow, "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
    return round((local - timedelta(hours=3)).timestamp() * 1000)


def test_the_trade_figures_are_those_of_tradingviews_report(export: Export) -> None:
    figures, cells = trade_figures(export.trades), export.cells
    expected = {
        "Чистая прибыль": figures.net_profit_quote,
        "Валовая прибыль": figures.gross_profit_quote,
        "Валовый убыток": figures.gross_loss_quote,
        "Ожидаемая прибыль": figures.expectancy_quote,
        "Выплаченная комиссия": figures.fees_quote,
        "Прибыльные сделки": figures.wins,
        "Убыточные сделки": figures.losses,
        "Процент прибыльных": 100 * figures.win_ratio,
        "Средняя прибыль по сделке": figures.win_mean_quote,
        "Средний убыток по сделке": figures.loss_mean_quote,
        "Самая прибыльная сделка": figures.win_max_quote,
        "Самая убыточная сделка": figures.loss_max_quote,
    }
    for name, ours in expected.items():
        assert ours == pytest.approx(cells[name], abs=0.005001), name
    assert figures.trades == 154
    assert round(figures.profit_factor, 3) == cells["Фактор прибыли"] == 1.501
    assert round(figures.bars_held_mean) == cells["Среднее # баров в позиции"] == 99


def test_the_ratios_are_those_of_tradingviews_report(export: Export) -> None:
    first_ms, last_ms = JANUARY_MS, _utc_ms("2026-02-27 23:30")
    returns = monthly_returns(export.trades, 10_000.0, first_ms, last_ms, "UTC")
    assert len(returns) == 14
    assert round(sharpe(returns), 3) == export.cells["Коэффициент Шарпа"] == 0.344
    assert round(sortino(returns), 3) == export.cells["Коэффициент Сортино"] == 0.572
    fall = closed_drawdown_quote_max(export.trades, 10_000.0)
    assert fall == pytest.approx(
        export.cells["Макс. просадка капитала (от закрытия до закрытия)"], abs=0.005
    )
    days = (last_ms - first_ms) / DAY_MS
    net = trade_figures(export.trades).net_profit_quote
    growth_pct = 100 * cagr_ratio(net / 10_000.0, days)
    assert growth_pct == pytest.approx(export.cells["Годовая доходность (СГТР)"], abs=0.005)
