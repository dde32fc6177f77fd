"""Entries that wait at a price: what a close places, and what an order that is met fills.

Theory. Where an order is met hangs on the close that decides it, its side and the bars, and how its
levels end the entry that it makes on that fill (`waits.orders`, `order_ends`). So both are found
once for all sets of a plan, and a set asks them by the code of the one order that waits: the lower
code comes first, and of a level and an order on the same part of a way what the price meets first,
the level where both are met at once, since it rests longer.

One order waits at a time. A close that may place one withdraws the one before, also if the account
cannot pay the new one or that is too small; so does a close that ends the position, and one at the
end of a session while nothing is held. A wish that a rule refuses, or for which there is no room
among the entries that are open then, changes nothing. What it opens is sized by the money of the
close that decided it: at the price of its fill, but a stop that an open has passed at what that
close reckoned with. Whether the account could pay it there, and whether it was large enough, is
asked as it is met, unless orders are counted. It is judged again where it fills, by the rules of
`admission`, as an entry at an open is; an opposite position goes first, in the same fill, and stays
if the entry may not fill. One on a side that the plan does not allow closes that alone.

So a bar sees one entry at most. One that is met on the way counts the rest of its bar, from its
price on; those that were open before count all of it, and what ends later in that bar does so at a
place of the way behind it. What the open of a bar fills, or its way, is judged by the equity that
the bar began with where something has filled in it before.
"""

from engines.kernels._compiled import inlined
from engines.kernels._prefetch import prefetch
from engines.kernels.chains.columns import (
    I32_1D,
    LINE,
    LONG,
    MODE_BITS,
    MODE_MASK,
    NO_LEVELS,
    O_CLOSE,
    O_OPEN,
    ON_THE_WAY,
    SHORT,
    SIDE_MASK,
    WISH_BITS,
)
from engines.kernels.machine.gates import count_entry
from engines.kernels.slots import ENTERS, ENTERS_LONG, ENTERS_SHORT
from engines.kernels.stacks.columns import (
    DOUBTS,
    END,
    END_WAY,
    ENTRY,
    ENTRY_END,
    FROM,
    LATE,
    NEVER,
    NEXT,
    NEXT_AT,
    OF_ALL,
    ORDER,
    ORDER_EQUITY,
    ORDER_SHARE,
    ORDERED,
    REST,
    ROW_LOW,
    SHARE,
    SIGN,
    SINCE,
    TO,
    WANTED,
    Course,
    Deal,
    Stack,
)
from engines.kernels.stacks.columns import ROW as STACK_ROW
from engines.kernels.stacks.fills import (
    enter_at,
    equity_at,
    is_large_enough,
    lacks_funds,
    lowest_on_way,
    wanted_for,
)
from engines.kernels.waits.columns import (
    R_CLOSE,
    R_DECIDED,
    R_MET,
    R_PRICE,
    R_REST,
    R_WHERE,
    ROW,
    SIZED_BEFORE,
)

# Wishes ahead of the one that acts: of far ones is asked where orders lie, of near ones the orders.
FAR, NEAR = 8, 4


@inlined
def ask_for_orders(course: Course, wishes: I32_1D, place: int, plan: int) -> None:
    """Ask for the orders of wishes some places on, of far ones where they are kept."""
    orders, ends, last = course.orders, course.ends, len(wishes) - 1
    prefetch(orders.codes, _order_of(int(wishes[min(place + FAR, last)])))
    prefetch(orders.places, _order_of(int(wishes[min(place + FAR, last)])))
    wish = int(wishes[min(place + NEAR, last)])
    if wish & ENTERS == 0:
        return
    own = int(orders.places[_order_of(wish)])
    prefetch(orders.rows, own * ROW)
    if plan != NO_LEVELS:
        prefetch(ends.values, own * END + plan * ends.values.shape[1])


@inlined
def _order_of(wish: int) -> int:
    """Return the line and the side of the order that a wish may place."""
    return (((wish >> WISH_BITS) + 1) << 1) | (LONG if wish & ENTERS_LONG != 0 else SHORT)


@inlined
def place_waiting(stack: Stack, course: Course, line: int, what: int) -> None:
    """Let the entry that a close wishes for wait, from a line on, in the place of any before."""
    state, counts = stack.state, stack.counts
    entry = (line << 1) | (LONG if what & ENTERS_LONG != 0 else SHORT)
    code, counts[ORDER] = int(course.orders.codes[entry]), NEVER
    if code >> MODE_BITS >= course.opens.bars and not course.stacking.is_gated:
        return  # It times out, and nobody asks.
    close = course.opens.lines[line * LINE + O_CLOSE]
    state[ORDER_EQUITY], state[ORDER_SHARE] = equity_at(state, close, course.fixed), state[SHARE]
    counts[ORDERED] = entry
    if course.stacking.is_gated:
        if not _is_placed(stack, course, entry):
            return
        count_entry(stack.run)
    counts[ORDER] = code


@inlined
def _is_placed(stack: Stack, course: Course, entry: int) -> bool:
    """Return whether an order can be paid and is large enough where it is decided; WANTED is then.

    What it wants is that of its deciding close.
    """
    state, rows, fixed = stack.state, course.orders.rows, course.fixed
    row, equity = int(course.orders.places[entry]) * ROW, state[ORDER_EQUITY]
    decided = rows[row + R_DECIDED]
    wanted = wanted_for(stack, course, decided, equity, state[ORDER_SHARE])
    state[WANTED] = wanted
    is_large = is_large_enough(fixed, wanted, rows[row + R_CLOSE])
    lacks = lacks_funds(fixed, entry & SIDE_MASK, wanted, decided, equity)
    return is_large and not lacks


@inlined
def is_met_first(stack: Stack, course: Course) -> bool:
    """Return whether the order that waits is met before the levels of any entry that is open."""
    order, at = int(stack.counts[ORDER]), int(stack.counts[NEXT_AT])
    if order != at or order == NEVER:
        return order < at
    entry, way = int(stack.counts[ORDERED]), int(stack.counts[NEXT]) * ENTRY + ENTRY_END + END_WAY
    return bool(way_of(course, entry) < stack.entries[way])


@inlined
def way_of(course: Course, entry: int) -> float:
    """Return how far along the way of its bar an order is met."""
    met = course.orders.rows[int(course.orders.places[entry]) * ROW + R_MET]
    is_rising = (entry & SIDE_MASK == SHORT) == course.stacking.are_limits
    return float(met if is_rising else -met)


@inlined
def fill_order(stack: Stack, course: Course, bar: int) -> Deal:
    """Return what the order that is met in a bar opens, and closes on the other side, if it may."""
    state, counts, rows, opens = stack.state, stack.counts, course.orders.rows, course.opens
    entry, code = int(counts[ORDERED]), int(counts[ORDER])
    row, side, mode = int(course.orders.places[entry]) * ROW, entry & SIDE_MASK, code & MODE_MASK
    counts[ORDER] = NEVER
    price, decided = rows[row + R_PRICE], rows[row + R_DECIDED]
    if not _is_placed(stack, course, entry):
        return Deal(bar, OF_ALL, 0.0, price, 0.0, 0.0, 0.0, 0.0, 0.0, price, 0.0)
    if price != decided and int(rows[row + R_WHERE]) & SIZED_BEFORE == 0:
        share = state[ORDER_SHARE]
        state[WANTED] = wanted_for(stack, course, price, state[ORDER_EQUITY], share)
    if course.decides.enters & (ENTERS_LONG if side == LONG else ENTERS_SHORT) == 0:
        state[WANTED] = 0.0
    low = state[SIGN] * opens.lines[bar * LINE + O_OPEN]
    if mode >= ON_THE_WAY:
        way = rows[row + R_MET]
        low = min(low, lowest_on_way(opens, bar, 0, mode - ON_THE_WAY, way, state[SIGN]))
    return enter_at(stack, course, bar, side, price, low, mode < ON_THE_WAY)


@inlined
def go_on_late(stack: Stack, course: Course, code: int, low: float) -> None:
    """Let an entry that is met on the way of its bar be the next that opens.

    Until then the lowest signed price of the bar was `low`, for what is held already.
    """
    state, counts, rows = stack.state, stack.counts, stack.rows
    place = int(course.orders.places[int(counts[ORDERED])]) * ROW
    for row in range(counts[FROM] * STACK_ROW, counts[TO] * STACK_ROW, STACK_ROW):
        rows[row + ROW_LOW] = min(rows[row + ROW_LOW], low)
    state[REST] = course.orders.rows[place + R_REST]
    counts[SINCE], counts[LATE] = (code >> MODE_BITS) + 1, code


@inlined
def doubt_where_met(stack: Stack, course: Course, sign: float) -> None:
    """Let the price perhaps count where the youngest row was met.

    It does where a level of others moves before the price has left what slipped.
    """
    row, place = int(stack.counts[TO]) - 1, int(course.orders.places[int(stack.counts[ORDERED])])
    stack.rows[DOUBTS + row] = sign * course.orders.rows[place * ROW + R_MET]
