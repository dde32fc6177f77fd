"""The machine's summary of a set equals what `measure` makes of the reference's run.

The rule: counts, extremes of single trades and what is undefined are equal. Any other figure may
differ by 1e-12 of the magnitude of what is summed for it, which is more than the figure itself
where sums cancel. `tolerances` says for each figure what that is: money is summed beside capital
and the value of what is held, a quotient passes on what its parts may lose, and a spread loses more
the smaller it is beside the values around it.
"""

import math
from dataclasses import replace
from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.backtest import Backtest, run_backtest
from engines.costs import Costs
from engines.errors import PlanFault
from engines.funding import constant_funding
from engines.instrument import Instrument
from engines.kernels.summary import RISK_FREE, SUMMARY
from engines.kernels.trials import Market, Trials
from engines.klines import DAY_MS, HOUR_MS
from engines.metrics.columns import trade_columns
from engines.metrics.measure import measure
from engines.metrics.ratios import DAYS_PER_YEAR, LOST, monthly_returns
from engines.plan import Market as Traded
from engines.plan import Plan
from engines.synthetic import synthetic_klines
from engines.wishes import Tradable
from strategies.registry import REGISTRY
from tests.property.test_kernel_equals_reference import STRATEGY_PLANS, Terms, terms
from tests.property.test_plans_hold import BARS_MAX, Wishes, klines_of_seed

EXAMPLES, EXAMPLES_LONG, SEEDS = 100, 10_000, 4
STARTS, MONTHS = st.integers(0, 30), st.integers(-2, 2 * BARS_MAX)
SAME = 1e-12
FEBRUARY_MS = 1_738_368_000_000  # 2025-02-01T00:00Z
EXACT = (
    "trades", "wins", "win_ratio", "bars_held_mean", "exposure_ratio", "liquidations",
    "win_quote_max", "loss_quote_max", "losses_in_a_row_max", "drawdown_closed_quote_max",
)  # fmt: skip # one list


def spread_loss(values: np.ndarray, aside: float) -> float:
    """Return what a mean less `aside` over the spread of values may lose, of one."""
    spread = float(np.std(values))
    if not spread > 0:
        return 0.0
    size = float(np.abs(values).max()) + aside
    return SAME * size / spread * (1 + size / spread)


def shortfall_loss(monthly: np.ndarray) -> float:
    """Return what a mean of months over their shortfall may lose, of one."""
    below = np.minimum(monthly - RISK_FREE, 0.0)
    shortfall = math.sqrt(float(np.mean(below * below)))
    size = float(np.abs(monthly).max()) + RISK_FREE
    return SAME * size / shortfall * (1 + size / shortfall) if shortfall > 0 else 0.0


def noise_of(monthly: np.ndarray) -> float:
    """Return how much noise counts in months' returns: they are of what is left of the capital."""
    least = float(np.cumprod(1 + np.append(0.0, monthly[:-1])).min())
    return 1 / least if 0 < least < 1 else 1.0


def tolerances(result: Backtest, figures: dict[str, float]) -> dict[str, float]:
    """Return how far each figure of a run may lie from the reference's."""
    trades = trade_columns(result.trades)
    closed, capital = trades.where(~trades.is_open), result.plan.capital_quote
    turned = float((trades.qty * trades.entry_price).sum()) * result.instrument.point_value
    moved = capital + float(np.abs(trades.pnl_quote).sum() + trades.fee_quote.sum()) + turned
    money, count = SAME * moved, max(1, len(closed))
    times = result.klines.open_time_ms[min(result.start_bar, len(result.klines) - 1) :]
    days = (int(times[-1]) + result.klines.interval_ms - int(times[0])) / DAY_MS
    grown, years = 1 + figures["return_ratio"], days / DAYS_PER_YEAR
    growth = 0.0  # where all was lost, and both are undefined
    if grown > LOST:
        growth = (1 + figures["cagr_ratio"]) / years / grown * money / capital + SAME
    monthly = monthly_returns(
        closed.pnl_quote, closed.exit_time_ms, capital, int(times[0]), int(times[-1]),
        result.instrument.time_zone,
    )  # fmt: skip # trades, then the account
    fall, fall_ratio = figures["drawdown_closed_quote_max"], figures["drawdown_ratio_max"]
    return {
        **dict.fromkeys(EXACT, 0.0),
        "net_profit_quote": money,
        "return_ratio": money / capital,
        "cagr_ratio": growth,
        "drawdown_quote_max": money,
        "drawdown_ratio_max": money / capital,
        "profit_factor": SAME * figures["profit_factor"],
        "expectancy_quote": money / count,
        "sharpe": noise_of(monthly) * spread_loss(monthly, RISK_FREE),
        "sortino": noise_of(monthly) * shortfall_loss(monthly),
        "calmar": (growth + abs(figures["calmar"]) * money / capital) / max(fall_ratio, 1e-300),
        "fees_quote": SAME * figures["fees_quote"],
        "funding_quote": money,
        "sqn": math.sqrt(count) * spread_loss(closed.pnl_quote, 0.0) if len(closed) else 0.0,
        "recovery_factor": money / max(fall, 1e-300),
    }


def check_summary(ours: np.ndarray, result: Backtest) -> None:
    """Fail at a figure that differs from the reference's by more than it may."""
    figures = measure(result)
    allowed = tolerances(result, figures)
    assert set(allowed) == set(SUMMARY)
    for name, found in zip(SUMMARY, ours.tolist(), strict=True):
        wanted = figures[name]
        if name == "calmar" and figures["drawdown_ratio_max"] <= allowed["drawdown_ratio_max"]:
            continue  # a quotient by float noise
        if math.isnan(wanted) or math.isnan(found):
            assert math.isnan(wanted), (name, found, wanted)
            assert math.isnan(found), (name, found, wanted)
        else:
            assert abs(found - wanted) <= allowed[name], (name, found, wanted, allowed[name])


def check(terms: Terms, seed: int, start_bar: int, month_bar: int) -> None:
    """Summarise a run on the bars of a seed, a new month from `month_bar` on, and compare."""
    klines = klines_of_seed(seed, terms.bars)
    late_ms = FEBRUARY_MS - month_bar * klines.interval_ms - int(klines.open_time_ms[0])
    klines = replace(klines, open_time_ms=klines.open_time_ms + late_ms)
    funding = None
    if terms.funding_rate is not None and terms.plan.market is Traded.LINEAR:
        funding = constant_funding(terms.funding_rate, terms.funding_hours, klines)
    since_ms = int(klines.open_time_ms[min(start_bar, len(klines) - 1)])
    market = Market(klines, terms.instrument, terms.costs, funding, since_ms=since_ms)
    found = Trials(market, [terms.plan], threads=1).run([Wishes(seed)])
    result, fault = None, ""
    try:
        result = run_backtest(
            Wishes(seed), klines, terms.instrument, terms.plan, terms.costs,
            funding=funding, since_ms=since_ms,
        )  # fmt: skip # who and where, then the rest
    except PlanFault as raised:
        fault = str(raised)
    assert found.errors == ({(0, 0): fault} if result is None else {})
    if result is not None:
        check_summary(found.values[0, 0], result)


@settings(max_examples=EXAMPLES)
@given(terms=terms(), seed=st.integers(0, 2**32 - 1 - SEEDS), start_bar=STARTS, month_bar=MONTHS)
def test_summary_equals_measure_on_random_plans(
    terms: Terms, seed: int, start_bar: int, month_bar: int
) -> None:
    for own in range(seed, seed + SEEDS):
        check(terms, own, start_bar, month_bar)


@pytest.mark.long
@settings(max_examples=EXAMPLES_LONG)
@given(terms=terms(), seed=st.integers(0, 2**32 - 1 - SEEDS), start_bar=STARTS, month_bar=MONTHS)
def test_summary_equals_measure_on_many_random_plans(
    terms: Terms, seed: int, start_bar: int, month_bar: int
) -> None:
    for own in range(seed, seed + SEEDS):
        check(terms, own, start_bar, month_bar)


@pytest.fixture(scope="module")
def market() -> Market:
    """Return sixteen months of bars and their funding, the first days to warm up on."""
    klines = synthetic_klines(12_000, HOUR_MS, seed=23)
    return Market(
        klines,
        Instrument("SYNTHETIC", 0.1, 0.001, time_zone="America/New_York"),
        Costs(slippage_ticks=2),
        constant_funding(0.0001, 8, klines),
        since_ms=int(klines.open_time_ms[300]),
    )


@pytest.mark.parametrize("plan", STRATEGY_PLANS.values(), ids=STRATEGY_PLANS)
@pytest.mark.parametrize("name", [name for name in REGISTRY if name != "channel_breakout"])
def test_summary_equals_measure_on_built_in_strategies(
    name: str, plan: Plan, market: Market
) -> None:
    strategy = cast(Tradable, REGISTRY[name].load()())
    found = Trials(market, [plan], threads=2).run([strategy])
    result = run_backtest(
        strategy, market.klines, market.instrument, plan, market.costs,
        funding=market.funding, since_ms=market.since_ms,
    )  # fmt: skip # who and where, then the rest
    assert found.values[0, 0, SUMMARY.index("trades")] > 10
    assert not np.isnan(found.values[0, 0, SUMMARY.index("sortino")])
    check_summary(found.values[0, 0], result)
