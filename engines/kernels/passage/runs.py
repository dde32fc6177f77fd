"""Many stops and targets on one set of wishes, by the first passage of each level: a faster equal.

Theory. With one market entry at a time, what ends a position depends on its entry, its stop and its
target alone. So the bars are walked once for every possible entry and all levels (`passage.walk`),
and a set of one stop and one target advances from entry to entry by looking up which of the two
comes first (`passage.lanes`). Ten thousand sets of a hundred stops and a hundred targets walk the
bars once, for two hundred levels. A set costs as many look-ups as it has trades. The market is
taken a tile of events at a time (`passage.tiles`), so that tables stay small however long it is.

1. `_groups`: sets whose terms differ in nothing but their levels go together.
2. `_ground`: entries, horizons, distinct levels.
3. `survey`: the tables of a tile. 4. `advance`: all sets through it, their figures at the end.

Sets with any other setting than these are left to other engines, and so are those that come near to
something that the tables do not hold (see `passage.lanes`).
"""

from collections.abc import Iterator

import numpy as np

from engines.costs import Costs
from engines.instrument import Instrument
from engines.kernels import slots
from engines.kernels.chains.columns import BARS_MAX as WISHED_MAX
from engines.kernels.columns import F64_2D, U8_1D, Bars, Charges, Wants, frozen
from engines.kernels.passage.columns import (
    BARS_MAX,
    EVENT,
    EVENTS_MAX,
    L_ATR,
    L_COLUMN,
    L_RATIO,
    MONTHS_MAX,
    NO_COLUMN,
    VALUE,
    Fixed,
    Ground,
    Passages,
    Payments,
)
from engines.kernels.passage.drivers import (
    U64_2D,
    advance,
    survey,
)
from engines.kernels.passage.funding import payments_of
from engines.kernels.passage.tiles import KEPT
from engines.kernels.plan_terms import terms_row
from engines.kernels.slots import (
    BY_CASH,
    BY_EQUITY,
    BY_QTY,
    BY_RISK,
    BY_VOLATILITY,
    ENTERS,
    ENTERS_LONG,
    ENTERS_SHORT,
    LEAVES_LONG,
    LEAVES_SHORT,
    PER_NOTIONAL,
    PER_ORDER,
    SESSION_ENDS,
    WEEKEND_BEGINS,
)
from engines.kernels.summary import FIGURES
from engines.plan import Plan
from engines.types import BOOL_1D, F64_1D, I64_1D

TABLE_BYTES_MAX = 1 << 27
TILE_EVENTS = 2_000  # rows of 40 kB, of which a block's stay in a core's cache; measured
NEIGHBOURS = 8  # targets that sets of a block share
RECORD_BYTES = 4 + 8 * VALUE
LEVEL_TERMS = [slots.STOP_RATIO, slots.PROFIT_RATIO, slots.STOP_ATR, slots.PROFIT_ATR]
LEVELS = [*LEVEL_TERMS, slots.HAS_EXITS]
# Terms that this path follows; every other one must be plain.
FOLLOWED = [
    *LEVELS, slots.TICK_SIZE, slots.TICK_OVER, slots.TICK_UNDER, slots.STEP_OVER, slots.STEP_UNDER,
    slots.QTY_MIN, slots.NOTIONAL_MIN, slots.POINT_VALUE, slots.COMMISSION, slots.COMMISSION_KIND,
    slots.SLIP_TICKS, slots.SLIPS_BY_RATIO, slots.CAPITAL, slots.SIZING_KIND, slots.SIZING_VALUE,
    slots.SHARE_MIN, slots.SHARE_MAX, slots.MARGIN_LONG, slots.MARGIN_SHORT, slots.DIRECTION,
    slots.ROOM_STEPS, slots.START_BAR, slots.CLOSES_ALL, slots.BARS_HELD_MAX,
    slots.KELLY_TRADES_MIN, slots.LOT_ORDER, slots.LIQUIDATION_FEE,
]  # fmt: skip # one list
NO_LEVELS: F64_2D = np.empty((0, 3))
PLAIN = terms_row(Plan(), Costs(), Instrument("PLAIN", 1.0, 1.0))
OTHERS = np.setdiff1d(np.arange(slots.TERMS), FOLLOWED)
# What moves a stop, which chains follow.
MOVES = [
    slots.TRAIL_UNIT, slots.TRAIL_ACTIVATION, slots.TRAIL_DISTANCE, slots.BREAKEVEN_GAIN,
    slots.BREAKEVEN_OFFSET,
]  # fmt: skip # one list
# What divides a position into parts, which chains follow too.
DIVIDES = [
    slots.TARGETS, *range(slots.TARGET_RATIOS, slots.TARGET_RATIOS + slots.LEGS_MAX),
    *range(slots.PORTIONS, slots.PORTIONS + slots.LEGS_MAX), slots.LEGS_EACH,
]  # fmt: skip # one list
# How a limit fills, which they follow as well.
FILLS = [slots.VERIFY_TICKS]
# That what a close decides fills there, which chains alone follow.
CLOSING = [slots.SETTLES]
# What is borrowed, and that nothing trims what an account may not carry.
BORROWS = [
    slots.LEVERAGE, slots.IS_LIQUIDABLE, slots.IS_ISOLATED, slots.CALLS_MARGIN, slots.IS_EXACT,
    slots.VALUE_MAX, slots.TIERS,
]  # fmt: skip # one list
UNMOVED = np.setdiff1d(OTHERS, [*MOVES, *DIVIDES, *FILLS, *BORROWS, *CLOSING])
PLANS_MIN = 4  # fewer do not pay for the tables of levels that they would share
CHAINED_MAX = 64  # plans up to which chains walk each faster than tables serve all; measured
SIZINGS = (BY_QTY, BY_CASH, BY_EQUITY)
OWN_SHARES = (BY_RISK, BY_VOLATILITY)  # of equity, an entry each, which chains follow as well


def run_first_passage(
    bars: Bars, wants: Wants, charges: Charges, terms: F64_2D, found: F64_2D
) -> None:
    """Summarise the sets [N] that this path can decide, and leave the rows of others alone.

    The arguments are those of `cpu.run_many`: behind its figures a row holds 0 if they are sure.
    """
    if not len(terms) or _is_barred(bars, wants):
        return
    for places in _groups(terms, np.flatnonzero(follows(terms))):
        ground = _ground(bars, wants, charges, terms[places])
        if ground is not None:
            payments = payments_of(charges, len(bars.prices))
            found[places] = _run_group(ground, bars, wants, payments, terms[places])


def follows(terms: F64_2D) -> BOOL_1D:
    """Return which plans [N] have no setting that this path does not follow."""
    return are_plain(terms, OTHERS)


def are_plain(
    terms: F64_2D, places: I64_1D | list[int], sizings: tuple[int, ...] = SIZINGS
) -> BOOL_1D:
    """Return which plans [N] have nothing at these places of their terms, and a size to follow."""
    found: BOOL_1D = are_alike(terms, places) & np.isin(terms[:, slots.SIZING_KIND], sizings)
    return found


def are_alike(terms: F64_2D, places: I64_1D | list[int]) -> BOOL_1D:
    """Return which plans [N] have nothing at these places of their terms."""
    plain, own = PLAIN[places], terms[:, places]
    found: BOOL_1D = ((own == plain) | (np.isnan(own) & np.isnan(plain))).all(axis=1)
    return found


def is_chained(bars: Bars, terms: F64_2D) -> BOOL_1D:
    """Return which plans [N] of one entry at a time `chains` follows; strategies give no sizes."""
    if len(bars.months) >= MONTHS_MAX or len(bars.prices) >= WISHED_MAX:
        return np.zeros(len(terms), np.bool_)
    is_still = are_plain(terms, OTHERS)
    has_level = ~np.isnan(terms[:, LEVEL_TERMS]).all(axis=1)
    # Levels that stand still are shared by many plans, if there are many (`run_first_passage`).
    shares = np.count_nonzero(is_still & has_level) > CHAINED_MAX
    is_followed = are_plain(terms, UNMOVED, (*SIZINGS, *OWN_SHARES))
    if len(bars.marks) > 0:  # which then tell what is liquidated
        is_followed &= terms[:, slots.IS_LIQUIDABLE] == 0
    return is_followed & ~(is_still & has_level & shares)


def may_lack_shares(terms: F64_2D, is_given: bool, is_flat: bool) -> BOOL_1D:
    """Return in which plans [N] a wish of the side that is not allowed may have no share to spend.

    Such a wish closes nothing, which chains do not look for. It may be so where strategies give
    stops, by which the risk is counted, or where an ATR is nothing (`is_flat`).
    """
    kinds = OWN_SHARES if is_flat else (BY_RISK,) if is_given else ()
    found: BOOL_1D = np.isin(terms[:, slots.SIZING_KIND], kinds) & (terms[:, slots.DIRECTION] != 0)
    return found


def has_levels(terms: F64_1D) -> bool:
    """Return whether a plan that `chains` follows has levels that may end a position."""
    return bool(terms[slots.HAS_EXITS] != 0)


def _is_barred(bars: Bars, wants: Wants) -> bool:
    """Return whether something keeps all sets from this path."""
    return bool(
        len(wants.size)
        or len(wants.equity_ratio)
        or len(bars.months) >= MONTHS_MAX
        or len(bars.prices) >= BARS_MAX
        or len(wants.flat) >= EVENTS_MAX - 2
    )


def _groups(terms: F64_2D, places: I64_1D) -> Iterator[I64_1D]:
    """Return the places of sets that differ in nothing but their levels, group by group."""
    uses_atr = ~np.isnan(terms[:, [slots.STOP_ATR, slots.PROFIT_ATR]]).all(axis=1)
    keys = np.column_stack([np.delete(terms, LEVELS, axis=1), uses_atr])[places]
    if len(places) and ((keys == keys[0]) | (np.isnan(keys) & np.isnan(keys[0]))).all():
        yield places
        return
    rows: dict[bytes, list[int]] = {}
    for place, key in zip(places.tolist(), keys, strict=True):
        rows.setdefault(key.tobytes(), []).append(place)
    yield from map(np.array, rows.values())


def _ground(bars: Bars, wants: Wants, charges: Charges, terms: F64_2D) -> Ground | None:
    """Return what the walks of a group read but for its levels, None if they cannot be walked."""
    first, count = terms[0], len(bars.prices)
    uses_atr = not np.isnan(terms[:, [slots.STOP_ATR, slots.PROFIT_ATR]]).all()
    wishes, given = wants.wishes, [c for c in (wants.stop_price, wants.target_price) if len(c)]
    is_unknown = np.isnan(wants.atr[wants.flat]) if uses_atr else np.zeros(0, np.bool_)
    if is_unknown.any():
        if given:
            return None  # Whether such an entry lacks a level depends on the bar and on the set.
        wishes = wishes.copy()
        wishes[wants.flat[is_unknown]] &= np.uint8(255 - ENTERS)
    allowed = ENTERS
    if first[slots.DIRECTION] != 0:
        allowed = ENTERS_LONG if first[slots.DIRECTION] > 0 else ENTERS_SHORT
    flat = wants.flat
    is_entry = (wishes[flat] & allowed != 0) & (flat >= first[slots.START_BAR]) & (flat < count - 1)
    entries = flat[is_entry]
    columns = np.array([column[entries] for column in given]).reshape(len(given), len(entries))
    if (columns <= 0).any():
        return None  # A level of zero alone makes no bracket.
    held_max = first[slots.BARS_HELD_MAX]
    horizon = _horizon(wants, wishes, entries, count)
    timed = entries + held_max
    return Ground(
        prices=bars.prices,
        reach=bars.reach,
        wishes=frozen(wishes, np.uint8),
        slip_ratio=charges.slip_ratio,
        months=bars.months,
        entries=frozen(entries, np.int64),
        horizon=frozen(np.minimum(horizon, timed), np.int64),
        is_timed=frozen(timed <= horizon, np.uint8),
        atr=frozen(wants.atr[entries] if uses_atr else None),
        stops=NO_LEVELS,
        targets=NO_LEVELS,
        is_sorted=False,
        columns=frozen(columns),
    )


def _horizon(wants: Wants, wishes: U8_1D, entries: I64_1D, count: int) -> I64_1D:
    """Return the close at which wishes close a position of each entry, `count` if none does."""
    ends = SESSION_ENDS | WEEKEND_BEGINS
    closes = []
    for listed, bits in (
        (wants.long, ENTERS_SHORT | LEAVES_LONG | ends),
        (wants.short, ENTERS_LONG | LEAVES_SHORT | ends),
    ):
        counted = np.append(listed[wishes[listed] & bits != 0], count)
        closes.append(counted[np.searchsorted(counted, entries, side="right")])
    is_long = wishes[entries] & ENTERS_LONG != 0
    return np.where(is_long, *closes).astype(np.int64)


def _run_group(
    ground: Ground, bars: Bars, wants: Wants, payments: Payments, terms: F64_2D
) -> F64_2D:
    """Return the figures of a group, as many levels at a time as tables have room for."""
    target_column = float(len(wants.stop_price) > 0)
    stops, stop = _levels(terms, slots.STOP_RATIO, slots.STOP_ATR, wants.stop_price, 0.0)
    targets, target = _levels(
        terms, slots.PROFIT_RATIO, slots.PROFIT_ATR, wants.target_price, target_column
    )
    size = _tile(len(ground.entries)) + 2
    rows_max = max(2, TABLE_BYTES_MAX // (RECORD_BYTES * size))
    fixed = fixed_of(bars, terms[0])
    # Neighbours in a block share rows, so that these stay in the cache.
    order = np.lexsort((target % NEIGHBOURS, stop, target // NEIGHBOURS))
    stop, target = stop[order], target[order]
    found = np.empty((len(terms), FIGURES + 1))
    for part in _parts(stop, target, rows_max):
        own_stops, at_stop = np.unique(stop[part], return_inverse=True)
        own_targets, at_target = np.unique(target[part], return_inverse=True)
        own = ground._replace(
            stops=frozen(stops[own_stops]),
            targets=frozen(targets[own_targets]),
            is_sorted=_is_sorted(stops[own_stops]) and _is_sorted(targets[own_targets]),
        )
        rows = np.column_stack([at_stop, len(own_stops) + at_target]).astype(np.uint64)
        found[order[part]] = _run_tiles(own, bars, payments, terms[0], fixed, rows)
    return found


def _run_tiles(
    ground: Ground, bars: Bars, payments: Payments, terms: F64_1D, fixed: Fixed, sets: U64_2D
) -> F64_2D:
    """Return the figures of sets, given by the rows of their levels, tile by tile."""
    count = len(ground.entries)
    tile, places = _tile(count), count + 2
    records = (len(ground.stops) + len(ground.targets)) * (tile + 2)
    tables = Passages(
        np.empty(places * EVENT), np.empty(places), np.empty(records, np.uint32),
        np.empty(records * VALUE), np.empty(len(bars.prices) + 1, np.uint32), 0, 0,
    )  # fmt: skip # the order of its fields
    kept, figures = np.empty((len(sets), KEPT)), np.empty((len(sets), FIGURES + 1))
    for first in range(0, max(1, count), max(1, tile)):
        part = tables._replace(first=first, length=min(tile, count - first))
        survey(ground, terms, part)
        advance(part, sets, payments, fixed, kept, figures)
    return figures


def _tile(count: int) -> int:
    """Return how many events a tile holds, about the same in each."""
    tiles = max(1, -(-count // TILE_EVENTS))
    return -(-count // tiles)


def _is_sorted(levels: F64_2D) -> bool:
    """Return whether levels are listed nearest first for every event: all of one kind."""
    is_plain = np.isnan(levels[:, L_RATIO]).all() or np.isnan(levels[:, L_ATR]).all()
    return bool(is_plain and (levels[:, L_COLUMN] == levels[0, L_COLUMN]).all())


def _levels(
    terms: F64_2D, ratio: int, multiple: int, prices: F64_1D, column: float
) -> tuple[F64_2D, I64_1D]:
    """Return the distinct levels [N, 3] of sets, and which of them each set has."""
    pairs = terms[:, [ratio, multiple]]
    pairs = np.ascontiguousarray(np.where(np.isnan(pairs), np.inf, pairs))  # none comes last
    distinct, which = np.unique(pairs.view(np.complex128)[:, 0], return_inverse=True)
    levels = np.empty((len(distinct), 3))
    levels[:, L_COLUMN] = column if len(prices) else NO_COLUMN
    levels[:, L_RATIO], levels[:, L_ATR] = distinct.real, distinct.imag
    levels[np.isinf(levels)] = np.nan
    return levels, which


def _parts(stop: I64_1D, target: I64_1D, rows_max: int) -> Iterator[slice]:
    """Return sets in runs whose stops and targets fit into so many rows."""
    first = 0
    seen: set[tuple[int, int]] = set()
    if len(np.unique(stop)) + len(np.unique(target)) <= rows_max:
        yield slice(0, len(stop))
        return
    for place, levels in enumerate(zip(stop.tolist(), target.tolist(), strict=True)):
        added = {(kind, level) for kind, level in enumerate(levels)}
        if len(seen | added) > rows_max:
            yield slice(first, place)
            first, seen = place, set()
        seen |= added
    yield slice(first, len(stop))


def fixed_of(bars: Bars, terms: F64_1D) -> Fixed:
    """Return what the sets of a group share; of bars that chains made one more, that one aside."""
    kind, is_equity = terms[slots.COMMISSION_KIND], terms[slots.SIZING_KIND] == BY_EQUITY
    leverage = terms[slots.LEVERAGE]
    return Fixed(
        capital=terms[slots.CAPITAL],
        share=terms[slots.SIZING_VALUE] if is_equity else 0.0,
        order_fee=terms[slots.COMMISSION] * leverage if kind == PER_ORDER else 0.0,
        commission=terms[slots.COMMISSION],
        is_by_qty=bool(kind != PER_ORDER),
        is_by_price=bool(kind == PER_NOTIONAL),
        point_value=terms[slots.POINT_VALUE],
        step_over=terms[slots.STEP_OVER],
        step_under=terms[slots.STEP_UNDER],
        step_size=terms[slots.STEP_OVER] / terms[slots.STEP_UNDER],
        room_steps=terms[slots.ROOM_STEPS],
        qty_min=terms[slots.QTY_MIN],
        notional_min=terms[slots.NOTIONAL_MIN],
        margin_long=terms[slots.MARGIN_LONG],
        margin_short=terms[slots.MARGIN_SHORT],
        leverage=leverage,
        is_isolated=bool(terms[slots.IS_ISOLATED] != 0),
        value_max=terms[slots.VALUE_MAX],
        settles=bool(terms[slots.SETTLES] != 0),
        months=len(bars.months) + 1,
        days=bars.days,
        bars=float(max(1, len(bars.prices) - terms[slots.SETTLES] - terms[slots.START_BAR])),
    )
