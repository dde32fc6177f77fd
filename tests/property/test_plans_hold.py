"""What holds of every run of a plan, whatever the plan, the signals and the market.

Plans are drawn from `plans_random` with most of their parts left plain, so that something trades;
bars and wishes follow from a seed.
"""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from engines.backtest import Backtest, run_backtest
from engines.costs import Costs
from engines.errors import PlanFault
from engines.funding import Funding, constant_funding
from engines.instrument import Instrument
from engines.klines import HOUR_MS, Klines
from engines.margin import MarginTier
from engines.plan import Basis, Direction, EntryKind, Market, Plan
from engines.rules.columns import rule_columns
from engines.signals import Signals
from engines.trades import ExitReason, Side
from engines.types import F64_1D
from strategies.base import SignalStrategy
from tests.property import plans_random as random_plans

START_MS = 1_735_689_600_000  # 2025-01-01T00:00Z, a Wednesday
BARS_MAX = 160
EXAMPLES, EXAMPLES_LONG = 60, 1_500
TICK, STEP = 0.1, 0.001
TIERS = (
    MarginTier(20_000.0, 0.005, 0.0, 100.0),
    MarginTier(100_000.0, 0.01, 100.0, 50.0),
    MarginTier(math.inf, 0.025, 1_600.0, 20.0),
)


@dataclass(frozen=True)
class Wishes(SignalStrategy):
    """Wants what the seed makes it want."""

    seed: int = 0

    @classmethod
    def parameters(cls) -> tuple[()]:
        """Return none: a seed is no parameter."""
        return ()

    def signals(self, klines: Klines) -> Signals:
        """Return random wishes; a few bring a stop, a target, a size or a share of their own."""
        rows = np.random.default_rng([self.seed, 7]).random((BARS_MAX, 8))[: len(klines)]
        enters, is_long = rows[:, 0] < 0.3, rows[:, 1] < 0.5
        side = np.where(is_long, 1, -1)

        def some(column: int, values: F64_1D) -> F64_1D:
            return np.where(rows[:, column] < 0.1, values, np.nan)

        return Signals(
            entry_long=enters & is_long,
            exit_long=rows[:, 2] < 0.05,
            entry_short=enters & ~is_long,
            exit_short=rows[:, 3] < 0.05,
            stop_price=some(4, klines.close * (1 - 0.05 * side * rows[:, 7])),
            target_price=some(5, klines.close * (1 + 0.05 * side * rows[:, 7])),
            size=some(6, 4 * rows[:, 7] + 0.01),
            equity_ratio=some(3, rows[:, 7] + 0.001),
        )


@dataclass(frozen=True)
class Case:
    """One random run."""

    seed: int
    klines: Klines
    instrument: Instrument
    plan: Plan
    costs: Costs
    funding: Funding | None

    def run(self, bars: int | None = None) -> Backtest:
        """Trade the case, or only its first bars."""
        klines = self.klines if bars is None else self.klines.between(0, bars)
        return run_backtest(
            Wishes(self.seed), klines, self.instrument, self.plan, self.costs, funding=self.funding
        )


def klines_of_seed(seed: int, bars: int) -> Klines:
    """Return hourly bars of a restless market around 100, on the tick, some without a wick."""
    source = np.random.default_rng([seed, 1])
    close = 100 * np.exp(np.cumsum(source.normal(0, 0.012, BARS_MAX)))
    gap = np.where(source.random(BARS_MAX) < 0.1, source.normal(0, 0.01, BARS_MAX), 0.0)
    open_ = np.r_[100.0, close[:-1]] * np.exp(gap)
    wick = np.abs(source.normal(0, 0.006, (2, BARS_MAX)))
    wick[source.random((2, BARS_MAX)) < 0.2] = 0.0
    high = np.maximum(open_, close) * (1 + wick[0])
    low = np.minimum(open_, close) * (1 - wick[1])
    on_tick = [np.rint(column / TICK) * TICK for column in (open_, high, low, close)]
    volume = source.integers(0, 500, BARS_MAX).astype(np.float64)
    times = START_MS + HOUR_MS * np.arange(BARS_MAX, dtype=np.int64)
    return Klines(
        "R/USDT:USDT",
        HOUR_MS,
        times,
        open=on_tick[0],
        high=on_tick[1],
        low=on_tick[2],
        close=on_tick[3],
        volume=volume,
    ).between(0, bars)


def _ever_opens(plan: Plan, klines: Klines) -> bool:
    """Return whether bars of an hour can close inside the plan's hours: half an hour may miss."""
    try:
        rule_columns(replace(plan, filters=()), klines)
    except PlanFault:
        return False
    return True


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Return a case in which a few parts of the plan are set and the others plain."""
    plain = Plan()
    seldom = ("filters", "hours", "closes", "reentry", "entry", "ladder", "process_on_close")
    quiet = ("margin_long_ratio", "margin_short_ratio", "limit_verify_ticks", "position_qty_max")
    caps = ("intraday_fills_max", "intraday_loss_ratio_max", "intraday_loss_quote_max")
    loud = set(draw(st.lists(st.sampled_from([*seldom, *quiet, "caps", "exits"]), max_size=4)))
    held = {
        name: st.just(getattr(plain, name))
        for name in (*seldom, *quiet, "exits")
        if name not in loud
    }
    if "caps" not in loud:
        held |= {name: st.just(None) for name in caps}
    plan = draw(random_plans.plans(**held))
    seed = draw(st.integers(0, 2**32 - 1))
    klines = klines_of_seed(seed, draw(st.integers(30, BARS_MAX)))
    assume(_ever_opens(plan, klines))
    hours, rate = draw(st.sampled_from((1, 4, 8))), draw(st.sampled_from((0.0001, -0.0003, 0.004)))
    is_funded = plan.market is Market.LINEAR and draw(st.booleans())
    return Case(
        seed=seed,
        klines=klines,
        instrument=Instrument("R/USDT:USDT", TICK, STEP, margin_tiers=TIERS),
        plan=replace(plan, leverage=min(plan.leverage, 20.0)),
        costs=draw(random_plans.costs()),
        funding=constant_funding(rate, hours, klines) if is_funded else None,
    )


def check_money(case: Case) -> None:
    """Equity is capital, plus and minus every fill and payment, plus what is held, at every bar."""
    result = case.run()
    capital, bars = result.plan.capital_quote, len(result.klines)
    cash, held, paid = np.zeros(bars), np.zeros(bars), 0.0
    for fill in result.fills:
        cash[fill.bar_index] -= fill.side * fill.qty * fill.price + fill.fee_quote
        held[fill.bar_index] += fill.side * fill.qty
    for payment in result.payments:
        cash[payment.bar_index] -= payment.paid_quote
        paid += payment.paid_quote
    expected = capital + np.cumsum(cash) + np.cumsum(held) * result.klines.close
    turnover = capital + sum(fill.qty * fill.price for fill in result.fills)
    np.testing.assert_allclose(result.equity_quote, expected, rtol=0, atol=1e-9 * turnover)
    assert math.fsum(t.funding_quote for t in result.trades) == pytest.approx(
        paid, abs=1e-9 * turnover
    )
    closed = [trade for trade in result.trades if not trade.is_open]
    fees = math.fsum(fill.fee_quote for fill in result.fills)
    booked = math.fsum(t.fee_quote for t in closed)
    booked += math.fsum(t.fee_entry_quote for t in result.trades if t.is_open)
    assert booked == pytest.approx(fees, abs=1e-9 * turnover)
    slipped = math.fsum(fill.slippage_quote for fill in result.fills)
    parts = math.fsum(trade.slippage_quote for trade in result.trades)
    assert parts == pytest.approx(slipped, abs=1e-9 * turnover)


def check_grid(case: Case) -> None:
    """Quantities lie on the step and prices on the tick; nothing has no size."""
    for fill in case.run().fills:
        assert fill.qty > 0
        assert fill.price > 0
        assert abs(fill.qty / STEP - round(fill.qty / STEP)) < 1e-6
        assert abs(fill.price / TICK - round(fill.price / TICK)) < 1e-6


def check_truncation(case: Case) -> None:
    """Taking bars away at the end changes nothing that was before."""
    whole, bars = case.run(), len(case.klines)
    for cut in {bars // 3, bars // 2, bars - 1}:
        part = case.run(cut)
        assert part.fills == tuple(fill for fill in whole.fills if fill.bar_index < cut)


def check_sides(case: Case) -> None:
    """A forbidden side is never opened, and spot never sold short."""
    allowed = case.plan.direction
    for trade in case.run().trades:
        assert allowed is Direction.BOTH or trade.side.is_long == (allowed is Direction.LONG)


def check_rules_of_entry(case: Case) -> None:
    """Whoever enters at market was allowed to by filters and hours at the deciding close."""
    result = case.run()
    plan = result.plan
    if plan.entry.kind is not EntryKind.MARKET or plan.process_on_close:
        return
    rules = rule_columns(plan, case.klines)
    for trade in result.trades:
        column = rules.may_long if trade.side.is_long else rules.may_short
        if trade.entry_name in ("long", "short") and column is not None:
            assert column[trade.entry_bar - 1]


def check_hours(case: Case) -> None:
    """Nothing is held past a session's end, into a weekend, or longer than its bars."""
    result = case.run()
    plan, bars = result.plan, len(case.klines)
    rules = rule_columns(plan, case.klines)
    delay = 0 if plan.process_on_close else 1
    for column in (rules.session_close, rules.weekend_close):
        for trade in result.trades if column is not None else ():
            assert column is not None
            shut = np.flatnonzero(column[trade.entry_bar :]) + trade.entry_bar
            if len(shut) and not (trade.is_open and shut[0] == bars - 1):
                assert trade.exit_bar <= shut[0] + delay
    held_max = plan.hours.bars_held_max
    for trade in result.trades if held_max is not None else ():
        assert held_max is not None
        if not trade.is_open:
            assert trade.bars_held <= held_max + delay


def check_reentry(case: Case) -> None:
    """Entries keep their distance from exits and stay within the day's number."""
    result = case.run()
    rules, plan = result.plan.reentry, result.plan
    if plan.entry.kind is not EntryKind.MARKET or plan.process_on_close or plan.is_hedged:
        return
    entries = {(t.entry_bar, t.side): t for t in result.trades if t.entry_name in ("long", "short")}
    exits = [(trade.exit_bar, trade.pnl_quote) for trade in result.trades if not trade.is_open]
    zone = ZoneInfo(case.instrument.time_zone)
    days = Counter(
        datetime.fromtimestamp(t.entry_time_ms / 1000, UTC).astimezone(zone).date()
        for t in entries.values()
    )
    if rules.trades_per_day_max is not None:
        assert all(count <= rules.trades_per_day_max for count in days.values())
    for bar, _ in entries:
        decided = bar - 1
        before = [exit_bar for exit_bar, _ in exits if exit_bar <= decided]
        if before and rules.delay_bars:
            assert decided - max(before) >= rules.delay_bars


def check_reasons(case: Case) -> None:
    """A trade's reason fits what happened to it."""
    result = case.run()
    for trade in result.trades:
        assert trade.is_open == (trade.exit_reason is ExitReason.END_OF_DATA)
        gain = trade.side * (trade.exit_price - trade.entry_price)
        if result.plan.basis is not Basis.ENTRY:
            continue
        if trade.exit_reason is ExitReason.ATR_TP:
            assert gain >= -1e-9
        if trade.exit_reason is ExitReason.ATR_SL:
            assert gain <= 1e-9
    if any(trade.exit_reason is ExitReason.MAX_DRAWDOWN for trade in result.trades):
        last = max(t.exit_bar for t in result.trades if t.exit_reason is ExitReason.MAX_DRAWDOWN)
        assert all(trade.entry_bar <= last for trade in result.trades)


def check_rungs(case: Case) -> None:
    """A rung only ever adds to a position of its side."""
    result = case.run()
    if result.plan.ladder is None:
        return
    held = {Side.BUY: 0, Side.SELL: 0} if result.plan.is_hedged else None
    net = 0
    for fill in result.fills:
        steps = round(fill.qty / STEP)
        is_rung = fill.name.startswith(("long", "short")) and fill.name not in ("long", "short")
        if held is None:
            assert not is_rung or net * fill.side > 0
            net += fill.side * steps
        elif fill.name.startswith(("long", "short")):
            assert not is_rung or held[fill.side] > 0
            held[fill.side] += steps
        else:
            held[fill.side.opposite] -= steps


CHECKS = (
    check_money,
    check_grid,
    check_truncation,
    check_sides,
    check_rules_of_entry,
    check_hours,
    check_reentry,
    check_reasons,
    check_rungs,
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@settings(max_examples=EXAMPLES)
@given(case=cases())
def test_plan_holds_its_promise(check: Callable[[Case], None], case: Case) -> None:
    check(case)


@pytest.mark.long
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@settings(max_examples=EXAMPLES_LONG)
@given(case=cases())
def test_plan_holds_its_promise_on_thousands(check: Callable[[Case], None], case: Case) -> None:
    check(case)
