"""Wishes, rules and settlements as the columns that a kernel run reads.

Theory. The bits of a close hold what the agenda of `signal_orders` would look up: entries that the
rules allow, exits of wishes and close rules, the ends of session and week. Which bars can matter
depends only on what is held, so they are listed once for each case.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import numpy as np

from engines.costs import Costs, SlippageKind
from engines.funding import Settlements
from engines.instrument import Instrument
from engines.kernels.chains.columns import I32_1D, Permits
from engines.kernels.columns import F64_2D, NONE, U8_1D, Charges, Wants, frozen
from engines.kernels.listing import WORD, add_wishes, list_wishes
from engines.kernels.slots import (
    ENTERS,
    ENTERS_LONG,
    ENTERS_SHORT,
    LEAVES_LONG,
    LEAVES_SHORT,
    SESSION_ENDS,
    WEEKEND_BEGINS,
)
from engines.klines import DAY_MS, Klines
from engines.liquidation import NO_MAINTENANCE
from engines.rules.clock import local_times_ms
from engines.rules.columns import RuleColumns
from engines.signals import Signals
from engines.slippage import Slippage
from engines.trades import Side
from engines.types import BOOL_1D, F64_1D, I64_1D

EPOCH_DAY = date(1970, 1, 1).toordinal()
NO_DAYS: I64_1D = frozen(None, np.int64)
NO_FLAGS: U8_1D = frozen(None, np.uint8)


def ends_once(rules: RuleColumns) -> RuleColumns:
    """Return rules that end a session or a week but once, not at each close until the next begins.

    Behind a close that ends what is held and enters nothing, nothing is held and nothing waits, so
    that the close after it has nothing to end. These are most closes of a night or a weekend.
    """
    ends = [c for c in (rules.session_close, rules.weekend_close) if c is not None]
    if not ends or rules.may_long is None or rules.may_short is None:
        return rules
    is_idle = np.logical_or.reduce(ends) & ~(rules.may_long | rules.may_short)
    counts = np.concatenate([[True], ~is_idle[:-1]])
    session, weekend = (
        None if c is None else frozen(c & counts, np.bool_)
        for c in (rules.session_close, rules.weekend_close)
    )
    return replace(rules, session_close=session, weekend_close=weekend)


def wants_of(signals: Signals, rules: RuleColumns) -> Wants:
    """Return the wishes that the rules allow."""
    count = len(signals)
    bits = np.zeros(count + -count % WORD, dtype=np.uint8)
    for bit, wished, allowed, forced in (
        (ENTERS_LONG, signals.entry_long, rules.may_long, None),
        (ENTERS_SHORT, signals.entry_short, rules.may_short, None),
        (LEAVES_LONG, signals.exit_long, None, rules.close_long),
        (LEAVES_SHORT, signals.exit_short, None, rules.close_short),
        (SESSION_ENDS, rules.session_close, None, None),
        (WEEKEND_BEGINS, rules.weekend_close, None, None),
    ):
        for column in (wished, forced):
            if column is not None:
                add_wishes(bits, _bytes_of(column), _bytes_of(allowed), bit)
    priced = signals.priced()
    levels = [priced.stop_price, priced.target_price]
    if signals.bracket is None:
        levels = [_kept(column) for column in levels]
    columns = *levels, _kept(signals.size), _kept(signals.equity_ratio)
    return _wants_of_bits(bits, count, columns, rules)


def _kept(column: F64_1D | None) -> F64_1D | None:
    """Return a column that stays as it is: a strategy may write to its own for its next set."""
    if column is None:
        return None
    owners = [column]
    while isinstance(owners[-1].base, np.ndarray):
        owners.append(owners[-1].base)
    return column.copy() if any(owner.flags.writeable for owner in owners) else column


def wants_of_list(
    bars: I32_1D, wishes: I32_1D, levels: Sequence[F64_1D], count: int, rules: RuleColumns
) -> Wants:
    """Return wishes of `count` bars that the rules allow, listed by bar.

    `levels` are the stop and the target of each, empty if the strategy gives none.
    """
    bits = np.zeros(count + -count % WORD, dtype=np.uint8)
    bits[bars] = wishes
    columns = list[F64_1D | None]()
    for own in levels:
        column = np.full(count, np.nan) if len(own) else None
        if column is not None:
            column[bars] = own
        columns.append(column)
    return _wants_of_bits(bits, count, (*columns, None, None), rules)


def _wants_of_bits(
    bits: U8_1D, count: int, columns: tuple[F64_1D | None, ...], rules: RuleColumns
) -> Wants:
    return Wants(
        frozen(bits[:count], np.uint8),
        *(frozen(bars, np.int64) for bars in list_wishes(bits)),
        *(NONE if c is None else frozen(c) for c in (*columns, rules.atr, rules.atr_ratio)),
    )


def permits_of(rules: RuleColumns, count: int) -> Permits:
    """Return what rules make of the wishes of `count` bars, empty columns if they say nothing.

    Where the plan sets a level or a size by an ATR that is not known yet, it enters nothing.
    """
    allowed, forced = np.full(count, 255, np.uint8), np.zeros(count, np.uint8)
    may_enter = [(ENTERS_LONG, rules.may_long), (ENTERS_SHORT, rules.may_short)]
    for ranges in (rules.atr, rules.atr_ratio):
        may_enter.append((ENTERS, None if ranges is None else ~np.isnan(ranges)))
    for bit, may in may_enter:
        if may is not None:
            allowed[~may] &= np.uint8(255 - bit)
    for bit, closes in (
        (LEAVES_LONG, rules.close_long), (LEAVES_SHORT, rules.close_short),
        (SESSION_ENDS, rules.session_close), (WEEKEND_BEGINS, rules.weekend_close),
    ):  # fmt: skip # one list
        if closes is not None:
            forced[closes] |= np.uint8(bit)
    if (allowed == 255).all() and not forced.any():
        return Permits(NO_FLAGS, NO_FLAGS)
    return Permits(frozen(allowed, np.uint8), frozen(forced, np.uint8))


def _bytes_of(column: BOOL_1D | None) -> U8_1D:
    if column is None:
        return NO_FLAGS
    flags: U8_1D = frozen(column.view(np.uint8), np.uint8)
    return flags


def charges_of(
    costs: Costs,
    klines: Klines,
    instrument: Instrument,
    settlements: Settlements | None,
    with_days: bool = False,
) -> Charges:
    """Return what costs depend on from bar to bar, and the settlements of a run (None: none).

    `with_days` where `plan_terms.counts_days` holds of a plan that is to run with them.
    """
    ratios: F64_1D = NONE
    if costs.slippage_kind is not SlippageKind.TICKS:
        slippage = Slippage(costs, klines, instrument)
        bars = range(len(klines))
        # What sizing expects of a price of one is the ratio itself.
        ratios = np.array([slippage.expected(Side.BUY, 1.0, bar) for bar in bars])
    rows = []
    if settlements is not None:
        rows = [
            (bar, item.time_ms, item.mark_price, item.rate, item.is_before_open)
            for bar in settlements.bars
            for is_before in (True, False)
            for item in settlements.of(bar, is_before)
        ]
    open_day = close_day = NO_DAYS
    if with_days:
        open_day = _days_of(klines.open_time_ms, instrument)
        close_day = _days_of(klines.close_time_ms, instrument)
    table = np.array(rows, dtype=np.float64).reshape(-1, 5).T
    return Charges(
        frozen(ratios),
        frozen(klines.volume if costs.volume_impact else None),
        frozen(table[0], np.int64),
        frozen(table[1], np.int64),
        frozen(table[2]),
        frozen(table[3]),
        frozen(table[4], np.uint8),
        int(settlements is not None),
        open_day,
        close_day,
        frozen(np.flatnonzero(np.diff(open_day, prepend=-1)), np.int64),
        frozen(_tiers_of(instrument)),
    )


def _tiers_of(instrument: Instrument) -> F64_2D:
    """Return limit, ratio and deduction of each margin tier [K, 3]."""
    tiers = instrument.margin_tiers or NO_MAINTENANCE
    rows = [(t.notional_max, t.maintenance_ratio, t.deduction_quote) for t in tiers]
    return np.array(rows, dtype=np.float64)


def _days_of(time_ms: I64_1D, instrument: Instrument) -> I64_1D:
    """Return the number of each time's day [T] in the instrument's time zone, day 1 a Monday."""
    local_ms = local_times_ms(time_ms, instrument.time_zone)
    days: I64_1D = frozen(local_ms // DAY_MS + EPOCH_DAY, np.int64)
    return days
