"""What holds of every run, whatever a strategy says and whatever the market does."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from unittest.mock import patch
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings

from engines.backtest import Backtest
from engines.broker import Broker
from engines.caps import FILLS_CAP_NAME, LOSS_CAP_NAME
from engines.costs import CommissionKind
from engines.execution import MARGIN_CALL_NAME
from engines.plan import Direction
from engines.trades import Fill, Trade
from tests.property.strategies_random import CASES, Case

FORCED = (FILLS_CAP_NAME, LOSS_CAP_NAME)
EXIT_NAMES = ("X1", "X2", "X3", "C", "signal", "stop_loss", "take_profit")
REDUCERS = (*EXIT_NAMES, MARGIN_CALL_NAME, *FORCED)
EXAMPLES, EXAMPLES_LONG = 150, 4_000


@dataclass(frozen=True)
class Step:
    """One fill with the position around it, in whole quantity steps."""

    fill: Fill
    before: int
    after: int

    @property
    def closed(self) -> int:
        """Return how much of the fill closed."""
        return min(abs(self.after - self.before), abs(self.before)) if self.is_against else 0

    @property
    def opened(self) -> int:
        """Return how much of the fill opened."""
        return abs(self.after - self.before) - self.closed

    @property
    def is_against(self) -> bool:
        """Return whether the fill is opposite to what was held."""
        return self.before * self.fill.side < 0


def steps_of(case: Case, result: Backtest) -> list[Step]:
    """Return the fills with the positions around them."""
    steps, held = [], 0
    for fill in result.fills:
        after = held + fill.side * round(fill.qty / case.instrument.qty_step)
        steps.append(Step(fill, held, after))
        held = after
    return steps


def kind_of(fill: Fill) -> str:
    """Return the kind of order behind a fill, as its name tells."""
    return fill.name.partition("@")[0]


def check_truncation(case: Case) -> None:
    """Taking bars away at the end changes nothing that was before."""
    whole, seen = case.run_watched()
    bars = len(case.klines)
    for cut in {1, bars // 3 or 1, bars // 2 or 1, bars - 1}:
        part, part_seen = case.first(cut).run_watched()
        assert part.fills == tuple(fill for fill in whole.fills if fill.bar_index < cut)
        closed = [trade for trade in part.trades if not trade.is_open]
        assert closed == [t for t in whole.trades if not t.is_open and t.exit_bar < cut]
        assert part_seen == seen[:cut]
        np.testing.assert_allclose(part.equity_quote, whole.equity_quote[:cut], rtol=1e-9)


def check_money(case: Case) -> None:
    """Equity at each close is capital, the cash of all fills, and the value of what is held."""
    result = case.run()
    if case.rates is not None:
        closed = sum(t.pnl_quote for t in result.trades if not t.is_open)
        opened = [t for t in result.trades if t.is_open]
        value = sum(
            t.side * t.qty * (result.klines.close[-1] - t.entry_price) for t in opened
        ) * case.instrument.point_value * float(case.rates[-1])  # fmt: skip # one product
        fees = sum(t.fee_entry_quote for t in opened)
        final = case.plan.capital_quote + closed + value - fees
        assert math.isclose(result.equity_quote[-1], final, rel_tol=1e-9, abs_tol=1e-6)
        return
    bars, unit = len(case.klines), case.instrument.point_value
    cash, qty = np.zeros(bars), np.zeros(bars)
    for fill in result.fills:
        cash[fill.bar_index] -= fill.side * fill.qty * fill.price * unit + fill.fee_quote
        qty[fill.bar_index] += fill.side * fill.qty
    equity = case.plan.capital_quote + cash.cumsum()
    equity += qty.cumsum() * case.klines.close * unit
    scale = max(case.plan.capital_quote, float(np.abs(equity).max()))
    np.testing.assert_allclose(result.equity_quote, equity, rtol=0, atol=1e-9 * scale)


def check_fees(case: Case) -> None:
    """Every fill pays its commission once, and the trades carry all of it."""
    result, costs = case.run(), case.costs
    for fill in result.fills:
        rate = 1.0 if case.rates is None else float(case.rates[fill.bar_index])
        notional_quote = fill.qty * fill.price * case.instrument.point_value * rate
        owed = {
            CommissionKind.RATIO: costs.commission * notional_quote,
            CommissionKind.PER_CONTRACT: costs.commission * fill.qty,
            CommissionKind.PER_ORDER: costs.commission,
        }[costs.commission_kind]
        assert math.isclose(fill.fee_quote, owed, rel_tol=1e-12)
    carried = sum(t.fee_entry_quote if t.is_open else t.fee_quote for t in result.trades)
    assert math.isclose(carried, sum(f.fee_quote for f in result.fills), rel_tol=1e-9)


def check_reducers(case: Case) -> None:
    """An exit, a close or a forced close shrinks the position and never flips it."""
    for step in steps_of(case, case.run()):
        if kind_of(step.fill) in REDUCERS:
            assert step.is_against, step
            assert step.opened == 0, step


def check_lots(case: Case) -> None:
    """Trades add up to fills: at every close, for every entry and for every exit."""
    result, seen = case.run_watched()
    unit = case.instrument.qty_step
    opened: Counter[tuple[object, ...]] = Counter()
    closed: Counter[tuple[object, ...]] = Counter()
    moved = np.zeros(len(case.klines), dtype=np.int64)
    for step in steps_of(case, result):
        fill = step.fill
        moved[fill.bar_index] += step.after - step.before
        opened[fill.bar_index, fill.price, fill.name, fill.side] += step.opened
        closed[fill.bar_index, fill.price, fill.name, -fill.side] += step.closed
    lots = np.zeros(len(case.klines) + 1, dtype=np.int64)
    for trade in result.trades:
        steps = round(trade.qty / unit)
        assert steps > 0
        lots[trade.entry_bar] += trade.side * steps
        opened[trade.entry_bar, trade.entry_price, trade.entry_name, trade.side] -= steps
        if not trade.is_open:
            lots[trade.exit_bar] -= trade.side * steps
            closed[trade.exit_bar, trade.exit_price, trade.exit_name, trade.side] -= steps
    assert not any(opened.values()), opened
    assert not any(closed.values()), closed
    assert (lots[:-1] == moved).all()
    if seen and not case.settles:
        assert [round(qty / unit) for qty in seen] == moved.cumsum().tolist()


def check_prices(case: Case) -> None:
    """A fill lies on the tick and, but for slippage, within its bar; its quantity on the step."""
    result = case.run()
    tick, unit = case.instrument.tick_size, case.instrument.qty_step
    for fill in result.fills:
        ticks, slip = round(fill.price / tick), case.costs.slippage_ticks
        assert fill.price == case.instrument.price_of(ticks)
        low = round(float(case.klines.low[fill.bar_index]) / tick)
        high = round(float(case.klines.high[fill.bar_index]) / tick)
        # A cap of fills closes at the very price of the last fill, which had slipped the other way.
        down, up = (slip, slip) if fill.name == FILLS_CAP_NAME else _slips(fill, slip)
        assert low - down <= ticks <= high + up, fill
        assert fill.qty > 0
        assert fill.qty == case.instrument.qty_of(round(fill.qty / unit))


def _slips(fill: Fill, ticks: int) -> tuple[int, int]:
    return (0, ticks) if fill.side > 0 else (ticks, 0)


def check_decisions(case: Case) -> None:
    """Nothing fills before the bar after the decision, unless it was to fill at the close."""
    for fill in case.run().fills:
        decided = fill.name.partition("@")[2]
        if decided:
            assert fill.bar_index > int(decided) - case.settles, fill


def _noisy(stack: ExitStack) -> None:
    """Let the broker play every bar, also those in which nothing waits, all along its path."""
    stack.enter_context(patch.object(Broker, "is_quiet", lambda self, bar_index: False))
    stack.enter_context(patch.object(Broker, "next_busy", lambda self, start, stop: start))
    stack.enter_context(patch.object(Broker, "_is_untouched", lambda self, high, low: False))


def check_repetition(case: Case) -> None:
    """A second run, and one that plays also the quiet bars, give the same."""
    first, seen = case.run_watched()
    with ExitStack() as stack:
        _noisy(stack)
        noisy, noisy_seen = case.run_watched()
    for other, other_seen in (case.run_watched(), (noisy, noisy_seen)):
        assert other.fills == first.fills
        assert other.trades == first.trades
        assert other.refusals == first.refusals
        assert other_seen == seen
        assert (other.equity_quote == first.equity_quote).all()


def check_caps(case: Case) -> None:
    """No day has more fills than allowed, no position is larger or on the forbidden side."""
    result, plan = case.run(), case.plan
    zone = ZoneInfo(case.instrument.time_zone)
    days: defaultdict[object, list[Fill]] = defaultdict(list)
    for step in steps_of(case, result):
        fill = step.fill
        day = datetime.fromtimestamp(fill.time_ms / 1000, UTC).astimezone(zone).date()
        assert not any(earlier.name in FORCED for earlier in days[day]), "a fill after the halt"
        days[day].append(fill)
        if step.opened and plan.position_qty_max is not None:
            assert abs(step.after) <= round(plan.position_qty_max / case.instrument.qty_step)
        if step.opened and plan.direction is not Direction.BOTH:
            assert (step.after > 0) == (plan.direction is Direction.LONG)
    for fills in days.values() if plan.intraday_fills_max else ():
        counted = [f for f in fills if f.name not in (*FORCED, MARGIN_CALL_NAME)]
        assert len(counted) <= (plan.intraday_fills_max or 0)


def check_margin(case: Case) -> None:
    """Where nothing was filled, no point of the bar called for margin or for the cap of losses.

    So neither is ever missed; bars in which something filled are checked at their close.
    """
    if case.settles:
        return
    result, plan, klines = case.run(), case.plan, case.klines
    rates = np.ones(len(klines)) if case.rates is None else case.rates
    unit = case.instrument.qty_step * case.instrument.point_value * rates
    held = np.zeros(len(klines))
    for step in steps_of(case, result):
        held[step.fill.bar_index] += step.after - step.before
    held = held.cumsum() * unit
    filled = {fill.bar_index for fill in result.fills}
    forced = {f.bar_index for f in result.fills if f.name in (*FORCED, MARGIN_CALL_NAME)}
    floor = _loss_floor(case, result)  # of one currency: how a rate moves it is not settled
    for bar in np.flatnonzero(held).tolist():
        ratio = plan.margin_long_ratio if held[bar] > 0 else plan.margin_short_ratio
        for price in (klines.close[bar], klines.high[bar], klines.low[bar]):
            if bar in forced or (bar in filled and price != klines.close[bar]):
                continue
            equity = result.equity_quote[bar] + held[bar] * (price - klines.close[bar])
            needed = abs(held[bar]) * price * ratio
            assert needed <= equity + 1e-9 * abs(equity) or not ratio, (bar, price)
            assert case.rates is not None or equity > floor[bar] - 1e-6, (bar, price)


def _loss_floor(case: Case, result: Backtest) -> list[float]:
    """Return the equity at which the cap of losses closes the position, for each bar."""
    zone, plan, floors, day = ZoneInfo(case.instrument.time_zone), case.plan, [], None
    for bar, time_ms in enumerate(case.klines.open_time_ms.tolist()):
        today = datetime.fromtimestamp(time_ms / 1000, UTC).astimezone(zone).date()
        if today != day:
            day, start = today, result.equity_quote[bar - 1] if bar else plan.capital_quote
            ratio, quote = plan.intraday_loss_ratio_max, plan.intraday_loss_quote_max
            allowed = [math.inf if ratio is None else ratio * start, quote or math.inf]
            floor = float(start - min(allowed)) if start > 0 else -math.inf
        floors.append(floor)
    return floors


def check_trades(case: Case) -> None:
    """A trade ends after it began, within its price range, and excursions contain its result."""
    result = case.run()
    order = [t.exit_bar for t in result.trades if not t.is_open]
    assert order == sorted(order)
    for trade in result.trades:
        assert trade.entry_bar <= trade.exit_bar
        assert trade.mfe_quote >= 0
        assert trade.mae_quote >= 0
        _check_excursion(case, trade)


def _check_excursion(case: Case, trade: Trade) -> None:
    """The best is not above what the bars' full range allows, nor below what was taken home."""
    if case.rates is not None:
        return
    unit = trade.qty * case.instrument.point_value
    span = slice(trade.entry_bar, trade.exit_bar + 1)
    slip = case.costs.slippage_ticks * case.instrument.tick_size
    high = max(float(case.klines.high[span].max()) + slip, trade.entry_price)
    low = min(float(case.klines.low[span].min()) - slip, trade.entry_price)
    rise, fall = (high - trade.entry_price) * unit, (trade.entry_price - low) * unit
    best, worst = (rise, fall) if trade.side > 0 else (fall, rise)
    gross = trade.side * (trade.exit_price - trade.entry_price) * unit
    assert trade.mfe_quote <= max(0.0, best - trade.fee_entry_quote) + 1e-6
    assert trade.mae_quote <= worst + trade.fee_entry_quote + 1e-6
    assert trade.mfe_quote >= gross - trade.fee_entry_quote - 1e-6
    assert trade.mae_quote >= trade.fee_entry_quote - gross - 1e-6


CHECKS: tuple[Callable[[Case], None], ...] = (
    check_truncation,
    check_money,
    check_fees,
    check_reducers,
    check_lots,
    check_prices,
    check_decisions,
    check_repetition,
    check_caps,
    check_margin,
    check_trades,
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@settings(max_examples=EXAMPLES)
@given(case=CASES)
def test_broker_holds_its_promise(check: Callable[[Case], None], case: Case) -> None:
    check(case)


@pytest.mark.long
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@settings(max_examples=EXAMPLES_LONG)
@given(case=CASES)
def test_broker_holds_its_promise_on_thousands(check: Callable[[Case], None], case: Case) -> None:
    check(case)
