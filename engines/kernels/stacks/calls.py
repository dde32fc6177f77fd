"""Margin calls, to the step: in which bar, at which point of its way, and how much they close.

Theory. Margin is judged at the points of a bar's way: at its open, there again once what settles
inside the bar is paid, at the nearer extreme, at the other one and at the close. A call sells what
the machine's rule says (`money.margin_call_steps`), and the position goes on with what is left.
While nothing fills and nothing is paid, one price tells from where on a call may be due
(`machine.guards`), so bars are searched for the first that reaches it, up to the next settlement.
Most stretches need no search: their lowest price, and all that may be paid in them, bound what is
needed (`may_be_called`).

A point is `bar * POINTS + number`, and JUDGED the first that was not looked at. What fills at an
open comes before what is judged there, a level that is met on some part of the way before the point
that ends the part.

A call takes steps off the rows in the order of the close rule, and off the oldest entries, whose
levels close what is left of them. Under the rule by which each of several entries has its part of a
call (ANY), sets that come near to one are left to the machine.
"""

import math

import numpy as np

from engines.kernels._compiled import inlined, rule, shared
from engines.kernels.chains.columns import (
    LONG,
    MODE_BITS,
    MODE_MASK,
    ON_THE_WAY,
    SHORT,
    Given,
)
from engines.kernels.chains.walk import lowest
from engines.kernels.columns import F64_2D, Run
from engines.kernels.machine.guards import refresh_guards
from engines.kernels.money import due_price, margin_call_steps, slipped_price
from engines.kernels.passage.events import slip_at
from engines.kernels.passage.lanes import SURE, fee
from engines.kernels.search import first_touch
from engines.kernels.slots import CLOSE, EQUITY_MIN, GUARD_DOWN, GUARD_UP, HIGH, LOW, OPEN
from engines.kernels.slots import FEES_OPEN as RUN_FEES
from engines.kernels.slots import FUNDING_OPEN as RUN_FUNDING
from engines.kernels.slots import NET as RUN_NET
from engines.kernels.slots import PRICE_AVG as RUN_PRICE
from engines.kernels.slots import STEPS as RUN_STEPS
from engines.kernels.stacks.columns import (
    AVERAGE,
    CALL_FRESH,
    CALL_LOW,
    CALL_PRICE,
    CALL_STEPS,
    ENTRIES,
    ENTRY,
    ENTRY_STEPS,
    FEES_OPEN,
    FUNDING_OPEN,
    HELD,
    IS_UNSURE,
    JUDGED,
    LATE,
    LOWEST,
    NET,
    NEVER,
    OF_ALL,
    QTY,
    REST,
    SETTLEMENT,
    SIGN,
    SINCE,
    THE_LINE,
    Course,
    Deal,
    Stack,
)
from engines.kernels.stacks.fills import settle
from engines.kernels.stacks.rows import qty_of
from engines.kernels.stacks.tally import mark_at, needed_at
from engines.kernels.stacks.turns import low_of_next

POINTS = 5
AT_OPEN, PAID, FIRST_PART = 0, 1, 2


@inlined
def look(stack: Stack, course: Course, until: int) -> None:
    """Look up the lowest price since the last fill, up to bar `until`."""
    state, since = stack.state, int(stack.counts[SINCE])
    state[LOWEST] = state[REST] if since <= until else np.inf
    if since < until:
        side = np.uint64(LONG if state[SIGN] > 0 else SHORT)
        low = lowest(course.opens, np.uint64(since), np.uint64(until), side)
        state[LOWEST] = min(state[LOWEST], low)


@inlined
def judged_until(bar: int, mode: int) -> int:
    """Return the first point that the exit by a level in `bar` precedes."""
    return bar * POINTS + (FIRST_PART + mode - ON_THE_WAY if mode >= ON_THE_WAY else 0)


@inlined
def may_be_called(stack: Stack, course: Course, low: float, stop: int) -> bool:
    """Return whether margin may be called ahead of the point `stop`.

    `low` is the lowest signed price until then.
    """
    state, fixed, payments = stack.state, course.fixed, course.payments
    needed, paid = needed_at(state, fixed, low), float(state[FUNDING_OPEN])
    if int(stack.counts[JUDGED]) >= stop or needed == 0:
        return False
    most, qty = paid, state[SIGN] * state[QTY]
    if len(payments.rates) > 0:
        for place in range(stack.counts[SETTLEMENT], payments.before[(stop - 1) // POINTS + 1]):
            paid += qty * payments.prices[place] * fixed.point_value * payments.rates[place]
            most = max(most, paid)
    return bool(needed > (mark_at(state, fixed, low) - most) * SURE)


def _find_call(stack: Stack, course: Course, given: Given, stop: int) -> bool:
    """Find the first margin call ahead of the point `stop`; return whether there is one.

    What settles until then is paid, and the call is noted.
    """
    run, state, counts = stack.run, stack.state, stack.counts
    settles = len(course.payments.rates) > 0
    at = int(counts[JUDGED])
    _hold(run, stack)
    while at < stop:
        bar, point = at // POINTS, at % POINTS
        if point == AT_OPEN:
            bar = _next_bar(run, course, bar, (stop - 1) // POINTS + 1, int(counts[SETTLEMENT]))
            at = bar * POINTS
            if at >= stop:
                return False
        if point <= PAID:
            settle(stack, course, bar, point == PAID)
            _hold(run, stack)
        at += 1
        price = note_way(given.prices, bar, point, stack)
        if run[GUARD_DOWN] < price < run[GUARD_UP]:
            continue
        steps = margin_call_steps(run, price)
        if steps > 0:
            if point == PAID and not settles:
                state[IS_UNSURE] = 1.0  # The open is judged twice only in markets that settle.
            slip_at(run, given.slip_ratio, max(0, bar - 1))
            state[CALL_STEPS] = steps
            state[CALL_PRICE] = slipped_price(run, due_price(run, price), -state[SIGN], 0.0)
            counts[JUDGED], counts[THE_LINE] = at, bar + course.opens.lag
            return True
    return False


find_call = shared(_find_call)


@inlined
def is_called(
    stack: Stack, course: Course, given: Given, line: int, code: int, is_met: bool
) -> bool:  # fmt: skip # one list
    """Return whether a margin call comes before what happens next, and go to its own.

    That is something at a line's fills if the code is NEVER, else what has this code: that an entry
    ends by its levels, or that the order is met.
    """
    counts, opens, lag, bars = stack.counts, course.opens, course.opens.lag, course.opens.bars
    bar = (code >> MODE_BITS) - lag
    low, stop = stack.state[LOWEST], min(line, bars - lag) * POINTS
    if code != NEVER:
        stop = judged_until(bar, code & MODE_MASK)
        if not is_met:
            low = min(low, low_of_next(stack))
        elif code & MODE_MASK >= ON_THE_WAY:
            is_long = stack.state[SIGN] > 0
            low = min(low, opens.reach[bar, 1] if is_long else -opens.reach[bar, 0])
    if may_be_called(stack, course, low, stop) and find_call(stack, course, given, stop):
        look(stack, course, int(counts[THE_LINE]) - lag)
        return True
    counts[JUDGED] = max(int(counts[JUDGED]), stop)
    return False


@rule
def put_money(run: Run, stack: Stack) -> None:
    """Put what a stack holds where the machine's rules of money look for it."""
    state = stack.state
    run[RUN_STEPS], run[RUN_PRICE] = state[SIGN] * state[HELD], state[AVERAGE]
    run[RUN_NET], run[RUN_FEES] = state[NET], state[FEES_OPEN]
    run[RUN_FUNDING] = state[FUNDING_OPEN]


@rule
def _hold(run: Run, stack: Stack) -> None:
    """Let the machine's guards stand where margin is called, whatever the limits are."""
    put_money(run, stack)
    run[EQUITY_MIN] = -math.inf
    refresh_guards(run)


@rule
def _next_bar(run: Run, course: Course, bar: int, stop: int, settlement: int) -> int:
    """Return the first bar of [bar, stop) that settles funding or reaches a guard, else `stop`."""
    quiet, payments, opens = stop, course.payments, course.opens
    if len(payments.rates) > 0:
        quiet = bar
        while quiet < stop and payments.before[quiet + 1] <= settlement:
            quiet += 1
    return first_touch(opens.reach, opens.bars, bar, quiet, run[GUARD_DOWN], run[GUARD_UP])


@rule
def note_way(prices: F64_2D, bar: int, point: int, stack: Stack) -> float:
    """Return the price at a point of a bar; note the lowest signed ones of its way until then."""
    state, opened, high, low = stack.state, prices[bar, OPEN], prices[bar, HIGH], prices[bar, LOW]
    is_high_first, late = high - opened < opened - low, int(stack.counts[LATE])
    first = (late & MODE_MASK) - ON_THE_WAY if late >> MODE_BITS == bar else 0
    price, fresh, lowest_price = opened, math.inf, state[SIGN] * opened
    for part in range(point + 1 - FIRST_PART):
        price = high if (part == 0) == is_high_first else low
        if part == 2:
            price = prices[bar, CLOSE]
        lowest_price = min(lowest_price, state[SIGN] * price)
        fresh = min(fresh, state[SIGN] * price) if part >= first else fresh
    state[CALL_FRESH], state[CALL_LOW] = fresh, lowest_price
    return float(price)


@rule
def close_at_call(stack: Stack, course: Course, line: int) -> Deal:
    """Return what the margin call that was found closes."""
    state, fixed = stack.state, course.fixed
    steps, price = state[CALL_STEPS], state[CALL_PRICE]
    paid = fee(fixed, qty_of(fixed, steps), price) * steps / steps
    return Deal(
        line, OF_ALL, steps, price, paid, state[CALL_LOW], state[CALL_FRESH], 0.0, 0.0, 0.0, 0.0
    )


@rule
def spend(stack: Stack, steps: float) -> None:
    """Take steps off the oldest entries; one that is spent is gone."""
    counts, entries, gone = stack.counts, stack.entries, 0
    for number in range(counts[ENTRIES]):
        part = min(steps, entries[number * ENTRY + ENTRY_STEPS])
        entries[number * ENTRY + ENTRY_STEPS] -= part
        steps -= part
        gone += 1 if entries[number * ENTRY + ENTRY_STEPS] == 0 else 0
    counts[ENTRIES] -= gone
    for place in range(counts[ENTRIES] * ENTRY):
        entries[place] = entries[place + gone * ENTRY]
