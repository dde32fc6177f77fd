"""A plan's settings as the row of terms that the kernel reads, and which plans it cannot run.

Theory. The kernel runs whatever a plan can say, in room that the plan asks for. Refused are only
numbers so large, or steps worth so little, that whole ticks and steps would not stay exact: a run
that is accepted equals the reference in every bit.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from engines.costs import CommissionKind, Costs, SlippageKind
from engines.instrument import Instrument
from engines.kernels import slots
from engines.kernels.columns import F64_2D, frozen
from engines.kernels.listing import are_entries_within
from engines.klines import Klines
from engines.liquidation import NO_MAINTENANCE, is_isolated, is_liquidable, notional_max
from engines.plan import (
    Basis,
    CloseRule,
    Direction,
    DistanceUnit,
    EntryKind,
    EntryTerms,
    Ladder,
    LevelSource,
    Market,
    Plan,
    SizingKind,
)
from engines.signals import Signals
from engines.types import F64_1D

WHOLE_MAX = 2.0**50  # ticks or steps; exact in float64 with room for a rounding
STEP_QUOTE_MIN = 1e-9  # far more than what is too little to be rounded to ten digits
PRICE_TICKS_MAX = 2.0**30
LOTS_AN_ENTRY = 2  # lots that there is room for at first, an entry that the plan allows
RATIO_MAX = 2.0**19  # a level is at most so many times its base price
SIZINGS = {
    SizingKind.QTY: slots.BY_QTY,
    SizingKind.CASH: slots.BY_CASH,
    SizingKind.EQUITY_RATIO: slots.BY_EQUITY,
    SizingKind.RISK: slots.BY_RISK,
    SizingKind.VOLATILITY: slots.BY_VOLATILITY,
    SizingKind.KELLY: slots.BY_KELLY,
}
COMMISSIONS = {
    CommissionKind.RATIO: slots.PER_NOTIONAL,
    CommissionKind.PER_CONTRACT: slots.PER_CONTRACT,
    CommissionKind.PER_ORDER: slots.PER_ORDER,
}
TRAILS = {
    DistanceUnit.RATIO: slots.TRAIL_RATIO,
    DistanceUnit.TICKS: slots.TRAIL_BY_TICKS,
    DistanceUnit.QUOTE: slots.TRAIL_QUOTE,
}
ENTRIES = {
    EntryKind.MARKET: slots.AT_MARKET,
    EntryKind.LIMIT: slots.AT_LIMIT,
    EntryKind.STOP: slots.AT_STOP,
}
LIMITS = (
    slots.TRADES_DAY_MAX, slots.TRADES_WEEK_MAX, slots.LOSSES_MAX, slots.FILLS_MAX,
    slots.LOSS_RATIO_MAX, slots.LOSS_QUOTE_MAX,
)  # fmt: skip # in the order of `_counts_of` and `_caps_of`
LOT_ORDERS = {
    CloseRule.FIFO: slots.FIFO,
    CloseRule.LIFO: slots.LIFO,
    CloseRule.ANY: slots.OWN_FIRST,
    CloseRule.ALL: slots.FIFO,
}
BASES = {
    Basis.ENTRY: slots.FROM_ENTRY,
    Basis.AVERAGE: slots.FROM_AVERAGE,
    Basis.LAST: slots.FROM_LAST,
}
DIRECTIONS = {Direction.BOTH: 0, Direction.LONG: 1, Direction.SHORT: -1}


class PriceRange(NamedTuple):
    """The lowest and the highest price of some bars."""

    low: float
    high: float


def price_range(klines: Klines) -> PriceRange:
    """Return the range of bars, which is looked up once for many plans."""
    return PriceRange(float(klines.low.min()), float(klines.high.max()))


def refusal(plan: Plan, costs: Costs, instrument: Instrument, prices: PriceRange) -> str | None:
    """Return why the kernel cannot run this, None if it can; `plan` is the effective one."""
    return None if _is_exact(plan, costs, instrument, prices) else "numbers beyond exact ticks"


def counts_days(plan: Plan) -> bool:
    """Return whether a run of this plan has to know the day of each bar."""
    return any(limit is not None for limit in (*_counts_of(plan), *_caps_of(plan)))


def _counts_of(plan: Plan) -> tuple[int | None, ...]:
    rules = plan.reentry
    return rules.trades_per_day_max, rules.trades_per_week_max, rules.losses_in_a_row_max


def _caps_of(plan: Plan) -> tuple[float | None, ...]:
    return plan.intraday_fills_max, plan.intraday_loss_ratio_max, plan.intraday_loss_quote_max


def _is_exact(plan: Plan, costs: Costs, instrument: Instrument, prices: PriceRange) -> bool:
    """Return whether every price, level and quantity stays a whole number of ticks or steps."""
    exits, trailing = plan.exits, plan.exits.trailing
    ratios = [exits.take_profit_ratio or 0.0, *(target.ratio for target in exits.targets)]
    slips = costs.slippage_ratio or 0.0, costs.volume_impact or 0.0, costs.volatility_factor or 0.0
    quotes = [0.0]
    if trailing is not None and trailing.unit is DistanceUnit.QUOTE:
        quotes = [trailing.activation, trailing.distance]
    if trailing is not None and trailing.unit is DistanceUnit.TICKS:
        quotes = [n * instrument.tick_size for n in (trailing.activation, trailing.distance)]
    sizes = [plan.position_qty_max or 0.0]
    if plan.sizing.kind is SizingKind.QTY:
        sizes.append(plan.sizing.value)
    step_quote = prices.low * instrument.point_value * instrument.qty_step
    return (
        step_quote > STEP_QUOTE_MIN
        and prices.high / instrument.tick_size < PRICE_TICKS_MAX
        and max(*ratios, *slips) < RATIO_MAX
        and max(quotes) / instrument.tick_size < WHOLE_MAX
        and max(costs.slippage_ticks, plan.limit_verify_ticks) < WHOLE_MAX
        and max(sizes) / instrument.qty_step < WHOLE_MAX
    )


def refusal_of_signals(signals: Signals, instrument: Instrument) -> str | None:
    """Return what in the wishes only the reference can judge, None if there is nothing.

    A level that is infinite or a size that is no number above zero stops a reference run where it
    is used, so it is left to the reference.
    """
    if signals.are_plain:
        return None
    long, short = (
        frozen(column.view(np.uint8), np.uint8)
        for column in (signals.entry_long, signals.entry_short)
    )
    limits = {
        "stop_price": (-math.inf, PRICE_TICKS_MAX * instrument.tick_size),
        "target_price": (-math.inf, PRICE_TICKS_MAX * instrument.tick_size),
        "size": (0.0, WHOLE_MAX * instrument.qty_step),
        "equity_ratio": (-math.inf, RATIO_MAX),
    }
    priced = signals.priced()
    for name, (low, high) in limits.items():
        column = getattr(priced, name)
        if column is not None and not are_entries_within(long, short, frozen(column), low, high):
            return f"values of {name} that only the reference judges"
    return None


@lru_cache(maxsize=64)
def fraction_of(value: float) -> tuple[float, float]:
    """Return the exact decimal that `value` prints as, as numerator and denominator."""
    exact = Fraction(repr(float(value)))
    return float(exact.numerator), float(exact.denominator)


def terms_table(rows: Sequence[F64_1D]) -> F64_2D:
    """Return rows of terms as one table; a ladder's stand behind those that every plan has."""
    table = np.full((len(rows), max(map(len, rows), default=slots.TERMS)), math.nan)
    for place, row in enumerate(rows):
        table[place, : len(row)] = row
    return table


def terms_row(plan: Plan, costs: Costs, instrument: Instrument, start_bar: int = 0) -> F64_1D:
    """Return the terms [TERMS or more] of one set."""
    orders = () if plan.ladder is None else plan.ladder.rungs
    row = np.full(slots.TERMS + 2 * len(orders), math.nan)
    _set_instrument(row, instrument)
    _set_money(row, plan, costs)
    _set_exits(row, plan)
    _set_limits(row, plan, costs, instrument)
    _set_room(row, plan)
    _set_ladder(row, plan.ladder)
    row[slots.START_BAR], row[slots.IS_HEDGED] = start_bar, plan.is_hedged
    row[slots.ROOM_STEPS] = math.inf
    if plan.position_qty_max is not None:
        row[slots.ROOM_STEPS] = instrument.steps_down(plan.position_qty_max)
    return row


def _set_instrument(row: F64_1D, instrument: Instrument) -> None:
    row[slots.TICK_SIZE] = instrument.tick_size
    row[slots.TICK_OVER], row[slots.TICK_UNDER] = fraction_of(instrument.tick_size)
    row[slots.STEP_OVER], row[slots.STEP_UNDER] = fraction_of(instrument.qty_step)
    row[slots.QTY_MIN], row[slots.NOTIONAL_MIN] = instrument.qty_min, instrument.notional_min
    row[slots.POINT_VALUE] = instrument.point_value


def _set_money(row: F64_1D, plan: Plan, costs: Costs) -> None:
    sizing, reentry = plan.sizing, plan.reentry
    row[slots.COMMISSION] = costs.commission
    row[slots.COMMISSION_KIND] = COMMISSIONS[costs.commission_kind]
    row[slots.SLIP_TICKS] = costs.slippage_ticks
    row[slots.SLIPS_BY_RATIO] = costs.slippage_kind is not SlippageKind.TICKS
    row[slots.SLIP_IMPACT] = costs.volume_impact or 0.0
    row[slots.CAPITAL] = plan.capital_quote
    row[slots.SIZING_KIND], row[slots.SIZING_VALUE] = SIZINGS[sizing.kind], sizing.value
    row[slots.SHARE_MIN], row[slots.SHARE_MAX] = sizing.ratio_min, sizing.ratio_max
    row[slots.KELLY_TRADES_MIN] = sizing.trades_min
    row[slots.KELLY_ROOM] = sizing.trades if sizing.kind is SizingKind.KELLY else 0
    row[slots.MARGIN_LONG] = plan.margin_long_ratio / plan.leverage
    row[slots.MARGIN_SHORT] = plan.margin_short_ratio / plan.leverage
    row[slots.DIRECTION] = DIRECTIONS[plan.direction]
    # What a market entry does not ask for, all plans have alike.
    entry = plan.entry if plan.entry.kind is not EntryKind.MARKET else EntryTerms()
    row[slots.ENTRY_KIND], row[slots.ENTRY_OFFSET] = ENTRIES[entry.kind], entry.offset_ratio
    row[slots.TIMEOUT_BARS] = entry.timeout_bars
    row[slots.DELAY_BARS], row[slots.COOLDOWN_BARS] = reentry.delay_bars, reentry.cooldown_bars


def _set_limits(row: F64_1D, plan: Plan, costs: Costs, instrument: Instrument) -> None:
    limits = (*_counts_of(plan), *_caps_of(plan))
    for slot, limit in zip(LIMITS, limits, strict=True):
        row[slot] = math.inf if limit is None else limit
    row[slots.HAS_CAPS] = any(cap is not None for cap in _caps_of(plan))
    if plan.exits.drawdown_ratio_max is not None:
        row[slots.DRAWDOWN_MAX] = plan.exits.drawdown_ratio_max
    row[slots.LEVERAGE] = plan.leverage
    row[slots.IS_LIQUIDABLE], row[slots.IS_ISOLATED] = is_liquidable(plan), is_isolated(plan)
    row[slots.CALLS_MARGIN] = not is_liquidable(plan)
    row[slots.IS_EXACT] = is_liquidable(plan) or plan.market is Market.SPOT
    row[slots.VALUE_MAX] = notional_max(plan, instrument)
    row[slots.TIERS] = len(instrument.margin_tiers or NO_MAINTENANCE) if is_liquidable(plan) else 0
    if costs.liquidation_fee_ratio is not None:
        row[slots.LIQUIDATION_FEE] = costs.liquidation_fee_ratio
    row[slots.SETTLES] = plan.process_on_close


def _set_room(row: F64_1D, plan: Plan) -> None:
    room = max(1, plan.pyramiding)
    row[slots.ROOM] = room
    row[slots.LOT_ORDER] = LOT_ORDERS[plan.close_rule]
    row[slots.BASIS] = BASES[plan.basis] if room > 1 else slots.FROM_ENTRY
    row[slots.LEGS_EACH] = max(1, len(plan.exits.targets))
    row[slots.LOTS_ROOM] = room if room == 1 else room * LOTS_AN_ENTRY


def _set_ladder(row: F64_1D, ladder: Ladder | None) -> None:
    row[slots.RUNGS] = row[slots.REFILLS] = row[slots.IS_TENDED] = 0
    row[slots.LATE_ENTRIES] = math.inf
    if ladder is None:
        return
    row[slots.RUNGS] = len(ladder.rungs) - 1
    for place, rung in enumerate(ladder.rungs):
        first = slots.TERMS + 2 * place
        row[first : first + 2] = rung.offset_ratio, rung.weight
    if ladder.budget_ratio is not None:
        row[slots.BUDGET_RATIO] = ladder.budget_ratio
    row[slots.REFILLS] = ladder.refill
    if ladder.late_target is not None:
        row[slots.LATE_ENTRIES] = ladder.late_target.entries
        row[slots.LATE_RATIO] = ladder.late_target.ratio
    row[slots.IS_TENDED] = ladder.refill or ladder.late_target is not None


def _set_exits(row: F64_1D, plan: Plan) -> None:
    exits, held_max = plan.exits, plan.hours.bars_held_max
    row[slots.CLOSES_ALL] = plan.close_rule is CloseRule.ALL
    row[slots.VERIFY_TICKS] = plan.limit_verify_ticks
    row[slots.BARS_HELD_MAX] = math.inf if held_max is None else held_max
    row[slots.ONLY_IN_PROFIT] = exits.only_in_profit
    for slot, value in (
        (slots.STOP_RATIO, exits.stop_loss_ratio),
        (slots.PROFIT_RATIO, exits.take_profit_ratio),
        (slots.STOP_ATR, exits.stop_atr),
        (slots.PROFIT_ATR, exits.target_atr),
    ):
        row[slot] = math.nan if value is None else value
    row[slots.TRAIL_UNIT] = slots.NO_TRAIL
    if exits.trailing is not None:
        row[slots.TRAIL_UNIT] = TRAILS[exits.trailing.unit]
        row[slots.TRAIL_ACTIVATION] = exits.trailing.activation
        row[slots.TRAIL_DISTANCE] = exits.trailing.distance
    if exits.breakeven is not None:
        row[slots.BREAKEVEN_GAIN] = exits.breakeven.activation_ratio
        row[slots.BREAKEVEN_OFFSET] = exits.breakeven.offset_ratio
    row[slots.TARGETS] = len(exits.targets)
    for place, target in enumerate(exits.targets):
        row[slots.TARGET_RATIOS + place] = target.ratio
        row[slots.PORTIONS + place] = target.portion
    levels = (exits.stop_loss_ratio, exits.take_profit_ratio, exits.stop_atr, exits.target_atr)
    is_moving = exits.trailing is not None or exits.breakeven is not None
    # A basis alone makes a bracket without levels: a late target may give it one, and it makes one
    # that counts of a strategy's level of zero.
    is_given = plan.ladder is not None or exits.levels is LevelSource.STRATEGY
    is_based = is_given and plan.basis is not Basis.ENTRY
    has_levels = bool(exits.targets) or any(level is not None for level in levels)
    row[slots.HAS_EXITS] = is_moving or is_based or has_levels
