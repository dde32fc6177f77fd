"""A set of stacked entries from wish to wish: what ends between them, what they add and close.

Theory. Three things happen to a stack, and each knows its bar: a wish at a close acts at the next
open, the age of the oldest row closes all at the open after its last close, and an entry ends where
its own levels say. What ends in a bar comes before what its close decides, what fills at an open
before what that open has passed. Between these nothing is looked at.

Of entries that end in one bar those that its open had passed come first, the youngest before the
older ones, then each as the way of the bar meets it, the oldest first where several wait at one
level (`path`). Under the close rule that closes all, the first that ends takes the others along.

Where entries wait at a price a wish places an order, and a fourth thing happens: it is met, in the
order of its code (`orders`). Ahead of each the broker may step in: by a margin call (`calls`) or a
limit (`limits`).
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
    O_MONTH,
    O_PRICE,
    ON_THE_WAY,
    SHORT,
    WISH_BITS,
    WISH_MASK,
    Given,
)
from engines.kernels.passage.lanes import LANES, SURE
from engines.kernels.slots import (
    ENTERS,
    NEEDS_REFERENCE,
)
from engines.kernels.stacks.calls import (
    POINTS,
    close_at_call,
    is_called,
    judged_until,
    look,
    spend,
)
from engines.kernels.stacks.columns import (
    CURSOR,
    END,
    END_ARMED,
    END_AT,
    ENDS_BY_LEVEL,
    ENTRIES,
    ENTRY,
    ENTRY_END,
    ENTRY_STEPS,
    FOLLOWED,
    HELD,
    IS_CALLED,
    IS_CUT,
    IS_MET,
    IS_OVER,
    IS_UNSURE,
    JOINED,
    JUDGED,
    LEAVES,
    NET,
    NEVER,
    NEXT,
    NEXT_AT,
    NOTHING,
    OF_ALL,
    ORDER,
    ORDERED,
    PAUSES,
    QUEUED,
    SHARE,
    THE_LINE,
    Course,
    Deal,
    Stack,
)
from engines.kernels.stacks.decisions import decide, decide_waiting, may_enter, timed_of
from engines.kernels.stacks.fills import (
    close_at_level,
    close_at_line,
    enter_at_line,
    place_order,
    settle,
)
from engines.kernels.stacks.known_ends import end_given
from engines.kernels.stacks.legs import follow_legs, open_leg
from engines.kernels.stacks.limits import follow_fill, is_cut, is_cut_at_open, pass_flat
from engines.kernels.stacks.orders import (
    doubt_where_met,
    fill_order,
    go_on_late,
    is_met_first,
    place_waiting,
)
from engines.kernels.stacks.parts import await_part, divide_entry
from engines.kernels.stacks.reading_ahead import ask_ahead, ask_for_next
from engines.kernels.stacks.rounds import end_round_at
from engines.kernels.stacks.rows import close_at_end, close_rows, open_row
from engines.kernels.stacks.tally import check_margin, reach
from engines.kernels.stacks.turns import comes_first, note_next


@inlined
def walk_set(
    stack: Stack, course: Course, given: Given, wishes: I32_1D, plan: int, until: int
) -> None:  # fmt: skip # one list
    """Walk a set as far as bar `until`, or to its end if that is the last one.

    `plan` is its row among the ends, NO_LEVELS if it has none.
    Levels that the set gives itself end entries as found when each is taken.
    """
    state, counts, bars, lag = stack.state, stack.counts, course.opens.bars, course.opens.lag
    while state[IS_UNSURE] == 0:
        what, counts[QUEUED] = int(counts[QUEUED]), NOTHING
        if what == NOTHING:
            what = _next(stack, course, given, wishes, plan, until)
            if what == NOTHING:
                continue
        line = int(counts[THE_LINE])
        if what == PAUSES:
            return
        if what == IS_OVER:
            reach(stack, course, line - lag, line)
            break
        code = int(counts[ORDER])
        if course.stacking.is_limited and (state[HELD] == 0 or not course.stacking.counts_money):
            pass_flat(stack, course, line)
        deal = _deal_of(stack, course, line, what)
        if deal.closing + deal.opening == 0:
            # A level or a call that closes nothing would come again and again.
            state[IS_UNSURE] += what in (ENDS_BY_LEVEL, IS_CALLED)
            continue
        reach(stack, course, line - lag, line if what < ENDS_BY_LEVEL else line - lag)
        # A liquidation comes before all that its open fills.
        is_bounded = what in (ENDS_BY_LEVEL, IS_CUT) or course.fixed.leverage > 1.0
        is_bounded |= what == IS_MET and code & MODE_MASK >= ON_THE_WAY
        if is_bounded and not course.stacking.is_called:
            check_margin(state, course, deal.low)
        _fill(stack, course, given, deal, what, plan, code)
    close_at_end(stack, course, bars - 1, course.opens.lines[bars * LINE + O_PRICE])
    capital = course.fixed.capital
    # What is left of a ruined account is noise, for want of which an entry may have been refused.
    if stack.run[NEEDS_REFERENCE] != 0 or abs(capital + state[NET]) <= capital * (1 - SURE):
        state[IS_UNSURE] = 1.0


@inlined
def _deal_of(stack: Stack, course: Course, line: int, what: int) -> Deal:
    """Return what is closed and opened by what happens at a line."""
    if what == ENDS_BY_LEVEL:
        return close_at_level(stack, course, line)
    if what in (IS_CALLED, IS_CUT):
        return close_at_call(stack, course, line)
    if what == IS_MET:
        return fill_order(stack, course, line)
    if what == LEAVES:
        return close_at_line(stack, course, line)
    return enter_at_line(stack, course, line, what)


@inlined
def _next(
    stack: Stack, course: Course, given: Given, wishes: I32_1D, plan: int, until: int
) -> int:  # fmt: skip # one list
    """Return what happens next, and go to its line; NOTHING if it is but a wish in vain.

    What happens from bar `until` on waits.
    """
    counts, bars, lag = stack.counts, course.opens.bars, course.opens.lag
    bar, wish, place = bars - 1, 0, int(counts[CURSOR])
    if place < len(wishes):
        bar = min(int(wishes[place]) >> WISH_BITS, bars - 1)
        wish = int(wishes[place]) & WISH_MASK
    timed = timed_of(stack, course) if stack.state[HELD] > 0 else bars
    follow_legs(stack, course, given, plan, min(timed, bar, until - 1))
    is_met = is_met_first(stack, course)
    code = int(counts[ORDER if is_met else NEXT_AT])
    at = code >> MODE_BITS
    if min(at - lag, timed, bar) >= until:
        return PAUSES
    happens, line = at - lag <= min(timed, bar), min(timed, bar) + 1
    if not happens:
        code = NEVER
    stops = _stops(stack, course, given, line, code, is_met)
    if stops != NOTHING:
        return stops
    if happens:
        counts[THE_LINE] = at
        settle(stack, course, at - lag, code & MODE_MASK > AT_LEVEL)
        return IS_MET if is_met else ENDS_BY_LEVEL
    counts[THE_LINE] = line
    settle(stack, course, line - 1, True)
    what = LEAVES
    if bar <= timed:
        counts[CURSOR] = place + 1
        ask_ahead(course, given, wishes, place + 1, plan)
        what = _decide_at(stack, course, given, place, bar, wish, timed == bar)
    else:
        counts[ORDER] = NEVER
    if lag == 0 and what != NOTHING:
        what = _stand_at_open(stack, course, given, line, what)
    if what & ENTERS != 0 and what & LEAVES != 0:
        counts[QUEUED] = what & ENTERS
        return LEAVES
    return what


@inlined
def _stops(
    stack: Stack, course: Course, given: Given, line: int, code: int, is_met: bool
) -> int:  # fmt: skip # one list
    """Return what the broker does ahead of what happens next, if anything, and go to its line.

    That is something at a line's fills if the code is NEVER, else what has this code: that an entry
    ends by its levels, or that the order is met.
    """
    stacking = course.stacking
    if stack.state[HELD] > 0:
        look(stack, course, line if code == NEVER else (code >> MODE_BITS) - course.opens.lag)
    if stacking.counts_money and is_cut(stack, course, given, line, code, is_met):
        return IS_CUT
    if stack.state[HELD] == 0 or not stacking.is_called:
        return NOTHING
    if not is_called(stack, course, given, line, code, is_met):
        return NOTHING
    if stacking.counts_money:
        stack.state[IS_UNSURE] = 1.0
    return IS_CALLED


@inlined
def _stand_at_open(stack: Stack, course: Course, given: Given, line: int, what: int) -> int:
    """Return what happens at a line where `what` is to, behind what settles ahead of its fills."""
    if course.stacking.counts_money and is_cut_at_open(stack, course, given, line):
        return IS_CUT
    settle(stack, course, line, False)
    return what


@inlined
def _decide_at(
    stack: Stack, course: Course, given: Given, place: int, bar: int, wish: int, is_timed: bool,
) -> int:  # fmt: skip # where the set stands, then the close
    """Return what happens at the line behind the close of `bar`, whose wish lies at a place."""
    waits = course.stacking.waits
    if waits:
        what = decide_waiting(stack, course, bar, wish, is_timed)
    else:
        what = decide(stack, course, bar, wish, is_timed)
    if what & ENTERS == 0:
        return what
    if not may_enter(stack, course, given, bar, place):
        return what & LEAVES
    if waits:
        place_waiting(stack, course, bar + 1, what)
        return what & LEAVES
    return place_order(stack, course, bar + 1, what)


@inlined
def _fill(
    stack: Stack, course: Course, given: Given, deal: Deal, what: int, plan: int, code: int
) -> None:  # fmt: skip # one list
    """Close and open what a deal says, and follow with what limits say of it."""
    if deal.closing > 0:
        _close(stack, course, deal)
    if deal.opening > 0:
        _open(stack, course, given, deal, int(stack.counts[CURSOR]) - 1, plan, code)
    if course.stacking.is_limited:
        follow_fill(stack, course, deal, what)


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
            bar = deal.bar - course.opens.lag
            share = end_round_at(stack.run, course.days, bar, stack.state[SHARE])
            stack.state[SHARE] = share
        return
    if deal.own == OF_ALL:
        spend(stack, deal.closing)
    elif course.portions.targets > 0 and entries[deal.own * ENTRY + ENTRY_STEPS] > 0:
        await_part(stack, course, deal.own)
    else:
        counts[ENTRIES] -= 1
        for place in range(deal.own * ENTRY, counts[ENTRIES] * ENTRY):
            entries[place] = entries[place + ENTRY]
    note_next(stack)
    ask_for_next(stack, course)


@inlined
def _open(
    stack: Stack, course: Course, given: Given, deal: Deal, place: int, plan: int, code: int
) -> None:  # fmt: skip # one list
    """Open what a deal opens: the entry of the wish at a place, or of the order with this code.

    It waits for its end.
    """
    counts, entries, opens = stack.counts, stack.entries, course.opens
    waits = course.stacking.waits
    if waits and code & MODE_MASK >= ON_THE_WAY:
        go_on_late(stack, course, code, deal.low)
    open_row(stack, deal, course.fixed)
    number = int(counts[ENTRIES])
    judged = judged_until(deal.bar, code & MODE_MASK) if waits else deal.bar * POINTS
    counts[JUDGED] = max(int(counts[JUDGED]), judged)
    if waits and number > 0 and course.stacking.moves and code & MODE_MASK >= ON_THE_WAY:
        doubt_where_met(stack, course, deal.sign)
    for other in range(number if opens.lag == 0 else 0):
        counts[JOINED] = deal.bar
        # What an order opens the stops do not follow to any more.
        if not waits and entries[other * ENTRY + ENTRY_END + END_ARMED] < deal.bar:
            counts[FOLLOWED] = deal.bar
    counts[ENTRIES] += 1
    first = number * ENTRY
    entries[first + ENTRY_STEPS] = deal.opening
    entries[first + ENTRY_END + END_AT] = (opens.bars + opens.lag) << MODE_BITS
    entries[first + ENTRY_END + END_ARMED] = math.inf
    entry = (deal.bar << 1) | (LONG if deal.sign > 0 else SHORT)
    if waits:
        entry = int(counts[ORDERED])
    if course.portions.targets > 0:
        divide_entry(stack, course, plan, number, entry)
    elif course.stacking.is_based and plan != NO_LEVELS:
        open_leg(stack, course, given, deal, place, entry, code, plan)
    elif len(given.stops) > 0:
        end_given(opens, given, plan, place, entry, entries, first + ENTRY_END)
    elif plan != NO_LEVELS:
        own = int(course.ends.places[entry]) * END
        for offset in range(END):
            entries[first + ENTRY_END + offset] = course.ends.values[plan, own + offset]
    if number == 0 or comes_first(stack, number, int(counts[NEXT])):
        counts[NEXT], counts[NEXT_AT] = number, int(entries[first + ENTRY_END + END_AT])
        ask_for_next(stack, course)
