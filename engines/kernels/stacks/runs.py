"""Many strategies under one plan of several entries in one direction, by walks over their wishes.

Theory. Where each entry has levels of its own, or none, how these end it hangs on the entry alone,
as in a chain: so the end of each entry that any strategy may take is found once for all sets of a
plan (`stacks.exits`). A set is then a walk over its wishes and the ends of up to as many entries as
the plan stacks (`stacks.walk`), with the rows of the trade list that they make (`stacks.rows`); an
event costs some dozens of operations, and bars are not looked at.

What hangs on the account is done as the reference does it, and what looks back at earlier positions
by the machine's own rules. Margin calls are followed (`stacks.calls`); a set that comes near to a
liquidation is left to the machine.

Where levels count from the average or the last price they hang on the account as well: then each
entry's leg passes the bars as its set is walked (`stacks.legs`).

Entries that wait at a price are orders, each of which is met once for all sets, as its end is found
(`stacks.orders`).

A position of one entry is a stack too, a slower one than lanes make of it. But calls are followed
here and entries that cannot be paid are refused, so sets that lanes, waits or first passage leave
undecided come here, and at once where each entry takes all that there is.
"""

import numpy as np

from engines.kernels import slots
from engines.kernels.chains.columns import BARS_MAX, I32_1D, Opens
from engines.kernels.columns import F64_2D, Bars
from engines.kernels.gates.limits import has_limits, looks_at_money
from engines.kernels.gates.runs import (
    LIMITS,
    LOOKS_BACK,
    NO_GATES,
    OF_MONEY,
    gates_of,
    kelly_of,
    without_limits,
)
from engines.kernels.parts.columns import Portions
from engines.kernels.parts.runs import part_exits
from engines.kernels.passage.columns import MONTHS_MAX
from engines.kernels.passage.runs import (
    BORROWS,
    CLOSING,
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
from engines.kernels.slots import (
    AT_LIMIT,
    AT_MARKET,
    BY_EQUITY,
    BY_KELLY,
    FROM_ENTRY,
    NO_TRAIL,
    OWN_FIRST,
)
from engines.kernels.stacks.columns import END, Ends, Stacking
from engines.kernels.stacks.drivers import find_ends, find_order_ends
from engines.kernels.waits.columns import Orders
from engines.kernels.waits.runs import WAIT_TERMS
from engines.types import BOOL_1D, F64_1D, I64_1D

NOWHERE = np.empty(0, np.int32)
NO_ORDERS = Orders(NOWHERE, NOWHERE, np.empty(0), np.empty(0, np.int64))
NO_PARTS = part_exits(NOWHERE, 0, 0, Portions(0, 0.0, 0.0, 0.0))
NO_ENDS = Ends(np.empty(0, np.int32), np.empty((0, 0)))
STACKED = [
    *MOVES, *DIVIDES, *FILLS, *BORROWS, *CLOSING, *LOOKS_BACK, *LIMITS, slots.ROOM, slots.LOTS_ROOM,
    slots.BASIS,
]  # fmt: skip # one list
UNSTACKED = np.setdiff1d(OTHERS, STACKED)
UNSTACKED_WAITING = np.setdiff1d(UNSTACKED, WAIT_TERMS)


def is_stacked(bars: Bars, terms: F64_2D) -> BOOL_1D:
    """Return which plans [N] stacks follow for strategies that give no sizes."""
    if len(bars.months) >= MONTHS_MAX or len(bars.prices) >= BARS_MAX:
        return np.zeros(len(terms), np.bool_)
    return may_stack(bars, terms) & (terms[:, slots.ROOM] > 1) & are_alike(terms, DIVIDES)


def is_stacked_waiting(bars: Bars, terms: F64_2D) -> BOOL_1D:
    """Return which plans [N] whose entries wait stacks follow, if strategies give them nothing."""
    if len(bars.months) >= MONTHS_MAX or len(bars.prices) >= BARS_MAX:
        return np.zeros(len(terms), np.bool_)
    found = _are_followed(bars, terms, UNSTACKED_WAITING) & are_alike(terms, DIVIDES)
    found &= (terms[:, slots.ENTRY_KIND] != AT_MARKET) & (terms[:, slots.SETTLES] == 0)
    return found


def is_stacked_in_parts(bars: Bars, terms: F64_2D) -> BOOL_1D:
    """Return which plans [N] with several targets stacks alone follow.

    They have several entries or limits of money. Strategies give these nothing.
    """
    if len(bars.months) >= MONTHS_MAX or len(bars.prices) >= BARS_MAX:
        return np.zeros(len(terms), np.bool_)
    found = may_stack(bars, terms) & ~are_alike(terms, DIVIDES)
    found &= (terms[:, slots.ROOM] > 1) | ~are_alike(terms, OF_MONEY)
    return found


def may_stack(bars: Bars, terms: F64_2D) -> BOOL_1D:
    """Return which plans [N] stacks follow where entries fill as they are decided.

    Where these close in parts they do at levels of the plan alone.
    """
    return _are_followed(bars, terms, UNSTACKED)


def _are_followed(bars: Bars, terms: F64_2D, others: I64_1D) -> BOOL_1D:
    """Return which plans [N] have nothing at these other places of their terms."""
    found = are_plain(terms, others, (*SIZINGS, *OWN_SHARES, BY_KELLY))
    # What closes several entries in parts must hang on each alone, and so must what moves it.
    is_own = (terms[:, slots.BASIS] == FROM_ENTRY) & (terms[:, slots.TRAIL_UNIT] == NO_TRAIL)
    found &= are_alike(terms, DIVIDES) | (terms[:, slots.ROOM] <= 1) | is_own
    found &= are_alike(terms, LIMITS) | (terms[:, slots.SETTLES] == 0)
    if len(bars.marks) > 0:  # which then tell what is liquidated
        found &= terms[:, slots.IS_LIQUIDABLE] == 0
    return found


def spends_all(terms: F64_2D) -> BOOL_1D:
    """Return of which plans [N] each entry takes all that an account has.

    Nearly all of their sets see a margin call or an entry that cannot be paid, of which lanes and
    first passage know nothing.
    """
    share = np.where(terms[:, slots.SIZING_KIND] == BY_EQUITY, terms[:, slots.SIZING_VALUE], 0.0)
    margin = np.maximum(terms[:, slots.MARGIN_LONG], terms[:, slots.MARGIN_SHORT])
    found: BOOL_1D = share * terms[:, slots.LEVERAGE] * margin >= 1
    return found


def stacking_of(terms: F64_1D) -> Stacking:
    """Return how a plan stacks entries."""
    limits, kelly = gates_of(terms), kelly_of(terms)
    gates = without_limits(limits)
    has_parts = terms[slots.ROOM] > 1 and terms[slots.LOT_ORDER] == OWN_FIRST
    is_gated = gates._replace(only_in_profit=False, vain=0) != NO_GATES
    return Stacking(
        room=int(terms[slots.ROOM]),
        order=int(terms[slots.LOT_ORDER]),
        closes_all=bool(terms[slots.CLOSES_ALL] != 0),
        is_exact=bool(terms[slots.IS_EXACT] != 0),
        is_called=bool(terms[slots.CALLS_MARGIN] != 0 and not has_parts),
        is_gated=is_gated,
        counts_rounds=is_gated or kelly.room > 0,
        only_in_profit=gates.only_in_profit,
        waits=bool(terms[slots.ENTRY_KIND] != AT_MARKET),
        are_limits=bool(terms[slots.ENTRY_KIND] == AT_LIMIT),
        moves=not are_alike(terms[None], MOVES)[0],
        is_limited=bool(has_limits(limits)),
        counts_money=bool(looks_at_money(limits)),
        is_based=bool(terms[slots.BASIS] != FROM_ENTRY),
    )


def ends_of(
    opens: Opens, prices: F64_2D, slip_ratio: F64_1D, atr: F64_1D, rows: list[F64_1D],
    asked: list[tuple[I64_1D, I32_1D]], places: I32_1D, count: int,
) -> Ends:  # fmt: skip # the market, then the plans and what each is asked
    """Return how the levels of plans, by their terms, end the entries that each is asked for.

    `places` are those of all `count` entries.
    """
    ends = Ends(places, np.empty((len(rows), count * END)))
    for row, (terms, (own, last)) in enumerate(zip(rows, asked, strict=True)):
        find_ends(opens, prices, slip_ratio, atr, terms, own, last, ends, row)
    return ends


def order_ends_of(
    opens: Opens, prices: F64_2D, slip_ratio: F64_1D, atr: F64_1D, rows: list[F64_1D],
    orders: Orders,
) -> Ends:  # fmt: skip # the market, then what is asked
    """Return how the levels of plans, by their terms, end the entries of orders that are met."""
    ends = Ends(orders.places, np.empty((len(rows), len(orders.entries) * END)))
    for row, terms in enumerate(rows):
        if has_levels(terms):
            find_order_ends(opens, prices, slip_ratio, atr, terms, orders, ends, row)
    return ends
