"""One set of ladders: from wish to wish, a campaign each, as `decisions` reads them.

Theory. While flat, the first wish to enter begins a campaign at the next open, and its rungs wait
from then on. It ends by a level (`campaigns.walk`) or at the open after the first wish, rule or age
that closes it. A close that wishes the other side too closes and opens in one fill (REVERSED); with
another reason to close, the entry fills for itself at that open (RELIEVED).

Rules that look back (`campaigns.gates`) are asked at each close that would enter. One that would
reverse a position is judged while that is held, and where it is refused the position stays, as it
does where a plan closes in profit alone and there is none. An entry of a side that the plan forbids
fills nothing, but the rules are asked, and it counts.

Where a plan has no ladder but several entries, each wish of the side that is held adds a lot at the
next open while there is room (`opens.join`). A wish that finds none is passed over without a look;
one that a margin call would have made room for makes the set unsure.

Where a search ends no processor foresees, so what it waits for is kept short: levels count from
prices alone where they can, what money decides (a guard, what can be paid) is asked by branches
that it guesses right, and what a walk reads of its bar lies in one row.
"""

import math

from engines.kernels._compiled import apart, inlined, rule
from engines.kernels._prefetch import prefetch
from engines.kernels.campaigns.columns import (
    BARS,
    CLOSE_BEFORE,
    COST,
    DAY_END,
    ENTRY_BAR,
    FOLLOWED,
    GUARD,
    HALTED_UNTIL,
    HELD,
    IS_DUE,
    IS_GATED,
    IS_LIMITED,
    IS_MOVING,
    IS_NEW,
    IS_UNSURE,
    L_BAR,
    LAG,
    LOOK,
    LOTS_FROM,
    LOWEST,
    MET_AT,
    MONTH_NOW,
    NEAR_DOWN,
    NEAR_UP,
    NET_BEFORE,
    NEXT_BAR,
    OVER,
    PAY_NEXT,
    PAYS_END,
    PAYS_FROM,
    PLACE,
    STARTED,
    W_SIDE,
    WORST,
)
from engines.kernels.campaigns.courses import fetch_course
from engines.kernels.campaigns.fills import pay_until, set_waits
from engines.kernels.campaigns.gates import (
    Closes,
    begin_gates,
    count_end,
    is_in_profit,
    may_enter,
)
from engines.kernels.campaigns.guards import next_pay, note_guarded
from engines.kernels.campaigns.legs import close_by_level
from engines.kernels.campaigns.limits import (
    begin_limits,
    come_flat,
    come_to_day,
    heed_entry,
    heed_fill,
    pass_closes,
    raise_peak,
)
from engines.kernels.campaigns.opens import (
    close_at,
    close_late,
    close_of,
    enter,
    enter_in_vain,
    join,
    note_passed,
    relieve,
    relieve_in_vain,
    reverse,
)
from engines.kernels.campaigns.played import AT_CLOSE, AT_LEVEL, UNPLAYED, play_known, wait_again
from engines.kernels.campaigns.tally import (
    begin_tally,
    end_open,
    end_tally,
    find_lowest,
    mark_stretch,
)
from engines.kernels.campaigns.walk import tend, turns_late, walk
from engines.kernels.campaigns.wishes import (
    closing,
    fetch_wishes,
    find_wish,
    place_from,
    side_of,
)
from engines.kernels.chains.columns import (
    I32_1D,
    LINE,
    O_CLOSE,
    O_MONTH,
    O_SLIP,
    WISH_BITS,
    Decides,
)
from engines.kernels.columns import F64_2D, Run
from engines.kernels.passage.lanes import SURE
from engines.kernels.search import first_touch
from engines.kernels.slots import (
    BAR,
    CALLS_MARGIN,
    CAPITAL,
    CLOSE,
    ENDS,
    ENTERS,
    ENTERS_LONG,
    ENTERS_SHORT,
    EQUITY_MIN,
    FEES_OPEN,
    FUNDING_OPEN,
    LAST_FILL_BAR,
    LOTS,
    NEEDS_REFERENCE,
    NET,
    ONLY_IN_PROFIT,
    OPEN,
    PRICE_AVG,
    ROOM,
    RUNGS,
    SLIP_NOW,
    STEPS,
)
from engines.types import F64_1D


@rule
def begin_set(run: Run, asked: Closes) -> None:
    """Put the row of a set into the state before its first wish; the plan is in it."""
    run[NET] = run[IS_UNSURE] = run[PLACE] = run[W_SIDE] = run[MET_AT] = run[IS_NEW] = 0.0
    run[STEPS] = run[LOTS] = run[HELD] = run[FEES_OPEN] = run[FUNDING_OPEN] = 0.0
    run[PRICE_AVG] = run[COST] = 0.0
    run[PAY_NEXT] = PAYS_FROM
    run[GUARD] = run[EQUITY_MIN] = -math.inf
    run[STARTED] = -1.0
    begin_tally(run)
    begin_gates(run, asked)
    begin_limits(run, asked)


@rule
def play_set(
    run: Run, lines: F64_1D, prices: F64_2D, reach: F64_2D, wishes: I32_1D, decides: Decides,
    asked: Closes, known: F64_1D, until: int,
) -> None:  # fmt: skip # one list
    """Let a set live on through the bars before `until`."""
    last, place, count = min(until, int(run[BARS]) - 1), int(run[PLACE]), len(wishes)
    while run[IS_UNSURE] == 0:
        if run[STEPS] != 0:
            if run[NEXT_BAR] >= until:
                break
            place = _hold(run, lines, prices, reach, wishes, place, decides, asked, known, until)
            continue
        if place == count or int(wishes[place]) >> WISH_BITS >= last:
            break
        bar, enters = int(wishes[place]) >> WISH_BITS, int(wishes[place]) & ENTERS
        if enters != 0 and bar >= decides.start and bar >= run[HALTED_UNTIL]:
            fetch_course(run, known, bar + 1, side_of(enters))
            is_allowed = enters & decides.enters != 0
            if not may_enter(run, asked, bar):
                is_allowed = False
            elif run[IS_GATED] != 0 and not is_allowed:
                enter_in_vain(run, lines, bar, side_of(enters))
            if run[IS_LIMITED] != 0:
                come_flat(run, lines, asked, bar)
            if is_allowed:
                enter(run, lines, reach, bar, side_of(enters))
                if run[IS_LIMITED] != 0 and run[STEPS] != 0:
                    heed_entry(run, lines, reach, asked, side_of(enters))
        place += 1
    run[PLACE] = place


@rule
def end_set(run: Run, lines: F64_1D, reach: F64_2D, months: int) -> None:
    """Value what a set still holds and put its sums into the form of `summary`."""
    if run[STEPS] != 0:
        _value(run, lines, reach, 1.0 if run[STEPS] > 0 else -1.0)
    end_tally(run, months)
    # What is left of a ruined account is noise, for want of which an entry may have been refused.
    is_ruined = abs(run[CAPITAL] + run[NET]) <= run[CAPITAL] * (1 - SURE)
    if is_ruined or run[NEEDS_REFERENCE] != 0:
        run[IS_UNSURE] = 1.0


@inlined
def _hold(
    run: Run, lines: F64_1D, prices: F64_2D, reach: F64_2D, wishes: I32_1D, place: int,
    decides: Decides, asked: Closes, known: F64_1D, until: int,
) -> int:  # fmt: skip # one list
    """Hold the position until it ends, reverses or bar `until` comes; return the next wish's place.

    `place` is that of the first wish which may close it.
    """
    bars, side = int(run[BARS]), 1.0 if run[STEPS] > 0 else -1.0
    closes, joins = closing(side), ENTERS_LONG if side > 0 else ENTERS_SHORT
    has_room = run[RUNGS] == 0 and run[LOTS] < run[ROOM]
    joins = joins if has_room else 0
    timed, first = timed_of(run, decides), place
    place, wish = find_wish(wishes, place, closes | joins, timed)
    bar = min(wish >> WISH_BITS, bars - 1) if place < len(wishes) else bars - 1
    last = min(bar, timed)
    prefetch(lines, (last + 1) * LINE)  # which is read where no level comes before
    fetch_wishes(lines, wishes, first)
    fetch_course(run, known, bar + 1, side_of(wish))
    entry_bar = run[ENTRY_BAR]
    how = _live(run, lines, prices, reach, asked, known, last, until, side)
    if how == AT_LEVEL:
        count_end(run, asked, run[NET_BEFORE])
        return place_from(wishes, first, int(run[OVER]))
    if run[RUNGS] == 0 and not has_room and run[LOTS] < run[ROOM]:
        run[IS_UNSURE] = 1.0
    is_short = how == UNPLAYED and last >= until
    if is_short or (last == timed and timed != timed_of(run, decides)):
        return place_from(wishes, first, until) if is_short else first
    if last >= bars - 1:
        return len(wishes)
    is_wished = bar == last and place < len(wishes)
    wish = wish if is_wished else 0
    is_sure = timed == last or wish & ENDS != 0
    may_end = is_sure or wish & closes != 0
    may_end &= is_sure or run[ONLY_IN_PROFIT] == 0 or closes_in_profit(run, lines, last)
    if may_end:
        is_reversal = timed != last and wish & (closes & ~ENTERS) == 0
        _end(run, lines, reach, wish, decides, asked, last, is_reversal)
    elif wish & joins != 0 and may_enter(run, asked, last):
        _join(run, lines, reach, asked, last, side)
    if how == AT_CLOSE and run[STEPS] != 0 and run[ENTRY_BAR] == entry_bar:
        wait_again(run, known, side)
    return place + 1 if is_wished else place


@rule
def _join(run: Run, lines: F64_1D, reach: F64_2D, asked: Closes, last: int, side: float) -> None:
    """Add an entry at the open after a close, if the account can."""
    if run[IS_LIMITED] != 0:
        come_to_day(run, lines, asked, last + 1)
    held = run[LOTS]
    join(run, lines, reach, last, side)
    if run[IS_LIMITED] != 0 and run[LOTS] != held:
        heed_entry(run, lines, reach, asked, side)


@inlined
def _live(
    run: Run, lines: F64_1D, prices: F64_2D, reach: F64_2D, asked: Closes, known: F64_1D, last: int,
    until: int, side: float,
) -> int:  # fmt: skip # one list
    """Live up to bar `last` as a campaign whose course is known, else not beyond `until`."""
    if run[IS_NEW] != 0:
        how = play_known(run, lines, prices, reach, asked, known, last, side)
        if how != UNPLAYED:
            return how
        set_waits(run, side)
    is_ended = _follow(run, lines, prices, reach, asked, min(last, until - 1), side)
    return AT_LEVEL if is_ended else UNPLAYED


@rule
def timed_of(run: Run, decides: Decides) -> int:
    """Return the last close of the oldest lot, by its age."""
    return int(run[LOTS_FROM + L_BAR]) - 1 + decides.held_max


@rule
def _end(
    run: Run, lines: F64_1D, reach: F64_2D, wish: int, decides: Decides, asked: Closes, last: int,
    is_reversal: bool,
) -> None:  # fmt: skip # one list
    """End the position at the open after `last`, unless an entry that would reverse it may not."""
    if run[IS_LIMITED] != 0:
        come_to_day(run, lines, asked, last + 1)
    side, before, enters = 1.0 if run[STEPS] > 0 else -1.0, run[NET_BEFORE], wish & ENTERS
    if enters != 0 and not may_enter(run, asked, last):
        if is_reversal:
            return
        enters = 0
    is_allowed = enters & decides.enters != 0
    if is_reversal:
        if not reverse(run, lines, reach, last, -side, is_allowed):
            return
    elif is_allowed:
        relieve(run, lines, reach, last, side, side_of(enters))
    else:
        if enters != 0 and run[IS_GATED] != 0:
            relieve_in_vain(run, lines, last, side_of(enters))
        close_at(run, lines, reach, last + 1, side)
    count_end(run, asked, before)
    if run[IS_LIMITED] != 0 and run[STEPS] != 0:
        heed_entry(run, lines, reach, asked, side_of(enters))
    elif run[IS_LIMITED] != 0 and is_reversal:
        heed_fill(run)


@apart
def closes_in_profit(run: Run, lines: F64_1D, bar: int) -> bool:
    """Return whether the position would bring anything at the close of a bar."""
    if run[PAYS_END] != 0:
        pay_until(run, 2.0 * bar + 1.0)
    return is_in_profit(run, close_of(run, lines, bar))


@inlined
def _follow(
    run: Run, lines: F64_1D, prices: F64_2D, reach: F64_2D, asked: Closes, last: int, side: float
) -> bool:
    """Let the campaign live up to bar `last`; return whether it ends there by a level."""
    bar, bars = int(run[NEXT_BAR]), int(run[BARS])
    while bar <= last:
        if run[IS_DUE] != 0:
            close_late(run, lines, reach, bar - 1, side)
            return True
        if run[IS_LIMITED] != 0:
            come_to_day(run, lines, asked, bar)
        down, up = run[NEAR_DOWN], run[NEAR_UP]
        if run[IS_MOVING] != 0 and run[FOLLOWED] > -math.inf:
            up = min(up, run[FOLLOWED])
        if run[GUARD] > down:
            down = note_guarded(run)
        run[LOWEST] = min(run[LOWEST], down)
        stop = bar + 1 if turns_late(run) else last + 1
        if run[IS_LIMITED] != 0:
            stop = int(min(stop, run[DAY_END]))
        low, high = (down, up) if side > 0 else (-up, -down)
        start, bar = bar, first_touch(reach, bars, bar, min(stop, next_pay(run)), low, high)
        if run[LOOK] < up and start < bar:  # LOOK is infinite where no drawdown is limited.
            bar = pass_closes(run, reach, asked, start, bar, down, side)
        if bar < stop and _ends_in(run, lines, prices, reach, bar, side):
            return True
        if run[IS_LIMITED] != 0 and bar < stop:
            raise_peak(run, close_of(run, lines, bar))
        bar = min(bar + 1, stop)
        if tend(run, side) and run[LAG] != 0:
            note_passed(run, lines, bar - 1, side)
    run[NEXT_BAR] = last + 1
    return False


@inlined
def _ends_in(run: Run, lines: F64_1D, prices: F64_2D, reach: F64_2D, bar: int, side: float) -> bool:
    """Walk a bar; return whether the position has ended."""
    if run[LAST_FILL_BAR] != bar:
        mark_stretch(run, reach, bar)
    opened, close, high, low = prices[bar, OPEN], prices[bar, CLOSE], reach[bar, 0], reach[bar, 1]
    is_high_first, is_long = high - opened < opened - low, side > 0
    against, along = (low, high) if is_long else (-high, -low)
    run[MONTH_NOW] = lines[(bar + int(run[LAG])) * LINE + O_MONTH]
    run[CLOSE_BEFORE], held = lines[bar * LINE + O_CLOSE], run[LOTS]
    if run[CALLS_MARGIN] == 0:
        find_lowest(run, reach, side, bar, math.inf)
    run[SLIP_NOW] = lines[bar * LINE + O_SLIP]
    price = walk(
        run, reach, bar, side, side * opened, against, along, side * close,
        is_high_first != is_long,
    )  # fmt: skip # one call
    run[LOWEST] = min(run[LOWEST], run[WORST])
    if price == price or run[LOTS] != held:
        run[LAST_FILL_BAR] = bar
    if price != price:
        return run[STEPS] == 0
    close_by_level(run, reach, side, price)
    return True


@rule
def _value(run: Run, lines: F64_1D, reach: F64_2D, side: float) -> None:
    """Value what is open at the last close."""
    last = int(run[BARS]) - 1
    if run[PAYS_END] != 0:
        pay_until(run, 2.0 * last + 1.0)
    run[BAR] = run[OVER] = last
    run[WORST] = reach[last, 1] if side > 0 else -reach[last, 0]
    run[LOWEST] = min(run[LOWEST], run[WORST])
    end_open(run, reach, side, close_of(run, lines, last))
