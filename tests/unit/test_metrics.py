"""Metrics worked by hand on a few trades and bars, and a run's agreement with its own equity."""

import math

import numpy as np
import pytest

from engines.backtest import run_backtest
from engines.costs import Costs
from engines.instrument import Instrument
from engines.metrics.columns import trade_columns
from engines.metrics.growth import cagr_ratio
from engines.metrics.margin import exposure_ratio
from engines.metrics.measure import measure
from engines.metrics.ratios import daily_returns, monthly_returns, sharpe, sortino
from engines.metrics.run_ups_and_drawdowns import drawdown_quote, phases
from engines.metrics.table import METRICS
from engines.plan import Plan
from engines.synthetic import synthetic_klines
from engines.trades import ExitReason, Side, Trade
from strategies.channel_breakout import ChannelBreakout
from strategies.ema_crossover import EmaCrossover
from tests.unit.metric_cases import DAY_MS, JANUARY_MS, run_of, trade_of

FIVE = [
    trade_of(30, entry_bar=0, exit_bar=2, fee=1.0),
    trade_of(-10, entry_bar=3, exit_bar=7, fee=1.0, side=Side.SELL),
    trade_of(-5, entry_bar=8, exit_bar=8, fee=1.0),
    trade_of(0.0, entry_bar=9, exit_bar=14),
    trade_of(10, entry_bar=15, exit_bar=24, side=Side.SELL),
]


def test_trades_add_up_by_hand() -> None:
    found = measure(run_of(FIVE))
    assert (found["trades"], found["wins"], found["losses"], found["breakevens"]) == (5, 2, 2, 1)
    assert found["net_profit_quote"] == 25
    assert found["net_profit_ratio"] == found["return_ratio"] == 0.025
    assert (found["gross_profit_quote"], found["gross_loss_quote"]) == (40, 15)
    assert found["profit_factor"] == pytest.approx(40 / 15)
    assert found["win_ratio"] == pytest.approx(0.4)
    assert found["expectancy_quote"] == found["pnl_quote_mean"] == 5
    assert (found["win_quote_max"], found["loss_quote_max"]) == (30, 10)
    assert (found["win_quote_mean"], found["loss_quote_mean"]) == (20, 7.5)
    assert found["payoff"] == pytest.approx(20 / 7.5)
    assert found["expectancy_ratio"] == pytest.approx(5 / 7.5)
    assert found["kelly_ratio"] == pytest.approx(0.4 - 0.6 / (20 / 7.5))
    assert (found["wins_in_a_row_max"], found["losses_in_a_row_max"]) == (1, 2)
    assert found["bars_held_mean"] == (3 + 5 + 1 + 6 + 10) / 5
    assert found["bars_held_wins_mean"] == 6.5
    assert found["bars_held_losses_mean"] == 3
    assert found["fees_quote"] == 3
    assert found["win_to_gross_profit_ratio"] == 0.75
    assert found["net_profit_to_loss_ratio"] == 2.5
    results = np.array([30, -10, -5, 0, 10])
    assert found["sqn"] == pytest.approx(math.sqrt(5) * 5 / results.std(ddof=1))


def test_each_side_counts_its_own_trades() -> None:
    found = measure(run_of(FIVE))
    assert (found["trades_long"], found["trades_short"]) == (3, 2)
    assert (found["net_profit_quote_long"], found["net_profit_quote_short"]) == (25, 0)
    assert found["profit_factor_long"] == 6
    assert found["profit_factor_short"] == 1
    assert found["fees_quote_short"] == 1
    assert found["loss_quote_max_long"] == 5
    assert found["bars_held_mean_short"] == 7.5


def test_open_positions_count_as_open_and_pay_only_their_entry() -> None:
    still = trade_of(7.0, entry_bar=30, exit_bar=47, fee=3.0, fee_entry=1.0, is_open=True)
    found = measure(run_of([*FIVE, still]))
    assert (found["trades"], found["trades_open"], found["trades_open_long"]) == (5, 1, 1)
    assert found["trades_open_short"] == 0
    assert (found["pnl_open_quote"], found["net_profit_quote"]) == (7, 25)
    assert found["fees_quote"] == 4


def test_payments_margin_calls_and_liquidations_are_summed() -> None:
    trades = [
        trade_of(1.0, funding=0.25, slippage=0.5),
        trade_of(-1.0, funding=-0.75, slippage=0.5, exit_reason=ExitReason.MARGIN_CALL),
        trade_of(-1.0, exit_reason=ExitReason.LIQUIDATION),
    ]
    found = measure(run_of(trades))
    assert (found["funding_quote"], found["slippage_quote"]) == (-0.5, 1.0)
    assert (found["margin_calls"], found["margin_calls_short"]) == (1, 0)
    assert found["liquidations"] == 1


def test_margin_is_the_value_at_closes_but_the_exits_over_all_bars() -> None:
    close = [100.0, 110.0, 90.0, 100.0, 100.0, 100.0, 100.0, 100.0, 100.0, 100.0]
    long = trade_of(-20.0, entry_bar=1, exit_bar=3, qty=2.0)
    found = measure(run_of([long], close))
    assert found["margin_used_quote_max"] == 220
    assert found["margin_used_quote_mean"] == pytest.approx((220 + 180) / 10)
    assert found["margin_efficiency"] == pytest.approx(40 / -20)
    assert (found["qty_max"], found["qty_max_long"], found["qty_max_short"]) == (2, 2, 0)
    assert found["exposure_ratio"] == 0.3
    halved = measure(run_of([long], close, plan=Plan(capital_quote=1000.0, margin_long_ratio=0.5)))
    assert halved["margin_used_quote_max"] == 110


def test_an_open_position_and_a_pyramid_use_margin_together() -> None:
    lots = [
        trade_of(0.0, entry_bar=1, exit_bar=4, qty=1.0),
        trade_of(0.0, entry_bar=2, exit_bar=9, qty=2.0, is_open=True),
    ]
    found = measure(run_of(lots, [100.0] * 10))
    assert found["qty_max"] == 3
    assert found["margin_used_quote_max"] == 300
    assert found["margin_used_quote_mean"] == pytest.approx((100 + 300 + 300 + 6 * 200) / 10)


def test_phases_of_closed_equity_run_from_peak_to_low_to_peak() -> None:
    marks = np.array([100.0, 120.0, 110.0, 115.0, 130.0, 100.0, 105.0, 90.0, 95.0, 93.0])
    days = np.arange(10, dtype=np.int64) * DAY_MS
    rises, falls = phases(marks, days)
    np.testing.assert_array_equal(rises.quote, [20, 20, 5])
    np.testing.assert_array_equal(falls.quote, [10, 40])
    np.testing.assert_array_equal(falls.marks, [1, 3])
    # The fall of one trade is no drawdown to the average.
    assert falls.means() == (40.0, 3.0)
    assert rises.means() == (20.0, 2.0)


def test_the_first_mark_of_the_maximum_is_capital_and_of_the_average_the_first_trade() -> None:
    results = (-40.0, 10.0, 10.0, 10.0)
    trades = [trade_of(pnl, entry_bar=6 * k, exit_bar=6 * (k + 1)) for k, pnl in enumerate(results)]
    found = measure(run_of(trades))
    assert found["drawdown_closed_quote_max"] == 40
    assert found["drawdown_closed_ratio_max"] == 0.04
    assert math.isnan(found["drawdown_closed_quote_mean"])
    assert found["run_up_closed_quote_max"] == found["run_up_closed_quote_mean"] == 30
    assert found["run_up_days_mean"] == pytest.approx(0.75)


def test_intrabar_swings_run_between_closed_equity_and_an_open_mark() -> None:
    trades = [
        trade_of(50.0, entry_bar=0, exit_bar=2, fee_entry=1.0, mfe=60.0, mae=20.0),
        trade_of(-30.0, entry_bar=3, exit_bar=4, fee_entry=1.0, mfe=25.0, mae=45.0),
    ]
    found = measure(run_of(trades))
    assert found["drawdown_quote_max"] == 45
    assert found["drawdown_ratio_max"] == pytest.approx(45 / 1050)
    assert found["drawdown_capital_ratio_max"] == 0.045
    # From the equity right after the first entry, 999, to 1050 + 25.
    assert found["run_up_quote_max"] == 76
    assert found["run_up_ratio_max"] == pytest.approx(76 / 1075)
    assert found["return_on_drawdown"] == pytest.approx(20 / 45)
    assert found["account_size_quote"] == found["margin_used_quote_max"] + 45


def test_lots_of_a_pyramid_fall_and_rise_together() -> None:
    close = [100.0, 90.0, 90.0, 70.0, 90.0, 130.0, 100.0, 100.0]
    lots = [
        trade_of(0.0, entry_bar=0, exit_bar=6, fee_entry=1.0, fee=1.0, mfe=29.0, mae=31.0),
        trade_of(0.0, entry_bar=1, exit_bar=7, fee_entry=1.0, fee=1.0, mfe=29.0, mae=31.0),
    ]
    found = measure(run_of(lots, close))
    # Both were bought at 100: two times 30 and two commissions below 1000, in the bar of the 70.
    assert found["drawdown_quote_max"] == 62
    assert found["drawdown_ratio_max"] == pytest.approx(0.062)
    # From 999 after the first entry to 1000 + 2 x 30 - 2.
    assert found["run_up_quote_max"] == 59
    assert found["calmar_long"] == found["calmar"] == 0.0


def test_monthly_returns_count_empty_months_and_the_month_of_the_exit() -> None:
    exits = JANUARY_MS + np.array([5, 70]) * DAY_MS
    returns = monthly_returns(
        np.array([100.0, -55.0]), exits, 1000.0, JANUARY_MS, JANUARY_MS + 100 * DAY_MS, "UTC"
    )
    np.testing.assert_allclose(returns, [0.1, 0.0, -0.05, 0.0])


def test_a_month_ends_at_midnight_of_the_exchange() -> None:
    late = np.array([JANUARY_MS + 31 * DAY_MS - 3_600_000])
    last = JANUARY_MS + 40 * DAY_MS
    for zone, month in (("UTC", 0), ("Asia/Tokyo", 1)):
        returns = monthly_returns(np.array([10.0]), late, 1000.0, JANUARY_MS, last, zone)
        assert returns[month] == pytest.approx(0.01)


def test_sharpe_and_sortino_are_tradingviews_form() -> None:
    returns = np.array([0.10, 0.0, -0.05])
    free = 0.02 / 12
    mean = 0.05 / 3
    assert sharpe(returns) == pytest.approx((mean - free) / returns.std())
    below = math.sqrt((free**2 + (0.05 + free) ** 2) / 3)
    assert sortino(returns) == pytest.approx((mean - free) / below)


def test_a_day_counts_once_and_the_first_is_over_capital() -> None:
    times = JANUARY_MS + np.arange(6, dtype=np.int64) * DAY_MS // 3
    equity = np.array([1.0, 1.0, 110.0, 1.0, 1.0, 99.0])
    np.testing.assert_allclose(daily_returns(equity, times, 100.0), [0.1, -0.1])


def test_drawdown_is_a_fall_from_the_peak_and_capital_is_the_first_peak() -> None:
    np.testing.assert_array_equal(
        drawdown_quote(np.array([90.0, 120.0, 80.0, 130.0]), 100.0), [10.0, 0.0, 40.0, 0.0]
    )


def test_growth_is_over_days_of_365() -> None:
    assert cagr_ratio(0.21, 730.0) == pytest.approx(0.1)


def test_exposure_counts_each_bar_once() -> None:
    trades = trade_columns(
        [trade_of(1.0, entry_bar=2, exit_bar=4), trade_of(1.0, entry_bar=4, exit_bar=5)]
    )
    assert exposure_ratio(trades, 10, 0) == 0.4
    assert exposure_ratio(trades, 10, 5) == 0.2


def _trades(result_trades: tuple[Trade, ...], *, are_open: bool) -> float:
    return math.fsum(trade.pnl_quote for trade in result_trades if trade.is_open is are_open)


@pytest.mark.parametrize("strategy", [EmaCrossover(), ChannelBreakout(period=20)])
@pytest.mark.parametrize("since_bar", [0, 300])
def test_the_metrics_of_a_run_agree_with_its_equity(
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
    found = measure(result)
    assert list(found) == [item.name for item in METRICS]
    # A position still open is listed after the commission of a close that has not happened.
    unpaid = sum(t.fee_quote - t.fee_entry_quote for t in result.trades if t.is_open)
    assert found["bars"] == 3000 - since_bar
    assert found["days"] == pytest.approx(found["bars"] / 96)
    assert found["net_profit_quote"] == pytest.approx(_trades(result.trades, are_open=False))
    end = 10_000 + found["net_profit_quote"] + found["pnl_open_quote"] + unpaid
    assert found["equity_end_quote"] == pytest.approx(end, rel=1e-9)
    assert 0 < found["exposure_ratio"] <= 1
    assert found["drawdown_quote_max"] >= found["drawdown_closed_quote_max"]
    assert found["run_up_quote_max"] >= found["run_up_closed_quote_max"]
    traded = klines.open[since_bar]
    assert found["buy_and_hold_ratio"] == pytest.approx(klines.close[-1] / traded - 1)
    for name in ("net_profit_quote", "gross_loss_quote", "fees_quote", "trades", "wins"):
        assert found[name] == pytest.approx(found[f"{name}_long"] + found[f"{name}_short"])
