"""Every ratio against a second computation that shares no code with ours.

Ratios of returns meet empyrical-reloaded (chosen over quantstats, which needs matplotlib and a
download client; it has no Ulcer index and no probabilistic Sharpe ratio, so these meet formulas
written from their definitions with scipy). What trades and bars add up to meets pandas and plain
loops over a whole run.
"""

import math
from functools import cache

import empyrical
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from engines.backtest import Backtest, run_backtest
from engines.costs import Costs
from engines.instrument import Instrument
from engines.klines import DAY_MS
from engines.metrics.growth import cagr_ratio
from engines.metrics.measure import measure
from engines.metrics.ratios import (
    annualised,
    omega,
    sharpe,
    sharpe_deflated_ratio,
    sortino,
    stability_r2,
    tails,
    volatility,
)
from engines.metrics.run_ups_and_drawdowns import drawdown_quote
from engines.plan import Plan, Sizing, SizingKind
from engines.synthetic import synthetic_klines
from engines.types import F64_1D
from strategies.channel_breakout import ChannelBreakout
from strategies.ema_crossover import EmaCrossover

FREE = 0.02 / 365
YEAR = {"annualization": 365}


@st.composite
def returns_of_days(draw: st.DrawFn) -> F64_1D:
    """Draw daily returns that differ: a drift, a spread, fat tails or none."""
    seed = draw(st.integers(0, 2**32 - 1))
    days = draw(st.integers(20, 400))
    drift = draw(st.floats(-0.01, 0.01))
    spread = draw(st.floats(0.001, 0.05))
    freedom = draw(st.sampled_from([3.0, 30.0]))
    draws = np.random.default_rng(seed).standard_t(freedom, days)
    values: F64_1D = np.clip(drift + spread * draws, -0.9, 3.0)
    return values


def _defined(ratio: float) -> float:
    """Return their ratio; without a loss theirs is infinite, ours undefined."""
    return math.nan if math.isinf(ratio) else ratio


@settings(max_examples=150, deadline=None)
@given(returns_of_days())
def test_ratios_of_returns_are_those_of_empyrical(returns: F64_1D) -> None:
    days = len(returns)
    # Ours divides by the population deviation as TradingView does, theirs by the sample's.
    theirs = empyrical.sharpe_ratio(returns, risk_free=FREE, **YEAR)
    ours = annualised(sharpe(returns, FREE)) * math.sqrt((days - 1) / days)
    assert ours == pytest.approx(theirs, rel=1e-9)
    theirs = empyrical.sortino_ratio(returns, required_return=FREE, **YEAR)
    assert annualised(sortino(returns, FREE)) == pytest.approx(
        _defined(theirs), rel=1e-9, nan_ok=True
    )
    theirs = empyrical.annual_volatility(returns, **YEAR)
    assert annualised(volatility(returns)) == pytest.approx(theirs, rel=1e-9)
    theirs = empyrical.omega_ratio(returns, annualization=1)
    assert omega(returns) == pytest.approx(_defined(theirs), nan_ok=True)
    theirs = empyrical.stability_of_timeseries(returns)
    assert stability_r2(returns) == pytest.approx(theirs, rel=1e-6, abs=1e-9)


@settings(max_examples=150, deadline=None)
@given(returns_of_days())
def test_drawdown_and_calmar_are_those_of_empyrical(returns: F64_1D) -> None:
    equity: F64_1D = np.multiply.accumulate(1.0 + returns) * 1000.0
    fall = drawdown_quote(equity, 1000.0)
    ratio = float((fall / (fall + equity)).max())
    assert ratio == pytest.approx(-empyrical.max_drawdown(returns), rel=1e-9, abs=1e-12)
    growth = cagr_ratio(float(equity[-1]) / 1000.0 - 1.0, len(returns))
    assert growth == pytest.approx(empyrical.annual_return(returns, **YEAR), rel=1e-9)
    if ratio > 0:
        theirs = empyrical.calmar_ratio(returns, **YEAR)
        assert growth / ratio == pytest.approx(theirs, rel=1e-9)


@settings(max_examples=150, deadline=None)
@given(returns_of_days())
def test_tails_are_those_of_empyrical(returns: F64_1D) -> None:
    at_risk, at_risk_mean, ratio = tails(returns)
    assert -at_risk == pytest.approx(empyrical.value_at_risk(returns), abs=1e-12)
    assert -at_risk_mean == pytest.approx(empyrical.conditional_value_at_risk(returns), abs=1e-12)
    if not math.isnan(ratio):
        assert ratio == pytest.approx(empyrical.tail_ratio(returns), rel=1e-9)


@settings(max_examples=100, deadline=None)
@given(returns_of_days(), st.sampled_from([1, 2, 10, 1000]))
def test_the_deflated_sharpe_ratio_is_its_definition(returns: F64_1D, trials: int) -> None:
    days = len(returns)
    ratio = (returns.mean() - FREE) / returns.std()
    third, fourth = stats.skew(returns), stats.kurtosis(returns, fisher=False)
    best = 0.0
    if trials > 1:
        low = stats.norm.ppf(1 - 1 / trials)
        high = stats.norm.ppf(1 - 1 / (trials * np.e))
        best = ((1 - np.euler_gamma) * low + np.euler_gamma * high) / np.sqrt(days - 1)
    variance = 1 - third * ratio + (fourth - 1) / 4 * ratio**2
    found = sharpe_deflated_ratio(returns, FREE, trials)
    if variance <= 0:
        assert math.isnan(found)
    else:
        score = (ratio - best) * np.sqrt(days - 1) / np.sqrt(variance)
        assert found == pytest.approx(float(stats.norm.cdf(score)), abs=1e-9)


def test_more_trials_deflate_the_sharpe_ratio() -> None:
    returns = np.random.default_rng(7).normal(0.003, 0.01, 300)
    found = [sharpe_deflated_ratio(returns, FREE, trials) for trials in (1, 2, 10, 100, 10_000)]
    assert found == sorted(found, reverse=True)
    assert found[0] > 0.99 > 0.3 > found[-1]


@cache
def whole_run(name: str) -> Backtest:
    """Return a run of two months with many trades, one of them with pyramids."""
    klines = synthetic_klines(6000, 900_000, seed=11)
    strategy = EmaCrossover() if name == "ema_crossover" else ChannelBreakout(period=20)
    sizing = Sizing(SizingKind.EQUITY_RATIO, 0.3)
    plan = Plan(sizing=sizing, pyramiding=1 if name == "ema_crossover" else 3)
    instrument = Instrument("SYNTHETIC", tick_size=0.1, qty_step=0.001)
    since_ms = int(klines.open_time_ms[500])
    return run_backtest(strategy, klines, instrument, plan, Costs(), since_ms=since_ms)


RUNS = ("ema_crossover", "channel_breakout")


def frame_of(result: Backtest) -> pd.DataFrame:
    """Return the closed trades as pandas has them."""
    rows = [
        {
            "side": int(trade.side), "pnl": trade.pnl_quote, "share": trade.pnl_ratio,
            "bars": trade.bars_held, "exit": pd.Timestamp(trade.exit_time_ms, unit="ms"),
        }
        for trade in result.trades
        if not trade.is_open
    ]  # fmt: skip  # a row a trade
    return pd.DataFrame(rows)


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize(("suffix", "side"), [("", 0), ("_long", 1), ("_short", -1)])
def test_trade_figures_are_those_of_pandas(name: str, suffix: str, side: int) -> None:
    result, found = whole_run(name), measure(whole_run(name))
    trades = frame_of(result)
    trades = trades if not side else trades[trades["side"] == side]
    won, lost = trades[trades["pnl"] > 0], trades[trades["pnl"] < 0]
    p, b = len(won) / len(trades), won["pnl"].mean() / -lost["pnl"].mean()
    expected = {
        "net_profit_quote": trades["pnl"].sum(),
        "gross_profit_ratio": won["pnl"].sum() / 10_000,
        "pnl_ratio_mean": trades["share"].mean(),
        "win_quote_mean": won["pnl"].mean(),
        "loss_ratio_mean": -lost["share"].mean(),
        "win_quote_max": won["pnl"].max(),
        "loss_ratio_max": -lost["share"].min(),
        "bars_held_wins_mean": won["bars"].mean(),
        "profit_factor": won["pnl"].sum() / -lost["pnl"].sum(),
        "kelly_ratio": p - (1 - p) / b,
        "payoff": b,
    }
    for metric, value in expected.items():
        assert found[metric + suffix] == pytest.approx(value, rel=1e-9), metric


@pytest.mark.parametrize("name", RUNS)
def test_monthly_and_daily_ratios_are_those_of_pandas(name: str) -> None:
    result, found = whole_run(name), measure(whole_run(name))
    trades = frame_of(result)
    start = pd.Timestamp(int(result.klines.open_time_ms[500]), unit="ms").to_period("M")
    stop = pd.Timestamp(int(result.klines.open_time_ms[-1]), unit="ms").to_period("M")
    months = trades.groupby(trades["exit"].dt.to_period("M"))["pnl"].sum()
    closed = 10_000 + months.reindex(pd.period_range(start, stop), fill_value=0.0).cumsum()
    monthly = (closed / closed.shift(fill_value=10_000) - 1).to_numpy()
    assert found["sharpe"] == pytest.approx((monthly.mean() - 0.02 / 12) / monthly.std())
    assert found["gain_to_pain"] == pytest.approx(monthly.sum() / -monthly[monthly < 0].sum())
    times = pd.to_datetime(result.klines.open_time_ms[500:], unit="ms")
    equity = pd.Series(result.equity_quote[500:], index=times)
    ends = equity.groupby(times.floor("D")).last().to_numpy()
    daily = ends / np.concatenate(([10_000], ends[:-1])) - 1
    theirs = empyrical.sortino_ratio(daily, required_return=FREE, **YEAR)
    assert found["sortino_annual"] == pytest.approx(theirs)
    assert found["value_at_risk_ratio_95"] == pytest.approx(-empyrical.value_at_risk(daily))
    peaks = equity.cummax().clip(lower=10_000)
    assert found["ulcer_ratio"] == pytest.approx(np.sqrt(((1 - equity / peaks) ** 2).mean()))
    assert found["drawdown_equity_ratio_max"] == pytest.approx((1 - equity / peaks).max())


def falls_of_pyramids(result: Backtest) -> float:
    """Return the largest fall of several lots together, bar by bar where none is filled."""
    filled = {trade.entry_bar for trade in result.trades}
    filled |= {trade.exit_bar for trade in result.trades if not trade.is_open}
    largest = 0.0
    for bar in range(500, len(result.klines)):
        lots = [t for t in result.trades if t.entry_bar < bar and (t.is_open or bar < t.exit_bar)]
        if len(lots) < 2 or bar in filled:
            continue
        results = [t.pnl_quote for t in result.trades if not t.is_open and t.exit_bar <= bar]
        marks = 10_000 + np.cumsum([0.0, *results])
        for price in (result.klines.low[bar], result.klines.high[bar]):
            paper = sum(t.side * t.qty * (price - t.entry_price) - t.fee_entry_quote for t in lots)
            largest = max(largest, float(marks.max() - marks[-1] - paper))
    return largest


@pytest.mark.parametrize("name", RUNS)
def test_swings_and_margin_are_those_of_plain_loops(name: str) -> None:
    result, found = whole_run(name), measure(whole_run(name))
    closed = peak = trough = 10_000.0
    fall_closed = fall = rise = 0.0
    for trade in result.trades:
        trough = min(trough, closed - trade.fee_entry_quote)
        fall = max(fall, peak - closed + trade.mae_quote)
        rise = max(rise, closed + trade.mfe_quote - trough)
        if not trade.is_open:
            closed += trade.pnl_quote
            peak = max(peak, closed)
            fall_closed = max(fall_closed, peak - closed)
    together = falls_of_pyramids(result)
    assert found["drawdown_quote_max"] == pytest.approx(max(fall, together))
    assert found["run_up_quote_max"] >= rise - 1e-9
    assert found["drawdown_closed_quote_max"] == pytest.approx(fall_closed)
    if name == "ema_crossover":
        assert together == 0.0
        assert found["run_up_quote_max"] == pytest.approx(rise)
    used, held = np.zeros(6000), np.zeros(6000, dtype=bool)
    for trade in result.trades:
        last = 6000 if trade.is_open else trade.exit_bar
        used[trade.entry_bar : last] += trade.qty * result.klines.close[trade.entry_bar : last]
        held[trade.entry_bar : trade.exit_bar + 1] = True
    assert found["margin_used_quote_mean"] == pytest.approx(used[500:].mean())
    assert found["margin_used_quote_max"] == pytest.approx(used[500:].max())
    assert found["exposure_ratio"] == pytest.approx(held[500:].mean())


def test_the_longest_drawdown_runs_until_the_peak_is_regained() -> None:
    result = whole_run("ema_crossover")
    equity, longest, since = result.equity_quote[500:], 0, 0
    peak = 10_000.0
    for bar, value in enumerate(equity):
        if value >= peak:
            longest, since, peak = max(longest, bar - since), bar, value
    longest = max(longest, len(equity) - 1 - since)
    days = longest * 900_000 / DAY_MS
    assert measure(result)["drawdown_days_max"] == pytest.approx(days)
