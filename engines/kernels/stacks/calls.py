"""Margin calls: when one comes before what happens next to a stack, and what it closes.

Theory. A call is asked for at the points of the way of each bar: at its open behind all that fills
there, at its two extremes and at its close (`engines/broker.py`). What a position needs beside what
the account owns grows as the price goes against it, so the first bar whose worst price is too bad
has the first call: at its open if that is bad enough, else at its worse extreme. Bars are halved to
find it. Whether a level ends an entry on the way of that bar before is a question of its parts.

*Times* order what happens: sixteen a bar, what its open fills first, then two for each mode of an
end, the second of them for the call behind it, and the last for what fills at its close.

The steps are the machine's own rule. A call takes them off the rows in the order of the close rule,
and off the oldest entries, whose levels close what is left of them. Left to the machine: calls of
which each entry has its part (the close rule ANY), and those where funding is paid, too near to
tell, or at a point that has passed.
"""

import numpy as np

from engines.kernels._compiled import inlined, rule
from engines.kernels.chains.columns import (
    AT_LEVEL,
    LONG,
    MODE_BITS,
    MODE_MASK,
    ON_THE_WAY,
    SHORT,
    Given,
)
from engines.kernels.chains.walk import lowest
from engines.kernels.columns import F64_2D
from engines.kernels.money import due_price, margin_call_steps, slipped_price
from engines.kernels.passage.columns import Fixed
from engines.kernels.passage.events import slip_at
from engines.kernels.passage.lanes import SURE, fee
from engines.kernels.slots import FEES_OPEN as RUN_FEES
from engines.kernels.slots import FUNDING_OPEN as RUN_FUNDING
from engines.kernels.slots import HIGH, LOW, OPEN, OWN_FIRST, PRICE_AVG, STEPS
from engines.kernels.slots import NET as RUN_NET
from engines.kernels.stacks.columns import (
    AVERAGE,
    END_LOW,
    ENTRIES,
    ENTRY,
    ENTRY_END,
    ENTRY_STEPS,
    FEES_OPEN,
    HELD,
    IS_UNSURE,
    LOWEST,
    NET,
    NEVER,
    NEXT,
    NEXT_AT,
    NOW,
    OF_ALL,
    SIGN,
    SINCE,
    Course,
    Deal,
    Stack,
)
from engines.kernels.stacks.rows import qty_of
from engines.kernels.stacks.tally import mark_at, needed_at
from engines.types import F64_1D

TIME_BITS = MODE_BITS + 1
TIME_MASK = (1 << TIME_BITS) - 1
AT_CLOSE = TIME_MASK
BEHIND = 1  # what is asked behind the fills of a mode


@inlined
def time_of_end(stack: Stack, lag: int) -> int:
    """Return when the entry that comes first ends."""
    at = int(stack.counts[NEXT_AT])
    return ((at >> MODE_BITS) - lag) << TIME_BITS | (at & MODE_MASK) << 1


@inlined
def seek_call(stack: Stack, course: Course, given: Given, until: int, then: int, ends: bool) -> int:
    """Return when a margin call comes before the time of the next event, NEVER if none does.

    Prices count up to bar `until`; where an entry `ends` then, those before that in its bar too.
    """
    state, counts = stack.state, stack.counts
    since = int(counts[SINCE])
    look(stack, course, until)
    if not asks_for_calls(course):
        return NEVER
    low, stop = state[LOWEST], until
    if ends:
        low = min(low, stack.entries[int(counts[NEXT]) * ENTRY + ENTRY_END + END_LOW])
        stop += 1
    if stop <= since or not _is_short(state, course.fixed, low):
        return NEVER
    return _find_call(stack, course, given, stop, then)


@rule
def _find_call(stack: Stack, course: Course, given: Given, stop: int, then: int) -> int:
    """Return when a margin call comes that is surely due before bar `stop`, as `seek_call` does."""
    state, counts, opens = stack.state, stack.counts, course.opens
    start, side = int(counts[SINCE]), np.uint64(LONG if state[SIGN] > 0 else SHORT)
    while stop - start > 1:
        middle = (start + stop) // 2
        low = lowest(opens, np.uint64(start), np.uint64(middle), side)
        if _is_short(state, course.fixed, low):
            stop = middle
        else:
            start = middle
    time, low = _point_of(state, course.fixed, given.prices, start)
    if time >= then:
        return NEVER
    needed, owned = needed_at(state, course.fixed, low), mark_at(state, course.fixed, low)
    is_near = needed < owned * (2 - SURE)
    if time <= counts[NOW] or is_near or course.stacking.order == OWN_FIRST:
        state[IS_UNSURE] = 1.0
    return time


@inlined
def look(stack: Stack, course: Course, until: int) -> None:
    """Look up the lowest price since the last fill, up to bar `until`."""
    state, since = stack.state, int(stack.counts[SINCE])
    state[LOWEST] = np.inf
    if since < until:
        side = np.uint64(LONG if state[SIGN] > 0 else SHORT)
        state[LOWEST] = lowest(course.opens, np.uint64(since), np.uint64(until), side)


@inlined
def asks_for_calls(course: Course) -> bool:
    """Return whether margin calls are followed: where no funding is paid, and no leverage taken."""
    return len(course.payments.rates) == 0 and course.fixed.leverage == 1.0


@inlined
def _is_short(state: F64_1D, fixed: Fixed, low: float) -> bool:
    """Return whether the account may be short of margin at a signed price."""
    needed = needed_at(state, fixed, low)
    return bool(needed > 0 and needed > mark_at(state, fixed, low) * SURE)


@inlined
def _point_of(state: F64_1D, fixed: Fixed, prices: F64_2D, bar: int) -> tuple[int, float]:
    """Return when a bar whose worst price is too bad has its first call, and at what price."""
    opened, high, low = prices[bar, OPEN], prices[bar, HIGH], prices[bar, LOW]
    if _is_short(state, fixed, state[SIGN] * opened):
        return bar << TIME_BITS | AT_LEVEL << 1 | BEHIND, state[SIGN] * opened
    is_high_first = high - opened < opened - low
    part, worst = 0 if is_high_first else 1, -high
    if state[SIGN] > 0:
        part, worst = 1 - part, low
    return bar << TIME_BITS | (ON_THE_WAY + part) << 1 | BEHIND, worst


@rule
def call_margin(stack: Stack, course: Course, given: Given, time: int) -> Deal:
    """Return what a margin call closes."""
    state, run, fixed = stack.state, stack.run, course.fixed
    bar, sign = time >> TIME_BITS, state[SIGN]
    is_at_open = time & TIME_MASK == AT_LEVEL << 1 | BEHIND
    price = given.prices[bar, OPEN if is_at_open else LOW if sign > 0 else HIGH]
    run[STEPS], run[PRICE_AVG] = sign * state[HELD], state[AVERAGE]
    run[RUN_NET], run[RUN_FEES], run[RUN_FUNDING] = state[NET], state[FEES_OPEN], 0.0
    steps = margin_call_steps(run, price)
    if steps < 1:
        state[IS_UNSURE] = 1.0
    slip_at(run, given.slip_ratio, max(0, bar - 1))
    paid = slipped_price(run, due_price(run, price), -sign, 0.0)
    share = fee(fixed, qty_of(fixed, steps), paid) * steps / steps
    fresh = np.inf if is_at_open else sign * price
    line = bar + course.opens.lag
    return Deal(line, OF_ALL, steps, paid, share, sign * price, fresh, 0.0, 0.0, 0.0, 0.0)


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
