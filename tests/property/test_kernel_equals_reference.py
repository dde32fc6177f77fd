"""The kernel's run equals the reference's: every trade, fill, payment and refusal, and equity.

Plans are drawn from `plans_random` within what the kernel accepts, bars and wishes from a seed. A
kernel that cannot be equal has to refuse, so a difference of one bit anywhere is a failure.
"""

from dataclasses import dataclass, fields, replace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.verify import first_metric_difference
from engines.backtest import Backtest, run_backtest
from engines.costs import Costs
from engines.errors import PlanFault
from engines.funding import constant_funding
from engines.instrument import Instrument
from engines.kernels.backtest import run_by_kernel
from engines.kernels.outcome import Outcome
from engines.klines import MINUTE_MS, Klines
from engines.metrics.columns import trade_columns
from engines.metrics.measure import measure
from engines.plan import (
    Breakeven,
    Exits,
    LevelSource,
    Market,
    Plan,
    PositionMode,
    Sizing,
    SizingKind,
    Target,
    Trailing,
)
from engines.synthetic import synthetic_klines
from engines.trades import ExitReason
from engines.wishes import Tradable, makes_signals
from strategies.registry import REGISTRY
from tests.property import plans_random as random_plans
from tests.property.test_plans_hold import BARS_MAX, TICK, TIERS, Wishes, klines_of_seed

EXAMPLES, EXAMPLES_LONG, SEEDS = 300, 12_000, 8  # plans, and runs of each
ONLY_REFERENCE = {"channel_breakout"}  # orders of its own
PARTS = {
    "exits": ("exits",),
    "hours": ("hours",),
    "closes": ("closes",),
    "reentry": ("reentry",),
    "filters": ("filters",),
    "ladder": ("ladder",),
    "entry": ("entry",),
    "margin": ("margin_long_ratio", "margin_short_ratio"),
    "verify": ("limit_verify_ticks",),
    "room": ("position_qty_max",),
    "leverage": ("leverage", "margin_mode"),
    "caps": ("intraday_fills_max", "intraday_loss_ratio_max", "intraday_loss_quote_max"),
    "settles": ("process_on_close",),
    "drawdown": (),
}
INSTRUMENTS = (
    Instrument("R/USDT:USDT", TICK, 0.001, margin_tiers=TIERS),
    Instrument("R/USDT:USDT", TICK, 0.001, qty_min=0.5, notional_min=100.0, margin_tiers=TIERS),
    Instrument(
        "R/USDT:USDT", 0.05, 0.03, point_value=0.7, time_zone="America/New_York", margin_tiers=TIERS
    ),
    Instrument("R/USDT:USDT", TICK, 1.0, point_value=2.0, margin_tiers=TIERS),
)


def assert_equal(outcome: Outcome, theirs: Backtest) -> None:
    """Fail at the first thing in which a kernel's run differs from the reference's."""
    ours = outcome.backtest()
    for own, other in zip(ours.trades, theirs.trades, strict=False):
        assert own == other
    assert len(ours.trades) == len(theirs.trades)
    assert ours.fills == theirs.fills
    assert ours.payments == theirs.payments
    assert ours.refusals == theirs.refusals
    np.testing.assert_array_equal(ours.equity_quote, theirs.equity_quote)
    assert ours.plan == theirs.plan
    assert ours.start_bar == theirs.start_bar
    wanted = trade_columns(theirs.trades)
    for item in fields(wanted):
        own, other = getattr(outcome.trades, item.name), getattr(wanted, item.name)
        np.testing.assert_array_equal(own, other)
        assert own.dtype == other.dtype


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Return a plan that the kernel accepts, with some of its parts left plain."""
    plain = Plan()
    loud = draw(st.sets(st.sampled_from(sorted(PARTS)), min_size=3, max_size=7))
    held: dict[str, st.SearchStrategy[Any]] = {"pyramiding": st.sampled_from((0, 1, 1, 2, 3, 5))}
    if "drawdown" not in loud:
        held["exits"] = random_plans.exits().map(lambda own: replace(own, drawdown_ratio_max=None))
    for name, parts in PARTS.items():
        if name not in loud:
            held |= {part: st.just(getattr(plain, part)) for part in parts}
    return draw(random_plans.plans(**held))


@dataclass(frozen=True)
class Terms:
    """What several random runs share."""

    bars: int
    instrument: Instrument
    plan: Plan
    costs: Costs
    funding_rate: float | None
    funding_hours: int
    has_mark: bool


@st.composite
def terms(draw: st.DrawFn) -> Terms:
    """Return the terms of runs that the kernel accepts."""
    return Terms(
        bars=draw(st.integers(2, BARS_MAX)),
        instrument=draw(st.sampled_from(INSTRUMENTS)),
        plan=draw(plans()),
        costs=draw(random_plans.costs()),
        funding_rate=draw(st.sampled_from((None, None, 0.0001, -0.0003, 0.004))),
        funding_hours=draw(st.sampled_from((1, 4, 8))),
        has_mark=draw(st.booleans()),
    )


def mark_of(klines: Klines, seed: int) -> Klines:
    """Return mark bars beside the traded ones: a little elsewhere, and one in ten is missing."""
    source = np.random.default_rng([seed, 2])
    there = (source.random(len(klines)) < 0.9) | (len(klines) < 50)  # few gaps hide the interval
    there[0] = True
    shift = np.exp(source.normal(0, 0.01, len(klines)))
    open_, high, low, close = (
        (getattr(klines, name) * shift)[there] for name in ("open", "high", "low", "close")
    )
    return replace(
        klines,
        open_time_ms=klines.open_time_ms[there],
        open=open_,
        high=high,
        low=low,
        close=close,
        volume=klines.volume[there],
    )


def check(terms: Terms, seed: int) -> None:
    """Run the terms both ways on the bars and wishes of a seed."""
    klines = klines_of_seed(seed, terms.bars)
    funding = None
    if terms.funding_rate is not None and terms.plan.market is Market.LINEAR:
        funding = constant_funding(terms.funding_rate, terms.funding_hours, klines)
    mark = mark_of(klines, seed) if terms.has_mark else None
    arguments = Wishes(seed), klines, terms.instrument, terms.plan, terms.costs
    try:
        theirs = run_backtest(*arguments, funding=funding, mark=mark)
    except PlanFault:  # Bars of an hour can close outside hours that half an hour would meet.
        with pytest.raises(PlanFault):
            run_by_kernel(*arguments, funding=funding, mark=mark)
        return
    assert_equal(run_by_kernel(*arguments, funding=funding, mark=mark), theirs)


@settings(max_examples=EXAMPLES)
@given(terms=terms(), seed=st.integers(0, 2**32 - 1 - SEEDS))
def test_kernel_equals_reference_on_random_plans(terms: Terms, seed: int) -> None:
    for own in range(seed, seed + SEEDS):
        check(terms, own)


@pytest.mark.long
@settings(max_examples=EXAMPLES_LONG)
@given(terms=terms(), seed=st.integers(0, 2**32 - 1 - SEEDS))
def test_kernel_equals_reference_on_many_random_plans(terms: Terms, seed: int) -> None:
    for own in range(seed, seed + SEEDS):
        check(terms, own)


STRATEGY_PLANS = {
    "plain": Plan(),
    "all in": Plan(sizing=Sizing(SizingKind.EQUITY_RATIO, 1.0)),
    "stop and target": Plan(exits=Exits(stop_loss_ratio=0.01, take_profit_ratio=0.02)),
    "targets, trailed": Plan(
        exits=Exits(
            stop_atr=2.0,
            targets=(Target(0.004, 0.5), Target(0.01, 0.3), Target(0.03, 0.2)),
            trailing=Trailing(0.006, 0.004),
            breakeven=Breakeven(0.003, 0.001),
        ),
        sizing=Sizing(SizingKind.RISK, 0.01),
    ),
    "both sides": Plan(
        position_mode=PositionMode.HEDGE,
        pyramiding=2,
        exits=Exits(stop_loss_ratio=0.02, trailing=Trailing(0.006, 0.004)),
        sizing=Sizing(SizingKind.EQUITY_RATIO, 0.2),
    ),
}


@pytest.fixture(scope="module")
def klines() -> Klines:
    """Return two months of synthetic bars."""
    return synthetic_klines(6_000, 15 * MINUTE_MS, seed=11)


@pytest.mark.parametrize("plan", STRATEGY_PLANS.values(), ids=STRATEGY_PLANS)
@pytest.mark.parametrize("name", REGISTRY)
def test_kernel_equals_reference_on_built_in_strategies(
    name: str, plan: Plan, klines: Klines
) -> None:
    strategy = cast(Tradable, REGISTRY[name].load()())
    costs = Costs(slippage_ticks=2)
    instrument = Instrument("SYNTHETIC", 0.1, 0.001)
    funding = constant_funding(0.0001, 8, klines)
    if not makes_signals(strategy):
        assert name in ONLY_REFERENCE
        return
    ours = run_by_kernel(strategy, klines, instrument, plan, costs, funding=funding)
    theirs = run_backtest(strategy, klines, instrument, plan, costs, funding=funding)
    assert len(theirs.trades) > 5
    assert_equal(ours, theirs)
    np.testing.assert_equal(measure(ours), measure(theirs))
    assert not first_metric_difference(theirs, ours.summary)


def test_a_margin_call_for_more_steps_than_whole_numbers_hold_closes_all() -> None:
    klines = klines_of_seed(29, 35)
    plan = Plan(
        capital_quote=1_000.0,
        sizing=Sizing(SizingKind.QTY, 55.0),
        exits=Exits(levels=LevelSource.PLAN),
        margin_long_ratio=0.0,
        margin_short_ratio=1e-149,
    )
    arguments = Wishes(29), klines, INSTRUMENTS[0], plan, Costs(commission=0.0)
    theirs = run_backtest(*arguments)
    assert theirs.trades[-1].exit_reason is ExitReason.MARGIN_CALL
    assert_equal(run_by_kernel(*arguments), theirs)
