"""One set of ladders whose first entry waits at a price (`campaigns.links` for those at once).

Theory. Beside the position, or alone, one order may wait (`campaigns.orders`). It goes when it is
met, when its bars are over, when another wish takes its place, with a close that a wish, a rule or
an age asks for, and at a session's end if nothing is held. A wish of the side that is held changes
nothing, nor does one that would reverse it where a plan closes in profit alone. So bars are
searched for the first that reaches anything, and only that one is walked (`campaigns.ways`).

Where an order is met hangs on the close that decides it, and what becomes of the campaign then on
the average alone, so sets share both (`campaigns.courses`): one that waits alone stands at once
where it is known to be met, and a campaign whose course is known is played to its end.
"""

from engines.kernels._compiled import apart, inlined, rule
from engines.kernels.campaigns.columns import (
    BARS,
    BEST,
    CLOSE_BEFORE,
    CLOSE_THEN,
    EQUITY_THEN,
    GUARD,
    IS_NEW,
    IS_UNSURE,
    LOWEST,
    MET_AT,
    NEAR_DOWN,
    NEAR_UP,
    NET_BEFORE,
    NEXT_BAR,
    NOW,
    OVER,
    PLACE,
    SLIP_THEN,
    W_ALLOWED,
    W_ATR,
    W_CLOSE,
    W_EQUITY,
    W_LAST,
    W_LINE,
    W_MET,
    W_PRICE,
    W_SIDE,
    W_SLIP,
    W_STEPS,
    WAY_PART,
    WORST,
)
from engines.kernels.campaigns.courses import (
    C_ENTRY,
    C_FILL,
    C_NOW,
    C_PART,
    fetch_course,
    met_at,
)
from engines.kernels.campaigns.fills import (
    beyond,
    find_nearest,
    set_waits,
    tick_down,
)
from engines.kernels.campaigns.gates import Closes, count_end, count_placed, may_enter
from engines.kernels.campaigns.guards import next_pay, note_guarded
from engines.kernels.campaigns.links import (
    closes_in_profit,
    timed_of,
)
from engines.kernels.campaigns.margin import note_start
from engines.kernels.campaigns.opens import close_at, decide_at
from engines.kernels.campaigns.orders import sign_of
from engines.kernels.campaigns.played import AT_CLOSE, AT_LEVEL, UNPLAYED, play_known, wait_again
from engines.kernels.campaigns.sizes import cannot_pay, is_too_small
from engines.kernels.campaigns.walk import (
    tend,
    turns_late,
)
from engines.kernels.campaigns.ways import come_to, stand_alone, walk_on
from engines.kernels.campaigns.wishes import find_wish, place_from, side_of
from engines.kernels.chains.columns import (
    I32_1D,
    WISH_BITS,
    WISH_MASK,
    Decides,
)
from engines.kernels.columns import F64_2D, Run
from engines.kernels.money import expected_slip
from engines.kernels.search import first_touch
from engines.kernels.slots import (
    AT_LIMIT,
    ENDS,
    ENTERS,
    ENTERS_LONG,
    ENTERS_SHORT,
    ENTRY_KIND,
    ENTRY_OFFSET,
    LEAVES_LONG,
    LEAVES_SHORT,
    ONLY_IN_PROFIT,
    STEPS,
    TICK_SIZE,
    TIMEOUT_BARS,
    VERIFY_TICKS,
    WISH_ATR,
)
from engines.types import F64_1D


@rule
def play_awaited(
    run: Run, lines: F64_1D, prices: F64_2D, reach: F64_2D, wishes: I32_1D, decides: Decides,
    asked: Closes, known: F64_1D, until: int,
) -> None:  # fmt: skip # one list
    """Let a set live on through the bars before `until`."""
    bars, place = int(run[BARS]), int(run[PLACE])
    while run[IS_UNSURE] == 0:
        timed, matters = bars, _what_matters(run)
        if run[STEPS] != 0:
            timed = timed_of(run, decides)
        own, wish = find_wish(wishes, place, matters, timed)
        bar = wish >> WISH_BITS if own < len(wishes) else bars - 1
        last = min(bar, timed, bars - 1)
        how, is_new = UNPLAYED, run[IS_NEW] != 0
        if is_new:
            how = _play_on(run, lines, prices, reach, asked, known, last)
        is_over = how == AT_LEVEL
        if how == UNPLAYED and (run[STEPS] != 0 or run[W_SIDE] != 0):
            is_over = _live(
                run, lines, prices, reach, asked, known, min(last, until - 1), is_new
            )  # fmt: skip # one call
        if is_over:
            is_begun = run[IS_NEW] != 0
            place = place_from(wishes, place, int(run[NEXT_BAR]) - (0 if is_begun else 1))
            continue
        if run[STEPS] != 0 and last == timed and timed != timed_of(run, decides):
            continue  # A margin call has sold the oldest lot.
        if last >= bars - 1 or (how != AT_CLOSE and last >= until):
            break
        is_wished = bar == last and own < len(wishes)
        wish = wish & WISH_MASK if is_wished else 0
        if wish & ENTERS != 0:
            fetch_course(run, known, last + 1, side_of(wish))
        _decide(run, lines, reach, decides, asked, last, wish, timed == last)
        if how == AT_CLOSE and run[STEPS] != 0:
            wait_again(run, known, sign_of(run))
        place = own + 1 if is_wished else place_from(wishes, place, last + 1)
    run[PLACE] = place


@rule
def _what_matters(run: Run) -> int:
    """Return which wishes may change anything."""
    if run[STEPS] == 0:
        return ENTERS | ENDS
    return ENDS | (LEAVES_LONG | ENTERS_SHORT if run[STEPS] > 0 else LEAVES_SHORT | ENTERS_LONG)


@inlined
def _live(
    run: Run, lines: F64_1D, prices: F64_2D, reach: F64_2D, asked: Closes, known: F64_1D, last: int,
    goes_on: bool,
) -> bool:  # fmt: skip # one list
    """Let bars up to `last` go by, or as far as that in which a position begins or ends.

    It may go on in the middle of the first one.
    """
    bars = int(run[BARS])
    while run[NEXT_BAR] <= last and (run[STEPS] != 0 or run[W_SIDE] != 0):
        bar, stop, at = int(run[NEXT_BAR]), last + 1, -1
        if run[STEPS] == 0:
            at = met_at(run, known, int(run[W_LINE]), run[W_SIDE])
        if at >= 0 and known[at + C_ENTRY] <= last:
            bar = int(known[at + C_ENTRY])
            come_to(run, lines, prices, reach, bar)
            _stand_where_met(run, known, at, bar)
        elif not goes_on:
            bar, stop = _search(run, reach, bars, last)
            if bar < stop:
                come_to(run, lines, prices, reach, bar)
        goes_on = False
        is_other = bar < stop and walk_on(run, prices, reach, asked, bar)
        if run[IS_NEW] != 0:
            run[NEXT_BAR] = bar
            return True
        run[NEXT_BAR] = min(bar + 1, stop)
        if run[STEPS] != 0:
            tend(run, sign_of(run))
        if run[W_SIDE] != 0 and run[NEXT_BAR] > run[W_LAST]:
            _withdraw(run)
        if is_other:
            return True
    return False


@rule
def _stand_where_met(run: Run, known: F64_1D, at: int, bar: int) -> None:
    """Stand in the middle of a bar where the order that waits is met, as its course tells."""
    note_start(run, bar, run[CLOSE_BEFORE])
    run[NOW] = run[WORST] = run[BEST] = known[at + C_NOW]
    run[WAY_PART], run[MET_AT] = known[at + C_PART], known[at + C_FILL]


@inlined
def _search(run: Run, reach: F64_2D, bars: int, last: int) -> tuple[int, int]:
    """Return the next bar in which anything may happen, and that before which it has to be."""
    bar, down, up, pays = int(run[NEXT_BAR]), run[NEAR_DOWN], run[NEAR_UP], bars
    stop = bar + 1 if turns_late(run) else last + 1
    if run[STEPS] != 0:
        pays = next_pay(run)
        if run[GUARD] > down:
            down = note_guarded(run)
    run[LOWEST] = min(run[LOWEST], down)
    if run[W_SIDE] != 0:
        stop = min(stop, int(run[W_LAST]) + 1)
    low, high = (down, up) if sign_of(run) > 0 else (-up, -down)
    return first_touch(reach, bars, bar, min(stop, pays), low, high), stop


@inlined
def _play_on(
    run: Run, lines: F64_1D, prices: F64_2D, reach: F64_2D, asked: Closes, known: F64_1D, last: int
) -> int:
    """Play a campaign that has begun in the middle of a bar, if its course is known and holds."""
    side = sign_of(run)
    how = play_known(run, lines, prices, reach, asked, known, last, side)
    if how == AT_LEVEL:
        run[NEXT_BAR] = run[OVER] + 1
        count_end(run, asked, run[NET_BEFORE])
        stand_alone(run)
    elif how == UNPLAYED:
        set_waits(run, side)
    return how


@rule
def _withdraw(run: Run) -> None:
    """Let no order wait any longer."""
    run[W_SIDE] = 0.0
    find_nearest(run)


@rule
def _decide(
    run: Run, lines: F64_1D, reach: F64_2D, decides: Decides, asked: Closes, bar: int, wish: int,
    is_timed: bool,
) -> None:  # fmt: skip # one list
    """Do what the close of a bar decides."""
    side, closes, is_held = sign_of(run), False, run[STEPS] != 0
    if is_held:
        leaves = wish & (LEAVES_LONG if side > 0 else LEAVES_SHORT) != 0
        closes = is_timed or wish & ENDS != 0
        if leaves and not closes:
            closes = run[ONLY_IN_PROFIT] == 0 or closes_in_profit(run, lines, bar)
    if closes or wish & ENDS != 0:
        _withdraw(run)
    enters = wish & ENTERS if bar >= decides.start else 0
    is_kept = is_held and not closes
    if is_kept and (side_of(enters) == side or run[ONLY_IN_PROFIT] != 0):
        enters = 0
    if enters != 0 and may_enter(run, asked, bar):
        _place(run, lines, bar, side_of(enters), enters & decides.enters != 0)
    if closes:
        close_at(run, lines, reach, bar + 1, side)
        count_end(run, asked, run[NET_BEFORE])
    if run[STEPS] == 0:
        run[NEXT_BAR] = bar + 1
        stand_alone(run)


@apart
def _place(run: Run, lines: F64_1D, bar: int, side: float, is_allowed: bool) -> None:
    """Place the order that a close asks for in place of the one that waits, if it can be issued."""
    close_then, equity_then, slip_then = run[CLOSE_THEN], run[EQUITY_THEN], run[SLIP_THEN]
    steps = decide_at(run, lines, bar, side)
    close, equity, slip = run[CLOSE_THEN], run[EQUITY_THEN], run[SLIP_THEN]
    run[W_SIDE] = 0.0
    is_limit, offset = run[ENTRY_KIND] == AT_LIMIT, run[ENTRY_OFFSET]
    level = side * max(run[TICK_SIZE], close * (1 - side * (offset if is_limit else -offset)))
    level = tick_down(run, level) if is_limit else -tick_down(run, -level)
    expected = side * (min(level, side * close) if is_limit else max(level, side * close))
    if not is_limit:
        expected += expected_slip(run, side, expected, slip)
    is_large = steps > 0 and not is_too_small(run, steps)
    if is_large and not cannot_pay(run, steps, side, expected, equity):
        run[W_SIDE], run[W_STEPS], run[W_ALLOWED] = side, steps, 1.0 if is_allowed else 0.0
        run[W_PRICE] = run[W_MET] = side * level
        if is_limit and run[VERIFY_TICKS] != 0:
            run[W_MET] = beyond(run, side * level, -side)
        run[W_LAST], run[W_LINE] = bar + run[TIMEOUT_BARS], bar + 1
        run[W_CLOSE], run[W_EQUITY], run[W_SLIP] = close, equity, slip
        run[W_ATR] = run[WISH_ATR]
        count_placed(run)
    run[CLOSE_THEN], run[EQUITY_THEN], run[SLIP_THEN] = close_then, equity_then, slip_then
    find_nearest(run)
