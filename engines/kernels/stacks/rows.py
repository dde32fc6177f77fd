"""The rows of a stack: what a fill opens and closes, and what it costs (`fills`, `position`).

Theory. The order of the float operations is the reference's, a division by the whole included, so
that results are its doubles. A fill pays one commission, shared by quantity between what it closes
and what it opens, and what it closes among rows in the order of the close rule.
"""

import math

from engines.kernels._compiled import inlined
from engines.kernels.passage.columns import Fixed, Payments
from engines.kernels.passage.lanes import fee
from engines.kernels.slots import LIFO, OWN_FIRST
from engines.kernels.stacks.columns import (
    AVERAGE,
    DOUBTS,
    FEES,
    FEES_OPEN,
    FOLLOWED,
    FROM,
    FUNDED,
    FUNDING_MOST,
    FUNDING_OPEN,
    HELD,
    IS_UNSURE,
    JOINED,
    NET,
    OF_ALL,
    PEAK,
    QTY,
    ROUND_BAR,
    ROW,
    ROW_BAR,
    ROW_FALL,
    ROW_FALL_RATIO,
    ROW_FEE,
    ROW_FUNDING,
    ROW_LOW,
    ROW_PRICE,
    ROW_STEPS,
    ROWS_MAX,
    SETTLEMENT,
    SIGN,
    TO,
    Course,
    Deal,
    Stack,
)
from engines.kernels.stacks.rounds import weigh_trade
from engines.kernels.stacks.tally import add_result, deepen, expose, fall_of, may_deepen, part_with


@inlined
def qty_of(fixed: Fixed, steps: float) -> float:
    """Return the quantity of `steps` whole steps."""
    return steps * fixed.step_over / fixed.step_under


@inlined
def pay(stack: Stack, payments: Payments, fixed: Fixed, stop: int) -> None:
    """Settle funding up to the settlement `stop` with what is held, shared by quantity."""
    state, counts, rows = stack.state, stack.counts, stack.rows
    if state[HELD] > 0:
        qty = state[SIGN] * state[QTY]
        for place in range(counts[SETTLEMENT], stop):
            paid = qty * payments.prices[place] * fixed.point_value * payments.rates[place]
            for row in range(counts[FROM], counts[TO]):
                part = paid * rows[row * ROW + ROW_STEPS] / state[HELD]
                rows[row * ROW + ROW_FUNDING] += part
            state[FUNDING_OPEN] += paid
            state[FUNDING_MOST] = max(state[FUNDING_MOST], state[FUNDING_OPEN])
    counts[SETTLEMENT] = max(counts[SETTLEMENT], stop)


@inlined
def close_part(
    stack: Stack, course: Course, row: int, steps: float, exit_fee: float, deal: Deal
) -> None:
    """Close `steps` of a row, paying `exit_fee` for them."""
    state, rows, fixed = stack.state, stack.rows, course.fixed
    held, price = rows[row + ROW_STEPS], rows[row + ROW_PRICE]
    entry_fee = rows[row + ROW_FEE] * steps / held
    funding = rows[row + ROW_FUNDING] * steps / held
    unit = qty_of(fixed, steps) * fixed.point_value
    gross = state[SIGN] * (deal.price - price) * unit
    pnl = gross - entry_fee - exit_fee - funding
    rows[row + ROW_STEPS] = held - steps
    rows[row + ROW_FEE] -= entry_fee
    rows[row + ROW_FUNDING] -= funding
    state[NET] += pnl
    peak, before = state[PEAK], fixed.capital + (state[NET] - pnl)
    is_fresh = rows[row + ROW_BAR] == deal.bar
    low = min(rows[row + ROW_LOW], deal.low)
    if is_fresh and stack.counts[FOLLOWED] != deal.bar:
        low = min(rows[row + ROW_LOW], deal.fresh)
    fall = fall_of(state, price, low, deal.price, unit, pnl, entry_fee, before, peak)
    deepen(state, fall, peak)
    if course.stacking.moves:
        # Where the levels of other entries move on the way may count, which is not known here.
        doubt = rows[DOUBTS + row // ROW]
        if is_fresh and doubt == math.inf and stack.counts[JOINED] == deal.bar:
            doubt = deal.low
        most = fall_of(
            state, price, min(low, doubt), deal.price, unit, pnl, entry_fee, before, peak
        )  # fmt: skip # one call
        if most > fall and may_deepen(state, most, peak):
            state[IS_UNSURE] = 1.0
    if course.stacking.counts_rounds:
        qty, run = qty_of(fixed, steps), stack.run
        weigh_trade(run, pnl, price * (qty * fixed.point_value) + entry_fee, price * qty)
    bars_held = deal.bar - rows[row + ROW_BAR] + 1
    add_result(state, pnl, entry_fee + exit_fee, funding, bars_held, fixed.capital)
    part_with(state, rows, row, held > steps)


@inlined
def close_rows(stack: Stack, course: Course, deal: Deal) -> None:
    """Close rows in the order of the close rule.

    Under the rule that lets an exit close its own, rows and entries are one for one.
    """
    counts, rows, order = stack.counts, stack.rows, course.stacking.order
    left, is_last_first = deal.closing, order == LIFO
    while left > 0:
        row = int(counts[TO]) - 1 if is_last_first else int(counts[FROM])
        if order == OWN_FIRST and deal.own != OF_ALL:
            row += deal.own
        part = min(left, rows[row * ROW + ROW_STEPS])
        close_part(stack, course, row * ROW, part, deal.fee * part / deal.closing, deal)
        left -= part
        if rows[row * ROW + ROW_STEPS] == 0:
            _give_back(stack, row)
    stack.state[HELD] -= deal.closing
    _add_up(stack, course.fixed)
    if stack.state[HELD] == 0:
        expose(stack.state, deal.bar)


@inlined
def _give_back(stack: Stack, row: int) -> None:
    """Forget a row that is closed; those behind one in the middle move up."""
    counts, rows = stack.counts, stack.rows
    if row == counts[FROM]:
        counts[FROM] += 1
        return
    for place in range(row * ROW, (counts[TO] - 1) * ROW):
        rows[place] = rows[place + ROW]
    for place in range(DOUBTS + row, DOUBTS + counts[TO] - 1):
        rows[place] = rows[place + 1]
    counts[TO] -= 1


@inlined
def _add_up(stack: Stack, fixed: Fixed) -> None:
    """Add up what a close has left."""
    state, counts, rows = stack.state, stack.counts, stack.rows
    if state[HELD] == 0:
        counts[FROM] = counts[TO] = 0
        state[FEES_OPEN] = state[FUNDING_OPEN] = state[FUNDING_MOST] = 0.0
        state[QTY] = state[AVERAGE] = 0.0
        return
    fees = funding = 0.0
    for row in range(counts[FROM], counts[TO]):
        fees += rows[row * ROW + ROW_FEE]
        funding += rows[row * ROW + ROW_FUNDING]
    state[FEES_OPEN], state[FUNDING_OPEN] = fees, funding
    state[FUNDING_MOST] = funding
    state[QTY] = qty_of(fixed, state[HELD])
    _average(stack)


@inlined
def _average(stack: Stack) -> None:
    """Find the average price of the rows that are open."""
    state, counts, rows = stack.state, stack.counts, stack.rows
    first, last = int(counts[FROM]), int(counts[TO])
    state[AVERAGE] = rows[first * ROW + ROW_PRICE] if last > first else 0.0
    if last - first > 1:
        total = 0.0
        for row in range(first, last):
            total += rows[row * ROW + ROW_PRICE] * rows[row * ROW + ROW_STEPS]
        state[AVERAGE] = total / state[HELD]


@inlined
def open_row(stack: Stack, deal: Deal, fixed: Fixed) -> None:
    """Open or add a row."""
    state, counts, rows = stack.state, stack.counts, stack.rows
    if counts[TO] == ROWS_MAX:
        _move_down(stack)
    if state[HELD] == 0:
        state[SIGN], state[ROUND_BAR] = deal.sign, deal.bar
    row = int(counts[TO]) * ROW
    counts[TO] += 1
    rows[row + ROW_STEPS], rows[row + ROW_PRICE] = deal.opening, deal.entry_price
    rows[row + ROW_BAR], rows[row + ROW_FEE] = deal.bar, deal.entry_fee
    rows[row + ROW_FUNDING], rows[row + ROW_LOW] = 0.0, math.inf
    rows[row + ROW_FALL] = rows[row + ROW_FALL_RATIO] = 0.0
    rows[DOUBTS + row // ROW] = math.inf
    state[HELD] += deal.opening
    state[QTY] = qty_of(fixed, state[HELD])
    state[FEES_OPEN] += deal.entry_fee
    state[FUNDING_MOST] = state[FUNDING_OPEN]
    _average(stack)


@inlined
def _move_down(stack: Stack) -> None:
    """Move the rows to where those that are gone lay; a set that has too many is unsure."""
    state, counts, rows = stack.state, stack.counts, stack.rows
    first, last = int(counts[FROM]), int(counts[TO])
    for place in range((last - first) * ROW):
        rows[place] = rows[place + first * ROW]
    for place in range(DOUBTS, DOUBTS + last - first):
        rows[place] = rows[place + first]
    counts[FROM], counts[TO] = 0, last - first
    if first == 0:
        state[IS_UNSURE] = 1.0
        counts[TO] -= 1


@inlined
def close_at_end(stack: Stack, course: Course, bar: int, price: float) -> None:
    """Count what is open behind the last bar as if it closed there, but not as closed."""
    state, counts, rows, fixed = stack.state, stack.counts, stack.rows, course.fixed
    for row in range(counts[FROM] * ROW, counts[TO] * ROW, ROW):
        steps, entered = rows[row + ROW_STEPS], rows[row + ROW_PRICE]
        unit = qty_of(fixed, steps) * fixed.point_value
        paid = fee(fixed, qty_of(fixed, steps), price)
        entry_fee = rows[row + ROW_FEE] * steps / steps
        funding = rows[row + ROW_FUNDING] * steps / steps
        pnl = state[SIGN] * (price - entered) * unit - entry_fee - paid - funding
        state[FEES] += entry_fee
        state[FUNDED] += funding
        before, peak, low = fixed.capital + state[NET], state[PEAK], rows[row + ROW_LOW]
        fall = fall_of(state, entered, low, price, unit, pnl, entry_fee, before, peak)
        deepen(state, fall, peak)
        low = min(low, rows[DOUBTS + row // ROW])
        most = fall_of(state, entered, low, price, unit, pnl, entry_fee, before, peak)
        if most > fall and may_deepen(state, most, peak):
            state[IS_UNSURE] = 1.0
    if state[HELD] > 0:
        expose(state, bar)
