"""The kernel's forced closes by hand: liquidation prices, the levels that guard a run, the peak."""

import math
from dataclasses import replace

import numpy as np
import pytest

from engines.backtest import run_backtest
from engines.costs import Costs
from engines.funding import constant_funding
from engines.instrument import Instrument
from engines.kernels import slots
from engines.kernels.backtest import run_by_kernel
from engines.kernels.cpu import bars_of, run_one
from engines.kernels.machine import guards, liquidation
from engines.kernels.plan_terms import counts_days, terms_row
from engines.kernels.wants import charges_of, wants_of
from engines.klines import MINUTE_MS, Klines
from engines.margin import MarginTier
from engines.plan import Exits, LevelSource, MarginMode, Plan, Reentry, Sizing, SizingKind
from engines.rules.columns import rule_columns
from engines.synthetic import synthetic_klines
from engines.trades import ExitReason
from engines.types import F64_1D
from strategies.ema_crossover import EmaCrossover

TIERS = (MarginTier(5_000.0, 0.01, 0.0, 50.0), MarginTier(1e12, 0.02, 50.0, 20.0))
INSTRUMENT = Instrument("SYNTHETIC", 0.1, 0.001, margin_tiers=TIERS)


@pytest.fixture(scope="module")
def klines() -> Klines:
    """Return bars that fill two blocks of 4096, the last in part."""
    return synthetic_klines(6_000, 15 * MINUTE_MS, seed=17)


def held(plan: Plan, steps: float, price: float) -> F64_1D:
    """Return a run of `plan` that holds `steps` of 0.001 bought or sold at `price`."""
    run = np.zeros(slots.RUN + len(TIERS) * slots.TIER)
    run[: slots.TERMS] = terms_row(plan, Costs(), INSTRUMENT)
    run[slots.TIERS_AT] = slots.RUN
    tiers = [(t.notional_max, t.maintenance_ratio, t.deduction_quote) for t in TIERS]
    liquidation.put_tiers(run, np.array(tiers, dtype=np.float64))
    run[slots.STEPS], run[slots.PRICE_AVG] = steps, price
    run[slots.EQUITY_MIN] = run[slots.FLOOR] = -math.inf
    return run


def test_an_isolated_position_is_liquidated_where_its_margin_is_its_maintenance() -> None:
    # 10 contracts at 100: margin 1000 / 10 = 100, maintenance 1 % of 1000 = 10: 90 to lose, 9 each.
    plan = Plan(leverage=10.0)
    assert liquidation.liquidation_price(held(plan, 10_000, 100.0)) == pytest.approx(91.0)
    assert liquidation.liquidation_price(held(plan, -10_000, 100.0)) == pytest.approx(109.0)
    # 100 contracts: the second tier asks for 2 % of 10,000 less 50: 150 of 1000, 8.5 each to lose.
    assert liquidation.liquidation_price(held(plan, 100_000, 100.0)) == pytest.approx(91.5)
    assert liquidation.bankruptcy_price(held(plan, 10_000, 100.0)) == pytest.approx(90.0)
    assert liquidation.bankruptcy_price(held(plan, -10_000, 100.0)) == pytest.approx(110.0)


def test_a_cross_position_is_liquidated_where_the_account_is_its_maintenance() -> None:
    # 100 contracts at 100 and 2,000 of capital: 2000 + 100 (p - 100) = 1 % of 100 p at 8000 / 99,
    # which is worth more than the first tier holds; in the second 8000 - 50 = 98 p less 100.
    plan = Plan(capital_quote=2_000.0, leverage=10.0, margin_mode=MarginMode.CROSS)
    found = liquidation.liquidation_price(held(plan, 100_000, 100.0))
    assert found == pytest.approx((8_000 - 50) / 98)
    # A long that the capital covers whole is never liquidated.
    rich = Plan(capital_quote=20_000.0, leverage=10.0, margin_mode=MarginMode.CROSS)
    assert math.isnan(liquidation.liquidation_price(held(rich, 100_000, 100.0)))


def test_guards_hold_the_nearest_level_and_only_the_path_has_forced_ones() -> None:
    run = held(Plan(leverage=10.0), 10_000, 100.0)
    guards.refresh_guards(run)
    assert run[slots.FORCED_DOWN] == run[slots.GUARD_DOWN] == pytest.approx(91.0)
    assert run[slots.FORCED_UP] == run[slots.GUARD_UP] == math.inf
    run[slots.IS_MARKED] = 1
    guards.refresh_guards(run)
    assert run[slots.FORCED_DOWN] == -math.inf
    assert run[slots.GUARD_DOWN] == pytest.approx(91.0)


def test_the_peak_of_equity_rises_with_the_close_and_takes_the_floor_along() -> None:
    plan = Plan(capital_quote=1_000.0, exits=Exits(drawdown_ratio_max=0.1))
    run = held(plan, 10_000, 100.0)
    run[slots.PEAK], run[slots.FLOOR] = 1_000.0, 900.0
    guards.refresh_guards(run)
    assert run[slots.FORCED_DOWN] == pytest.approx(90.0)
    assert 99.99 < run[slots.LOOK_UP] < 100.0
    guards.raise_peak(run, 99.0)
    assert run[slots.PEAK] == 1_000.0
    guards.raise_peak(run, 120.0)
    assert run[slots.PEAK] == 1_200.0
    assert run[slots.FORCED_DOWN] == pytest.approx(100 + (1_080 - 1_000) / 10)


LIMITED = {
    "isolated": Plan(
        leverage=20.0,
        sizing=Sizing(SizingKind.EQUITY_RATIO, 0.1),
        exits=Exits(levels=LevelSource.PLAN),
    ),
    "cross": Plan(
        leverage=20.0,
        margin_mode=MarginMode.CROSS,
        sizing=Sizing(SizingKind.EQUITY_RATIO, 0.6),
        exits=Exits(levels=LevelSource.PLAN),
    ),
    "drawdown": Plan(
        sizing=Sizing(SizingKind.EQUITY_RATIO, 0.9), exits=Exits(drawdown_ratio_max=0.05)
    ),
    "caps": Plan(
        intraday_fills_max=6,
        intraday_loss_ratio_max=0.01,
        sizing=Sizing(SizingKind.EQUITY_RATIO, 0.9),
    ),
    "at the close": Plan(process_on_close=True),
}


@pytest.mark.parametrize("has_mark", [False, True])
@pytest.mark.parametrize("name", LIMITED)
def test_a_long_run_with_limits_equals_the_reference(
    name: str, has_mark: bool, klines: Klines
) -> None:
    costs, funding = Costs(liquidation_fee_ratio=0.01), constant_funding(0.0001, 8, klines)
    wider = replace(klines, high=klines.high * 1.002, low=klines.low * 0.998)
    mark = wider if has_mark else None
    arguments = EmaCrossover(), klines, INSTRUMENT, LIMITED[name], costs
    theirs = run_backtest(*arguments, funding=funding, mark=mark)
    ours = run_by_kernel(*arguments, funding=funding, mark=mark).backtest()
    assert ours.trades == theirs.trades
    assert ours.fills == theirs.fills
    assert ours.refusals == theirs.refusals
    np.testing.assert_array_equal(ours.equity_quote, theirs.equity_quote)
    wanted = {
        "isolated": ExitReason.LIQUIDATION,
        "cross": ExitReason.LIQUIDATION,
        "drawdown": ExitReason.MAX_DRAWDOWN,
        "caps": ExitReason.RISK_RULE,
        "at the close": ExitReason.TAKE_PROFIT,
    }
    assert wanted[name] in {trade.exit_reason for trade in theirs.trades}


@pytest.mark.parametrize("margin_mode", MarginMode)
def test_a_hundred_margin_tiers_equal_the_reference(
    margin_mode: MarginMode, klines: Klines
) -> None:
    limits = [2_000.0 * n for n in range(1, 100)]
    tiers = tuple(
        MarginTier(limit, 0.0001 * n, leverage_max=50.0)
        for n, limit in enumerate([*limits, math.inf], 1)
    )
    instrument = Instrument("SYNTHETIC", 0.1, 0.001, margin_tiers=tiers)
    plan = Plan(
        leverage=20.0,
        margin_mode=margin_mode,
        sizing=Sizing(SizingKind.EQUITY_RATIO, 0.9),
        exits=Exits(levels=LevelSource.PLAN),
    )
    arguments = EmaCrossover(), klines, instrument, plan, Costs()
    theirs = run_backtest(*arguments)
    assert max(trade.qty * trade.entry_price for trade in theirs.trades) > limits[70]
    assert ExitReason.LIQUIDATION in {trade.exit_reason for trade in theirs.trades}
    assert run_by_kernel(*arguments).backtest().trades == theirs.trades


@pytest.mark.parametrize(
    "plan", [Plan(intraday_fills_max=3), Plan(reentry=Reentry(trades_per_day_max=3))]
)
def test_a_run_that_has_to_know_the_days_and_does_not_needs_the_reference(
    plan: Plan, klines: Klines
) -> None:
    assert counts_days(plan)
    wants = wants_of(EmaCrossover().signals(klines), rule_columns(plan, klines))
    terms, bars = terms_row(plan, Costs(), INSTRUMENT), bars_of(klines)
    for with_days in (False, True):
        charges = charges_of(Costs(), klines, INSTRUMENT, None, with_days)
        run = run_one(bars, wants, charges, terms, 1.0, 0)
        assert bool(run[slots.NEEDS_REFERENCE]) is not with_days
