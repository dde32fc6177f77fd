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

import numpy as np

from engines.kernels._compiled import inlined
from engines.kernels._prefetch import prefetch
from engines.kernels.chains.columns import (
    AT_LEVEL,
    I32_1D,
    LINE,
    LONG,
    MODE_BITS,
    MODE_MASK,
    NO_LEVELS,
    O_MONTH,
    O_PRICE,
    SHORT,
    SPANS,
    WISH_BITS,
    WISH_MASK,
    Given,
)
from engines.kernels.chains.shares import share_of
from engines.kernels.gates.columns import Days
from engines.kernels.machine.gates import passes_gates
from engines.kernels.passage.lanes import LANES, SURE
from engines.kernels.slots import (
    BAR,
    DECISION_DAY,
    ENDS,
    ENTERS,
    ENTERS_LONG,
    ENTERS_SHORT,
    KELLY_ROOM,
    LEAVES_LONG,
    LEAVES_SHORT,
    NEEDS_REFERENCE,
    OPEN_DAY,
)
from engines.kernels.stacks.calls import (
    POINTS,
    close_at_call,
    find_call,
    judged_until,
    look,
    may_be_called,
    spend,
)
from engines.kernels.stacks.columns import (
    CURSOR,
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
    HELD,
    IS_CALLED,
    IS_OVER,
    IS_UNSURE,
    JOINED,
    JUDGED,
    LEAVES,
    LOWEST,
    NET,
    NEVER,
    NEXT,
    NEXT_AT,
    NOTHING,
    OF_ALL,
    PAUSES,
    QUEUED,
    ROW,
    ROW_BAR,
    SHARE,
    SIGN,
    THE_LINE,
    Course,
    Deal,
    Stack,
)
from engines.kernels.stacks.exits import walk
from engines.kernels.stacks.fills import (
    close_at_level,
    close_at_line,
    enter_at_line,
    gains,
    place_order,
    settle,
)
from engines.kernels.stacks.parts import close_part_at_level, divide_entry, wait_for_part
from engines.kernels.stacks.rounds import end_stack, share_after
from engines.kernels.stacks.rows import close_at_end, close_rows, open_row
from engines.kernels.stacks.tally import check_margin, reach

SOON = 4  # wishes ahead of the one that acts, what is read of the market is asked for


@inlined
def walk_set(
    stack: Stack, course: Course, given: Given, wishes: I32_1D, plan: int, terms: int, until: int
) -> None:  # fmt: skip # one list
    """Walk a set as far as bar `until`, or to its end if that is the last one.

    `plan` is its row among the ends, NO_LEVELS if it has none, `terms` that of its plan's own.
    Levels that the set gives itself end entries as found when each is taken.
    """
    state, counts, bars, lag = stack.state, stack.counts, course.opens.bars, course.opens.lag
    while state[IS_UNSURE] == 0:
        what, counts[QUEUED] = int(counts[QUEUED]), NOTHING
        if what == NOTHING:
            what = _next(stack, course, given, wishes, plan, terms, until)
            if what == NOTHING:
                continue
        line = int(counts[THE_LINE])
        if what == PAUSES:
            return
        if what == IS_OVER:
            reach(stack, course, line - lag, line)
            break
        if what == ENDS_BY_LEVEL:
            deal = _end_by_level(stack, course, line)
        elif what == IS_CALLED:
            deal = close_at_call(stack, course, line)
        elif what == LEAVES:
            deal = close_at_line(stack, course, line)
        else:
            deal = enter_at_line(stack, course, line, what)
        if deal.closing + deal.opening == 0:
            continue
        reach(stack, course, line - lag, line if what < ENDS_BY_LEVEL else line - lag)
        is_bounded = what == ENDS_BY_LEVEL or (deal.closing > 0 and course.fixed.leverage > 1.0)
        if is_bounded and not course.stacking.is_called:
            check_margin(state, course, deal.low)
        if deal.closing > 0:
            _close(stack, course, deal)
        if deal.opening > 0:
            _open(stack, course, given, deal, int(counts[CURSOR]) - 1, plan)
    close_at_end(stack, course, bars - 1, course.opens.lines[bars * LINE + O_PRICE])
    capital = course.fixed.capital
    # What is left of a ruined account is noise, of which its yearly growth would be made.
    if stack.run[NEEDS_REFERENCE] != 0 or abs(capital + state[NET]) <= capital * (1 - SURE):
        state[IS_UNSURE] = 1.0


@inlined
def _ask_ahead(course: Course, wishes: I32_1D, place: int, plan: int) -> None:
    """Ask for what a wish some places on reads, and for the end of an entry at a nearer one.

    Which spans it looks up is not known yet: the middle ones are most likely.
    """
    opens, ends, last = course.opens, course.ends, len(wishes) - 1
    if last < 0:
        return
    line = np.uint64(wishes[min(place + SOON, last)]) >> np.uint64(WISH_BITS)
    prefetch(opens.lines, (line + np.uint64(1)) * np.uint64(LINE))
    for kind in range(1, SPANS - 1):
        for side in (LONG, SHORT):
            prefetch(opens.lowest, np.uint64((2 * kind + side) * opens.bars) + line)
    if plan != NO_LEVELS and len(ends.places) > 0:
        wish = int(wishes[min(place + SOON // 2, last)])
        entry = (((wish >> WISH_BITS) + 1) << 1) | (LONG if wish & ENTERS_LONG != 0 else SHORT)
        own = int(ends.places[entry]) * END + plan * ends.values.shape[1]
        prefetch(ends.values, own)


@inlined
def _end_by_level(stack: Stack, course: Course, line: int) -> Deal:
    """Return what the levels of the entry that comes first close, which may be a part of it."""
    if course.portions.targets > 0:
        return close_part_at_level(stack, course, line)
    return close_at_level(stack, course, line)


@inlined
def _next(
    stack: Stack, course: Course, given: Given, wishes: I32_1D, plan: int, terms: int, until: int
) -> int:  # fmt: skip # one list
    """Return what happens next, and go to its line; NOTHING if it is but a wish in vain.

    What happens from bar `until` on waits.
    """
    counts, bars, lag = stack.counts, course.opens.bars, course.opens.lag
    bar, wish, place = bars - 1, 0, int(counts[CURSOR])
    if place < len(wishes):
        bar = min(int(wishes[place]) >> WISH_BITS, bars - 1)
        wish = int(wishes[place]) & WISH_MASK
    at, timed = NEVER, bars
    if stack.state[HELD] > 0:
        at, timed = int(counts[NEXT_AT]) >> MODE_BITS, _timed(stack, course)
    if min(at - lag, timed, bar) >= until:
        return PAUSES
    ends, line = at - lag <= min(timed, bar), min(timed, bar) + 1
    if stack.state[HELD] > 0 and _is_called(stack, course, given, at if ends else line, ends):
        return IS_CALLED
    if ends:
        counts[THE_LINE] = at
        settle(stack, course, at - lag, int(counts[NEXT_AT]) & MODE_MASK != AT_LEVEL)
        return ENDS_BY_LEVEL
    what = LEAVES
    counts[THE_LINE] = line
    settle(stack, course, line - 1, True)
    if bar <= timed:
        counts[CURSOR] = place + 1
        _ask_ahead(course, wishes, place + 1, plan)
        what = _decide(stack, course, bar, wish, timed == bar)
        if what & ENTERS != 0 and not _may_enter(stack, course, given, bar, place, terms):
            what &= LEAVES
        if what & ENTERS != 0:
            what = place_order(stack, course, line, what)
    if lag == 0 and what != NOTHING:
        settle(stack, course, line, False)
    if what & ENTERS != 0 and what & LEAVES != 0:
        counts[QUEUED] = what & ENTERS
        return LEAVES
    return what


@inlined
def _is_called(stack: Stack, course: Course, given: Given, line: int, ends: bool) -> bool:
    """Return whether a margin call comes before what happens at a line, and go to its own.

    What happens is that an entry `ends` by its levels, or something at a line's fills.
    """
    counts, lag, bars = stack.counts, course.opens.lag, course.opens.bars
    look(stack, course, line - lag if ends else line)
    if not course.stacking.is_called:
        return False
    low, stop = stack.state[LOWEST], min(line, bars - lag) * POINTS
    if ends:
        low = min(low, stack.entries[int(counts[NEXT]) * ENTRY + ENTRY_END + END_LOW])
        stop = judged_until(line - lag, int(counts[NEXT_AT]) & MODE_MASK)
    if may_be_called(stack, course, low, stop) and find_call(stack, course, given, stop):
        look(stack, course, int(counts[THE_LINE]) - lag)
        return True
    counts[JUDGED] = max(int(counts[JUDGED]), stop)
    return False


@inlined
def _timed(stack: Stack, course: Course) -> int:
    """Return the last close of the oldest row, by its age."""
    oldest = stack.rows[int(stack.counts[FROM]) * ROW + ROW_BAR]
    return int(oldest) + course.decides.held_max - 1


@inlined
def _decide(stack: Stack, course: Course, bar: int, wish: int, is_timed: bool) -> int:
    """Return what the close of `bar` wants, by its wishes and the oldest row's age."""
    state, stacking = stack.state, course.stacking
    if bar == course.opens.bars - 1:
        return IS_OVER
    enters = ENTERS_LONG if wish & ENTERS_LONG != 0 else wish & ENTERS_SHORT
    if bar < course.decides.start:
        enters = NOTHING
    # One on a side that is not allowed closes what it finds, and may count.
    counts = enters if stacking.is_gated else enters & course.decides.enters
    if state[HELD] == 0:
        return counts
    is_long = state[SIGN] > 0
    leaves, turns = LEAVES_LONG, ENTERS_SHORT
    if not is_long:
        leaves, turns = LEAVES_SHORT, ENTERS_LONG
    if is_timed or wish & ENDS != 0:
        return counts | LEAVES
    if wish & leaves != 0 or enters == turns:
        if not stacking.only_in_profit or gains(stack, course, bar):
            return counts | LEAVES if wish & leaves != 0 else enters
        if enters == turns:
            return NOTHING
    # An entry that finds no room at its open is no fill, so what prices did goes on through it.
    is_full = stack.counts[ENTRIES] >= stacking.room
    is_full |= (not stacking.is_gated) & (state[HELD] >= course.fixed.room_steps)
    return NOTHING if is_full else counts


@inlined
def _may_enter(
    stack: Stack, course: Course, given: Given, bar: int, place: int, terms: int
) -> bool:
    """Return whether rules let the wish at a place enter at the close of `bar`; note its share."""
    run, days = stack.run, course.days
    if course.shares.are_own:
        stop = given.stops[place] if len(given.stops) > 0 else math.nan
        stack.state[SHARE] = share_of(run, course.opens, course.shares, bar + 1, stop)
    if course.sizes.has_own_shares and stack.state[SHARE] <= 0:
        return False
    if not course.stacking.is_gated:
        return True
    if len(days.closes) > 0:
        run[DECISION_DAY] = days.closes[bar]
    return passes_gates(run, bar)


@inlined
def _close(stack: Stack, course: Course, deal: Deal) -> None:
    """Close what a deal closes; what is left of the entries waits for its end."""
    close_rows(stack, course, deal)
    month = int(course.opens.lines[deal.bar * LINE + O_MONTH])
    stack.marks[month * LANES] = stack.state[NET]
    counts, entries = stack.counts, stack.entries
    if stack.state[HELD] == 0:
        counts[ENTRIES], counts[NEXT_AT] = 0, NEVER
        if course.stacking.counts_rounds:
            _count_end(stack, course.days, deal.bar - course.opens.lag)
        return
    if deal.own == OF_ALL:
        spend(stack, deal.closing)
    elif course.portions.targets > 0:
        wait_for_part(stack, course)
    else:
        counts[ENTRIES] -= 1
        for place in range(deal.own * ENTRY, counts[ENTRIES] * ENTRY):
            entries[place] = entries[place + ENTRY]
    count, found = int(counts[ENTRIES]), 0
    for other in range(1, count):
        if _comes_first(stack, other, found):
            found = other
    counts[NEXT] = found
    counts[NEXT_AT] = int(entries[found * ENTRY + ENTRY_END + END_AT])


@inlined
def _count_end(stack: Stack, days: Days, bar: int) -> None:
    """Count a position that has ended in `bar`."""
    run = stack.run
    run[BAR] = bar
    if len(days.opens) > 0:
        run[OPEN_DAY] = days.opens[bar]
    if run[KELLY_ROOM] > 0:
        stack.state[SHARE] = share_after(run)
    end_stack(run)


@inlined
def _open(stack: Stack, course: Course, given: Given, deal: Deal, place: int, plan: int) -> None:
    """Open what a deal opens: the entry of the wish at a place, which waits for its end."""
    counts, entries, opens = stack.counts, stack.entries, course.opens
    open_row(stack, deal, course.fixed)
    number = int(counts[ENTRIES])
    counts[JUDGED] = max(int(counts[JUDGED]), deal.bar * POINTS)
    for other in range(number if opens.lag == 0 else 0):
        counts[JOINED] = deal.bar
        if entries[other * ENTRY + ENTRY_END + END_ARMED] < deal.bar:
            counts[FOLLOWED] = deal.bar
    counts[ENTRIES] += 1
    first = number * ENTRY
    entries[first + ENTRY_STEPS] = deal.opening
    entries[first + ENTRY_END + END_AT] = (opens.bars + opens.lag) << MODE_BITS
    entries[first + ENTRY_END + END_ARMED] = math.inf
    entry = (deal.bar << 1) | (LONG if deal.sign > 0 else SHORT)
    if course.portions.targets > 0:
        divide_entry(stack, course, plan, entry)
    elif len(given.stops) > 0:
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
