"""The kernel's parts by themselves: ten digits, the search, the sums of many sets, refusals."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.backtest import run_backtest
from engines.costs import Costs
from engines.errors import PlanFault
from engines.instrument import Instrument
from engines.kernels import rounding, search, slots
from engines.kernels._compiled import stamp_of
from engines.kernels.backtest import run_by_kernel
from engines.kernels.cpu import bars_of, run_many, run_one
from engines.kernels.machine import exact
from engines.kernels.plan_terms import (
    price_range,
    refusal,
    refusal_of_signals,
    terms_row,
    terms_table,
)
from engines.kernels.summary import FIGURES, SUMMARY
from engines.kernels.wants import charges_of, ends_once, wants_of
from engines.klines import MINUTE_MS, Klines
from engines.plan import (
    CustomLadder,
    Exits,
    Hours,
    LevelSource,
    Plan,
    Rung,
    Session,
    Sizing,
    SizingKind,
)
from engines.rules.columns import rule_columns
from engines.signals import Signals
from engines.synthetic import synthetic_klines
from strategies.ema_crossover import EmaCrossover
from strategies.rsi_mean_reversion import RsiMeanReversion

INSTRUMENT = Instrument("SYNTHETIC", 0.1, 0.001)
LADDER = CustomLadder(rungs=(Rung(0.0, 0.5), Rung(0.01, 0.5)))


@pytest.fixture(scope="module")
def klines() -> Klines:
    """Return bars that fill three blocks of 4096, the last in part."""
    return synthetic_klines(9_000, 15 * MINUTE_MS, seed=3)


def ten_digits(value: float) -> float:
    """Return what the kernel makes of a value, in plain Python."""
    run = np.zeros(slots.RUN)
    rounded = rounding.ten_digits(run, value)
    assert not run[slots.NEEDS_REFERENCE]
    return rounded


@settings(max_examples=1_500)
@given(st.floats(1e-12, 9e20))
def test_ten_digits_are_those_of_the_decimal_text(value: float) -> None:
    assert ten_digits(value) == float(f"{value:.10g}")


@settings(max_examples=1_500)
@given(st.integers(10**9, 10**10 - 1), st.integers(-20, 10), st.sampled_from((-1, 0, 1)))
def test_ten_digits_are_right_beside_and_at_a_tie(digits: int, power: int, step: int) -> None:
    tie = (digits + 0.5) * 10.0**power
    value = tie if step == 0 else math.nextafter(tie, step * math.inf)
    assert ten_digits(value) == float(f"{value:.10g}")


def test_money_that_cannot_be_scaled_exactly_needs_the_reference() -> None:
    run = np.zeros(slots.RUN)
    rounding.ten_digits(run, 1e23)
    assert run[slots.NEEDS_REFERENCE]
    assert ten_digits(-5.0) == ten_digits(0.0) == ten_digits(1e-30) == 0.0


@settings(max_examples=1_500)
@given(st.lists(st.floats(-1e9, 1e9) | st.sampled_from((1e16, -1e16, 0.5, 2.0**-60)), max_size=40))
def test_exact_sums_are_those_of_fsum(values: list[float]) -> None:
    run = np.zeros(slots.RUN)
    for value in values:
        exact.add_exactly(run, slots.TOTAL, value)
    if not run[slots.NEEDS_REFERENCE]:
        assert exact.total_of(run, slots.TOTAL) == math.fsum(values)


def test_a_sum_of_too_many_parts_needs_the_reference() -> None:
    run = np.zeros(slots.RUN)
    for power in range(slots.PARTS_MAX):
        exact.add_exactly(run, slots.TOTAL, 1e-300 * 1e30**power)
    assert not run[slots.NEEDS_REFERENCE]
    exact.add_exactly(run, slots.TOTAL, 1e300)
    assert run[slots.NEEDS_REFERENCE]


def test_search_finds_the_bar_that_a_look_at_each_bar_finds(klines: Klines) -> None:
    source, bars = np.random.default_rng(5), bars_of(klines)
    for _ in range(400):
        start, stop = np.sort(source.integers(0, len(klines), 2)).tolist()
        price = klines.close[start]
        down, up = price * (1 - source.exponential(0.05)), price * (1 + source.exponential(0.05))
        hits = (klines.high[start:stop] >= up) | (klines.low[start:stop] <= down)
        expected = start + int(np.argmax(hits)) if hits.any() else stop
        assert search.first_touch(bars.reach, len(klines), start, stop, down, up) == expected
        high, low = search.extremes(bars.reach, len(klines), start, stop)
        assert high == max(klines.high[start:stop], default=-math.inf)
        assert low == min(klines.low[start:stop], default=math.inf)


def test_loose_extremes_are_those_of_the_blocks_that_cover_the_bars() -> None:
    klines = synthetic_klines(30_000, MINUTE_MS, seed=3)
    source, bars = np.random.default_rng(6), bars_of(klines)
    for _ in range(400):
        start, stop = np.sort(source.integers(0, len(klines), 2)).tolist()
        whole = slice(start // 64 * 64, (stop + 64) // 64 * 64)
        high, low = search.loose_extremes(bars.reach, len(klines), start, stop + 1)
        assert (high, low) == (klines.high[whole].max(), klines.low[whole].min())


def test_sums_of_many_sets_with_ladders_are_those_of_their_own_runs(klines: Klines) -> None:
    strategy, costs = RsiMeanReversion(), Costs()
    rungs = tuple(Rung(offset / 500, 0.125) for offset in range(8))
    exits = Exits(take_profit_ratio=0.004)
    plans = [
        Plan(exits=exits),
        Plan(exits=exits, ladder=CustomLadder(rungs=rungs, refill=True), pyramiding=8),
        Plan(exits=exits, ladder=LADDER, pyramiding=2),
    ]
    wants = wants_of(strategy.signals(klines), rule_columns(plans[0], klines))
    terms = terms_table([terms_row(plan, costs, INSTRUMENT) for plan in plans])
    found = np.empty((len(plans), FIGURES + 1))
    run_many(bars_of(klines), wants, charges_of(costs, klines, INSTRUMENT, None), terms, found)
    trades = found[:, SUMMARY.index("trades")].tolist()
    for plan, count in zip(plans, trades, strict=True):
        result = run_by_kernel(strategy, klines, INSTRUMENT, plan, costs).backtest()
        assert count == sum(not trade.is_open for trade in result.trades) > 3
    assert trades[1] > trades[0]


def test_a_night_and_a_weekend_are_one_end_each_however_many_bars_they_have(
    klines: Klines,
) -> None:
    plan = Plan(hours=Hours(session=Session("08:00", "16:00"), weekend_exit_hour=12))
    theirs = rule_columns(plan, klines)
    own = ends_once(theirs)
    assert theirs.session_close is not None and theirs.weekend_close is not None
    assert own.session_close is not None and own.weekend_close is not None
    assert theirs.may_long is not None
    ends = theirs.session_close | theirs.weekend_close
    listed = own.session_close | own.weekend_close
    is_idle = ends & ~theirs.may_long
    # Each close that ends anything is listed, or the close before it left nothing to end.
    assert ((listed == ends) | np.concatenate([[False], is_idle[:-1]])).all()
    evenings = len(klines) / 96 * 5 / 7
    assert abs(np.count_nonzero(listed) - evenings) < 3 < np.count_nonzero(ends) / evenings


def test_a_run_whose_lots_do_not_fit_says_so_and_comes_again(klines: Klines) -> None:
    plan = Plan(exits=Exits(take_profit_ratio=0.02), pyramiding=4)
    strategy, costs = RsiMeanReversion(), Costs()
    wants = wants_of(strategy.signals(klines), rule_columns(plan, klines))
    charges, terms = charges_of(costs, klines, INSTRUMENT, None), terms_row(plan, costs, INSTRUMENT)
    assert run_one(bars_of(klines), wants, charges, terms, 1.0, 0)[slots.OVERFLOWS]
    found = np.empty((2, FIGURES + 1))
    narrow = terms.copy()
    narrow[slots.LOTS_ROOM] = 1
    run_many(bars_of(klines), wants, charges, np.array([terms, narrow]), found)
    np.testing.assert_array_equal(found[0], found[1])
    trades = run_backtest(strategy, klines, INSTRUMENT, plan, costs).trades
    assert found[0, SUMMARY.index("trades")] == sum(not trade.is_open for trade in trades)


def test_kelly_over_hundreds_of_positions_equals_the_reference(klines: Klines) -> None:
    exits = Exits(stop_loss_ratio=0.003, take_profit_ratio=0.02, levels=LevelSource.PLAN)
    plan = Plan(sizing=Sizing(SizingKind.KELLY, 0.9, ratio_min=0.01, trades=300), exits=exits)
    strategy = EmaCrossover(fast=3, slow=15, require_trend=False)
    arguments = strategy, klines, INSTRUMENT, plan, Costs(commission=0.0)
    theirs = run_backtest(*arguments)
    assert len(theirs.trades) > 2 * 300
    values = [trade.qty * trade.entry_price for trade in theirs.trades[300:]]
    assert max(values) > 2 * min(values)
    assert run_by_kernel(*arguments).backtest().trades == theirs.trades


def test_notes_beyond_the_room_are_counted_and_not_written(klines: Klines) -> None:
    strategy, plan, costs = RsiMeanReversion(), Plan(), Costs()
    wants = wants_of(strategy.signals(klines), rule_columns(plan, klines))
    charges = charges_of(costs, klines, INSTRUMENT, None)
    terms = terms_row(plan, costs, INSTRUMENT)
    full, short = (run_one(bars_of(klines), wants, charges, terms, 1.0, rows) for rows in (500, 3))
    assert 3 < full[slots.NOTED] == short[slots.NOTED] < 500
    first = int(short[slots.NOTES_AT])
    assert len(short) == first + 3 * slots.NOTE
    rows = [run[first:].reshape(-1, slots.NOTE)[:3] for run in (full, short)]
    noted = [slots.KIND, slots.F_BAR, slots.F_ORDER]  # a fill's row has places without a meaning
    np.testing.assert_array_equal(rows[0][:, noted], rows[1][:, noted])


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        (Plan(exits=Exits(take_profit_ratio=1e9)), "exact ticks"),
        (Plan(sizing=Sizing(SizingKind.QTY, 1e15)), "exact ticks"),
    ],
)
def test_what_the_kernel_cannot_run_is_refused_by_name(
    plan: Plan, reason: str, klines: Klines
) -> None:
    assert reason in str(refusal(plan, Costs(), INSTRUMENT, price_range(klines)))
    with pytest.raises(PlanFault, match=reason):
        run_by_kernel(RsiMeanReversion(), klines, INSTRUMENT, plan, Costs())


@pytest.mark.parametrize(
    ("name", "value"),
    [("stop_price", math.inf), ("target_price", 1e300), ("size", -1.0), ("equity_ratio", math.inf)],
)
def test_wishes_that_stop_the_reference_are_left_to_it(name: str, value: float) -> None:
    enters, never = np.array([False, True]), np.zeros(2, dtype=np.bool_)
    column: dict[str, Any] = {name: np.array([value, math.nan])}
    plain = Signals(enters, never, never, never)
    assert refusal_of_signals(replace(plain, **column), INSTRUMENT) is None
    column = {name: np.array([math.nan, value])}
    found = refusal_of_signals(replace(plain, **column), INSTRUMENT)
    assert found is not None
    assert name in found


@pytest.mark.parametrize("bars", [1, 7, 8, 9, 130])
def test_a_level_out_of_bounds_counts_wherever_an_entry_reads_it(bars: int) -> None:
    sides = np.random.default_rng(bars).integers(0, 3, bars)
    never = np.zeros(bars, dtype=np.bool_)
    wishes = Signals(sides == 1, never, sides == 2, never)
    for bar in range(bars):
        column = np.full(bars, math.nan)
        column[bar] = math.inf
        found = refusal_of_signals(replace(wishes, stop_price=column), INSTRUMENT)
        assert (found is not None) == (sides[bar] != 0)


def test_a_run_from_a_later_bar_equals_the_reference(klines: Klines) -> None:
    since_ms = int(klines.open_time_ms[4_500])
    arguments = RsiMeanReversion(), klines, INSTRUMENT, Plan(), Costs()
    ours = run_by_kernel(*arguments, since_ms=since_ms).backtest()
    theirs = run_backtest(*arguments, since_ms=since_ms)
    assert ours.trades == theirs.trades
    assert ours.start_bar == theirs.start_bar == 4_500
    assert theirs.trades[0].entry_bar > 4_500


def test_the_stamp_of_the_rules_tells_one_source_from_another() -> None:
    first, again, other = stamp_of(vars(rounding)), stamp_of(vars(rounding)), stamp_of(vars(search))
    assert first == again != 0
    assert first != other
