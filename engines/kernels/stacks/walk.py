"""A set of stacked entries from wish to wish: what ends between them, what they add and close.

Theory. Three things happen to a stack, and each knows its bar: a wish at a close acts at the next
open, the age of the oldest row closes all at the open after its last close, and an entry ends where
its own levels say. What ends in a bar comes before what its close decides, what fills at an open
before what that open has passed. Between these nothing is looked at.

Of entries that end in one bar those that its open had passed come first, the youngest before the
older ones, then each as the way of the bar meets it, the oldest first where several wait at one
level (`path`). Under the close rule that closes all, the first that ends takes the others along.
"""

import math

from engines.kernels._compiled import inlined
from engines.kernels.chains.columns import (
    AT_LEVEL,
    I32_1D,
    LINE,
    LONG,
    MODE_BITS,
    MODE_MASK,
    NO_LEVELS,
    O_CLOSE,
    O_MONTH,
    O_PRICE,
    SHORT,
    WISH_BITS,
    WISH_MASK,
    Given,
)
from engines.kernels.passage.lanes import LANES
from engines.kernels.slots import (
    ENDS,
    ENTERS_LONG,
    ENTERS_SHORT,
    LEAVES_LONG,
    LEAVES_SHORT,
)
from engines.kernels.stacks.columns import (
    END,
    END_ARMED,
    END_AT,
    END_LOW,
    END_WAY,
    ENDS_BY_LEVEL,
    ENTRIES,
    ENTRY,
    ENTRY_END,
    ENTRY_STEPS,
    FOLLOWED,
    FROM,
    FUNDING_OPEN,
    HELD,
    IS_OVER,
    IS_UNSURE,
    JOINED,
    LEAVES,
    NET,
    NEXT,
    NEXT_AT,
    NOTHING,
    ROW,
    ROW_BAR,
    SIGN,
    Course,
    Deal,
    Stack,
)
from engines.kernels.stacks.exits import walk
from engines.kernels.stacks.fills import close_at_level, equity_at, judge, trade_at_open
from engines.kernels.stacks.rows import close_at_end, close_rows, open_row, pay
from engines.kernels.stacks.tally import check_margin, reach

NEVER = 1 << 62


@inlined
def walk_set(stack: Stack, course: Course, given: Given, wishes: I32_1D, plan: int) -> None:
    """Walk a set to its end; `plan` is its row among the ends, NO_LEVELS if it has none.

    Levels that the set gives itself end entries as found when each is taken.
    """
    state, counts, bars, place = stack.state, stack.counts, course.opens.bars, 0
    counts[NEXT_AT] = NEVER
    while state[IS_UNSURE] == 0:
        bar, wish = bars - 1, 0
        if place < len(wishes):
            bar = min(int(wishes[place]) >> WISH_BITS, bars - 1)
            wish = int(wishes[place]) & WISH_MASK
        at, timed = bars, bars
        if state[HELD] > 0:
            at, timed = int(counts[NEXT_AT]) >> MODE_BITS, _timed(stack, course)
        line, what = min(timed, bar) + 1, LEAVES
        if at <= min(timed, bar):
            line, what = at, ENDS_BY_LEVEL
        elif bar <= timed:
            what = _decide(stack, course, bar, wish, timed == bar)
            place += 1
            if what == NOTHING:
                continue
        equity, owned = _reach(stack, course, line, what)
        if what == IS_OVER:
            break
        if what == ENDS_BY_LEVEL:
            deal = close_at_level(stack, course, line)
        else:
            deal = trade_at_open(stack, course, line, what, equity, owned)
        if deal.closing > 0:
            _close(stack, course, deal)
        if deal.opening > 0:
            _open(stack, course, given, deal, place - 1, plan)
    close_at_end(stack, course, bars - 1, course.opens.lines[bars * LINE + O_PRICE])


@inlined
def _timed(stack: Stack, course: Course) -> int:
    """Return the last close of the oldest row, by its age."""
    oldest = stack.rows[int(stack.counts[FROM]) * ROW + ROW_BAR]
    return int(oldest) + course.decides.held_max - 1


@inlined
def _decide(stack: Stack, course: Course, bar: int, wish: int, is_timed: bool) -> int:
    """Return what the close of `bar` does at the next open, for its wishes and the oldest's age."""
    state, decides = stack.state, course.decides
    if bar == course.opens.bars - 1:
        return IS_OVER
    enters = wish & decides.enters if bar >= decides.start else NOTHING
    if state[HELD] == 0:
        return enters
    is_long = state[SIGN] > 0
    if is_timed or wish & ((LEAVES_LONG if is_long else LEAVES_SHORT) | ENDS) != 0:
        return enters | LEAVES
    if wish & (ENTERS_SHORT if is_long else ENTERS_LONG) != 0:
        return enters if enters != 0 else LEAVES
    # An entry that finds no room at its open is no fill, so what prices did goes on through it.
    has_room = (
        stack.counts[ENTRIES] < course.stacking.room and state[HELD] < course.fixed.room_steps
    )
    return enters if has_room else NOTHING


@inlined
def _reach(stack: Stack, course: Course, line: int, what: int) -> tuple[float, float]:
    """Settle funding and look up prices up to a point.

    Returns: the equity at the close before the open of the line, and what of it settlements leave.
    """
    state, payments = stack.state, course.payments
    by_level, equity, seen = what == ENDS_BY_LEVEL, 0.0, 0.0
    is_on_way = by_level and int(stack.counts[NEXT_AT]) & MODE_MASK != AT_LEVEL
    for phase in range(2):
        if len(payments.rates) > 0:
            stop = payments.before[line] if phase == 0 else payments.after[line]
            stop = payments.before[line + 1] if is_on_way else stop
            pay(stack, payments, course.fixed, int(stop))
        if phase == 0:
            equity = equity_at(state, course.opens.lines[line * LINE + O_CLOSE], course.fixed)
            seen = state[FUNDING_OPEN]
    reach(stack, course, line)
    if by_level:
        low = stack.entries[int(stack.counts[NEXT]) * ENTRY + ENTRY_END + END_LOW]
        check_margin(state, course.fixed, low)
    return equity, equity - max(0.0, state[FUNDING_OPEN] - seen)


@inlined
def _close(stack: Stack, course: Course, deal: Deal) -> None:
    """Close what a deal closes; what is left of the entries waits for its end."""
    close_rows(stack, course, deal)
    month = int(course.opens.lines[deal.bar * LINE + O_MONTH])
    stack.marks[month * LANES] = stack.state[NET]
    counts, entries = stack.counts, stack.entries
    if stack.state[HELD] == 0:
        counts[ENTRIES], counts[NEXT_AT] = 0, NEVER
        return
    counts[ENTRIES] -= 1
    count, found = int(counts[ENTRIES]), 0
    for place in range(deal.own * ENTRY, count * ENTRY):
        entries[place] = entries[place + ENTRY]
    for other in range(1, count):
        if _comes_first(stack, other, found):
            found = other
    counts[NEXT] = found
    counts[NEXT_AT] = int(entries[found * ENTRY + ENTRY_END + END_AT])


@inlined
def _open(stack: Stack, course: Course, given: Given, deal: Deal, place: int, plan: int) -> None:
    """Open what a deal opens: the entry of the wish at a place, which waits for its end."""
    counts, entries, opens = stack.counts, stack.entries, course.opens
    if stack.state[HELD] == 0:
        capital = course.fixed.capital
        judge(stack.state, deal.needed, capital + stack.state[NET], capital)
    open_row(stack, deal, course.fixed)
    number = int(counts[ENTRIES])
    for other in range(number):
        counts[JOINED] = deal.bar
        if entries[other * ENTRY + ENTRY_END + END_ARMED] < deal.bar:
            counts[FOLLOWED] = deal.bar
    counts[ENTRIES] += 1
    first = number * ENTRY
    entries[first + ENTRY_STEPS] = deal.opening
    entries[first + ENTRY_END + END_AT] = opens.bars << MODE_BITS
    entries[first + ENTRY_END + END_ARMED] = math.inf
    entry = (deal.bar << 1) | (LONG if deal.sign > 0 else SHORT)
    if len(given.stops) > 0:
        walk(
            given.runs[plan], opens, given.prices, given.slip_ratio, entry, opens.bars - 1,
            given.stops[place], given.targets[place], math.nan, entries, first + ENTRY_END,
        )  # fmt: skip # one call
    elif plan != NO_LEVELS:
        own = int(course.ends.places[entry]) * END
        for offset in range(END):
            entries[first + ENTRY_END + offset] = course.ends.values[plan, own + offset]
    if number == 0 or _comes_first(stack, number, int(counts[NEXT])):
        counts[NEXT], counts[NEXT_AT] = number, int(entries[first + ENTRY_END + END_AT])


@inlined
def _comes_first(stack: Stack, younger: int, older: int) -> bool:
    """Return whether the younger of two entries ends before the older one."""
    a, b = younger * ENTRY + ENTRY_END, older * ENTRY + ENTRY_END
    at, other = stack.entries[a + END_AT], stack.entries[b + END_AT]
    if at != other:
        return bool(at < other)
    if int(at) & MODE_MASK == AT_LEVEL:
        return True
    return bool(stack.entries[a + END_WAY] < stack.entries[b + END_WAY])
