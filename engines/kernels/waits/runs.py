"""Many strategies under one plan whose entries wait at a price, without a walk over the bars.

Theory. Where an order is met, and how the levels of its position end it, hang on the close that
decides it, its side and the bars, not on the account. So each order that any strategy may place is
looked for once (`waits.orders`), how its position ends by its levels is found when the first set
takes it (`waits.exits`), and a set is a pass over its wishes that links them (`waits.walk`). Money
is a step a link, many sets at a time (`waits.lanes`); what might be refused is left to stacks,
of several targets to the machine.
"""

import numpy as np

from engines.kernels import slots
from engines.kernels.chains.columns import (
    BARS_MAX,
    I32_1D,
    NO_LEVELS,
    WISH_BITS,
    on_cache_lines,
)
from engines.kernels.chains.drivers import SET_ROW
from engines.kernels.columns import F64_2D, I64_2D, Bars, Charges
from engines.kernels.parts.levels import PART_WALK
from engines.kernels.parts.runs import part_exits, portions_of
from engines.kernels.passage.columns import MONTHS_MAX
from engines.kernels.passage.runs import (
    BORROWS,
    DIVIDES,
    FILLS,
    MOVES,
    OTHERS,
    OWN_SHARES,
    SIZINGS,
    are_alike,
    are_plain,
    has_levels,
)
from engines.kernels.slots import AT_MARKET, BY_RISK, ENTERS_LONG, ENTERS_SHORT, PER_ORDER
from engines.kernels.waits.columns import EXIT, ROW, UNKNOWN, Levels, Orders, Waiting, Way
from engines.kernels.waits.drivers import advance_waits, find_fills
from engines.types import BOOL_1D, F64_1D

WAIT_TERMS = [slots.ENTRY_KIND, slots.ENTRY_OFFSET, slots.TIMEOUT_BARS]
ASKS_RESULTS = [slots.COOLDOWN_BARS, slots.LOSSES_MAX, slots.ONLY_IN_PROFIT]
UNWAITED = np.setdiff1d(
    OTHERS, [*MOVES, *DIVIDES, *FILLS, *BORROWS, *WAIT_TERMS, slots.DELAY_BARS, *ASKS_RESULTS]
)
AT_ONCE = Waiting(AT_MARKET, 0.0, 0, 0)


def is_awaited(bars: Bars, terms: F64_2D, is_flat: bool) -> BOOL_1D:
    """Return which plans [N] waits follow for strategies that give neither sizes nor levels.

    `is_flat` tells that an ATR of theirs is nothing somewhere.
    """
    if len(bars.months) >= MONTHS_MAX or len(bars.prices) >= BARS_MAX:
        return np.zeros(len(terms), np.bool_)
    found: BOOL_1D = are_plain(terms, UNWAITED, (*SIZINGS, *OWN_SHARES))
    found &= (terms[:, slots.ENTRY_KIND] != AT_MARKET) & ~_may_place_nothing(terms, is_flat)
    is_told = (terms[:, slots.COMMISSION_KIND] != PER_ORDER) & (terms[:, slots.TARGETS] == 0)
    found &= are_alike(terms, ASKS_RESULTS) | is_told
    if len(bars.marks) > 0:  # which then tell what is liquidated
        found &= terms[:, slots.IS_LIQUIDABLE] == 0
    return found


def _may_place_nothing(terms: F64_2D, is_flat: bool) -> BOOL_1D:
    """Return in which plans [N] a wish may have no share to spend, which then places nothing."""
    has_stop = ~np.isnan(terms[:, [slots.STOP_RATIO, slots.STOP_ATR]]).all(axis=1)
    is_lost = is_flat | (terms[:, slots.SHARE_MAX] == 0)
    is_lost |= (terms[:, slots.SIZING_KIND] == BY_RISK) & ~has_stop
    found: BOOL_1D = np.isin(terms[:, slots.SIZING_KIND], OWN_SHARES) & is_lost
    return found


def waiting_of(terms: F64_1D) -> Waiting:
    """Return how the entries of a plan wait."""
    kind, offset, timeout, verified = terms[[*WAIT_TERMS, *FILLS]].tolist()
    if kind == AT_MARKET:
        return AT_ONCE
    return Waiting(int(kind), offset, int(timeout), int(verified))


def orders_of(bars: Bars, charges: Charges, terms: F64_1D, wishes: I32_1D) -> Orders:
    """Return how orders are met that strategies with these wishes may place under a plan."""
    lines = 2 * ((wishes >> WISH_BITS) + 1)
    asked = np.zeros(2 * (len(bars.prices) + 1), np.bool_)
    asked[lines[wishes & ENTERS_LONG != 0]] = True
    asked[lines[wishes & ENTERS_SHORT != 0] + 1] = True
    asked[2 * len(bars.prices) :] = False  # what the last close decides
    entries = np.flatnonzero(asked)
    orders = Orders(
        np.empty(len(asked), np.int32), np.empty(len(asked), np.int32),
        on_cache_lines((len(entries) + 1) * ROW), entries,
    )  # fmt: skip # the order of its fields
    find_fills(bars.prices, bars.reach, charges.slip_ratio, terms, orders)
    return orders


def run_waits(
    way: Way, rows: list[F64_1D], wishes: I32_1D, sets: list[I64_2D], found: F64_2D
) -> None:
    """Find the figures of sets, plan by plan, whose terms are `rows`."""
    entries, portions = len(way.orders.rows) // ROW, portions_of(rows[0])
    count = len(rows) * entries
    runs = np.zeros((len(rows), PART_WALK))
    runs[:, : slots.TERMS] = [terms[: slots.TERMS] for terms in rows]
    for terms, own in zip(rows, sets, strict=True):
        if not has_levels(terms):
            own[:, SET_ROW] = NO_LEVELS
    parts = part_exits(way.orders.places, entries, len(rows), portions)
    levels = Levels(
        np.full(count, UNKNOWN, np.int32), np.empty(count * EXIT), runs, parts,
        np.empty(count * portions.targets), portions,
    )  # fmt: skip # one call
    advance_waits(way, levels, wishes, np.concatenate(sets), found)
