"""One set of ladders whose first entry waits at a price (`campaigns.links` for those at once).

Theory. Beside the position, or alone, one order may wait (`campaigns.orders`). It goes when it is
met, when its bars are over, when another wish takes its place, with a close that a wish, a rule or
an age asks for, and at a session's end if nothing is held. A wish of the side that is held changes
nothing, nor does one that would reverse it where a plan closes in profit alone. So bars are
searched for the first that reaches anything, and between two of its decisions a set's bar is walked
from event to event, in which a campaign may end, begin, or turn into that of the other side. The
prices of the way take the sign of whatever is held or waits then. An order of a side on which the
plan may not enter closes what it meets. One that the account may not be able to pay, where it
reverses what was opened in its own bar, makes the set unsure.
"""

import math

from engines.kernels._compiled import apart, inlined, rule
from engines.kernels.campaigns.calls import judge
from engines.kernels.campaigns.columns import (
    BARS,
    BEST,
    CLOSE_BEFORE,
    CLOSE_THEN,
    ENTRY_BAR,
    EQUITY_THEN,
    FRESH,
    GUARD,
    IS_GATED,
    IS_PASSED,
    IS_UNSURE,
    IS_WALKED,
    LEG_DOWN,
    LEG_UP,
    LOWEST,
    MET_AT,
    MONTH_NOW,
    NEAR_DOWN,
    NEAR_UP,
    NET_BEFORE,
    NEXT_BAR,
    NOW,
    OVER,
    PAYS_END,
    PLACE,
    SLIP_THEN,
    THE_LEG,
    THE_ORDER,
    W_ALLOWED,
    W_CLOSE,
    W_EQUITY,
    W_LAST,
    W_MET,
    W_PRICE,
    W_SIDE,
    W_SLIP,
    W_STEPS,
    WAY_PART,
    WORST,
)
from engines.kernels.campaigns.fills import (
    beyond,
    drop_rung,
    fee_of_qty,
    find_nearest,
    pay_until,
    tick_down,
)
from engines.kernels.campaigns.gates import Closes, count_end, count_placed, may_enter
from engines.kernels.campaigns.legs import close_by_level
from engines.kernels.campaigns.links import (
    closes_in_profit,
    next_pay,
    note_guarded,
    timed_of,
)
from engines.kernels.campaigns.margin import is_refused, note_start
from engines.kernels.campaigns.opens import begin, close_at, decide_at
from engines.kernels.campaigns.orders import order_price, sign_of
from engines.kernels.campaigns.sizes import cannot_pay, is_too_small
from engines.kernels.campaigns.tally import close_lots, find_lowest, mark_stretch
from engines.kernels.campaigns.walk import (
    STAYS,
    fill_rung,
    passed,
    passed_price,
    tend,
    travel,
    turns_late,
)
from engines.kernels.campaigns.wishes import place_from, side_of
from engines.kernels.chains.columns import (
    I32_1D,
    LINE,
    O_CLOSE,
    O_MONTH,
    O_SLIP,
    WISH_BITS,
    WISH_MASK,
    Decides,
)
from engines.kernels.columns import F64_2D, Run
from engines.kernels.money import due_price, equity_at, expected_slip
from engines.kernels.rounding import qty_of
from engines.kernels.search import first_touch
from engines.kernels.slots import (
    AT_LIMIT,
    BAR,
    CALLS_MARGIN,
    CLOSE,
    ENDS,
    ENTERS,
    ENTERS_LONG,
    ENTERS_SHORT,
    ENTRY_KIND,
    ENTRY_OFFSET,
    IS_EXACT,
    LAST_FILL_BAR,
    LEAVES_LONG,
    LEAVES_SHORT,
    LOTS,
    ONLY_IN_PROFIT,
    OPEN,
    ROOM_STEPS,
    RUNGS,
    SLIP_NOW,
    STEPS,
    TICK_SIZE,
    TIMEOUT_BARS,
    VALUE_MAX,
    VERIFY_TICKS,
)
from engines.types import F64_1D

AT_OPEN, FIRST_PART, LAST_PART = 0.0, 1.0, 3.0  # values of WAY_PART


@rule
def play_awaited(
    run: Run, lines: F64_1D, prices: F64_2D, reach: F64_2D, wishes: I32_1D, decides: Decides,
    asked: Closes, until: int,
) -> None:  # fmt: skip # one list
    """Let a set live on through the bars before `until`."""
    bars, place = int(run[BARS]), int(run[PLACE])
    while run[IS_UNSURE] == 0:
        timed, matters = bars, _what_matters(run)
        if run[STEPS] != 0:
            timed = timed_of(run, decides)
        own, bar, wish = place, bars - 1, 0
        while own < len(wishes):
            wish = int(wishes[own])
            if wish & matters != 0 or wish >> WISH_BITS >= timed:
                bar = wish >> WISH_BITS
                break
            own += 1
        last = min(bar, timed, bars - 1)
        is_alive = run[STEPS] != 0 or run[W_SIDE] != 0
        if is_alive and _live(run, lines, prices, reach, asked, min(last, until - 1)):
            place = place_from(wishes, place, int(run[NEXT_BAR]) - 1)
            continue
        if run[STEPS] != 0 and last == timed and timed != timed_of(run, decides):
            continue  # A margin call has sold the oldest lot.
        if last >= min(until, bars - 1):
            break
        is_wished = bar == last and own < len(wishes)
        wish = wish & WISH_MASK if is_wished else 0
        _decide(run, lines, reach, decides, asked, last, wish, timed == last)
        place = own + 1 if is_wished else place_from(wishes, place, last + 1)
    run[PLACE] = place


@rule
def _what_matters(run: Run) -> int:
    """Return which wishes may change anything."""
    if run[STEPS] == 0:
        return ENTERS | ENDS
    return ENDS | (LEAVES_LONG | ENTERS_SHORT if run[STEPS] > 0 else LEAVES_SHORT | ENTERS_LONG)


@inlined
def _live(run: Run, lines: F64_1D, prices: F64_2D, reach: F64_2D, asked: Closes, last: int) -> bool:
    """Let bars up to `last` go by, or as far as that in which a position begins or ends."""
    bars = int(run[BARS])
    while run[NEXT_BAR] <= last and (run[STEPS] != 0 or run[W_SIDE] != 0):
        bar, down, up = int(run[NEXT_BAR]), run[NEAR_DOWN], run[NEAR_UP]
        stop, pays = bar + 1 if turns_late(run) else last + 1, bars
        if run[STEPS] != 0:
            pays = next_pay(run)
            if run[GUARD] > down:
                down = note_guarded(run)
        run[LOWEST] = min(run[LOWEST], down)
        if run[W_SIDE] != 0:
            stop = min(stop, int(run[W_LAST]) + 1)
        low, high = (down, up) if sign_of(run) > 0 else (-up, -down)
        bar = first_touch(reach, bars, bar, min(stop, pays), low, high)
        is_other = bar < stop and _play_bar(run, lines, prices, reach, asked, bar)
        run[NEXT_BAR] = min(bar + 1, stop)
        if run[STEPS] != 0:
            tend(run, sign_of(run))
        if run[W_SIDE] != 0 and run[NEXT_BAR] > run[W_LAST]:
            _withdraw(run)
        if is_other:
            return True
    return False


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
    if enters != 0 and (run[IS_GATED] == 0 or may_enter(run, asked, bar)):
        _place(run, lines, bar, side_of(enters), enters & decides.enters != 0)
    if closes:
        close_at(run, lines, reach, bar + 1, side)
        count_end(run, asked, run[NET_BEFORE])
    if run[STEPS] == 0:
        run[NEXT_BAR] = bar + 1
        _stand_alone(run)


@rule
def _stand_alone(run: Run) -> None:
    """Let nothing wait but the order, if one does."""
    run[LEG_UP], run[LEG_DOWN] = math.inf, -math.inf
    for rung in range(int(run[RUNGS])):
        drop_rung(run, rung)
    find_nearest(run)


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
        run[W_LAST] = bar + run[TIMEOUT_BARS]
        run[W_CLOSE], run[W_EQUITY], run[W_SLIP] = close, equity, slip
        count_placed(run)
    run[CLOSE_THEN], run[EQUITY_THEN], run[SLIP_THEN] = close_then, equity_then, slip_then
    find_nearest(run)


@inlined
def _play_bar(
    run: Run, lines: F64_1D, prices: F64_2D, reach: F64_2D, asked: Closes, bar: int
) -> bool:
    """Walk a bar; return whether a position has begun or ended in it."""
    if run[LAST_FILL_BAR] != bar:
        mark_stretch(run, reach, bar)
    run[MONTH_NOW] = lines[bar * LINE + O_MONTH]
    opened, is_other = prices[bar, OPEN], False
    run[CLOSE_BEFORE], run[SLIP_NOW] = lines[bar * LINE + O_CLOSE], lines[bar * LINE + O_SLIP]
    run[BAR] = run[OVER] = bar
    run[FRESH], run[WAY_PART] = run[LOTS], AT_OPEN
    run[NOW] = run[WORST] = run[BEST] = sign_of(run) * opened
    while run[STEPS] != 0 or run[W_SIDE] != 0:
        side, held = sign_of(run), run[LOTS]
        if run[CALLS_MARGIN] == 0 and held > 0:
            find_lowest(run, reach, side, bar, math.inf)
        price = _go_on(run, prices, reach, bar, side)
        run[LOWEST] = min(run[LOWEST], run[WORST])
        if price == price or run[LOTS] != held:
            run[LAST_FILL_BAR] = bar
        if run[MET_AT] != 0:
            is_other = _fill_order(run, reach, asked, bar, side) or is_other
        elif price == price or (held > 0 and run[STEPS] == 0):
            if price == price:
                close_by_level(run, reach, side, price)
            count_end(run, asked, run[NET_BEFORE])
            is_other = True
            _turn_round(run, side, sign_of(run))
        else:
            break
        if run[STEPS] == 0:
            _stand_alone(run)
    return is_other


@rule
def _turn_round(run: Run, before: float, side: float) -> None:
    """Give the prices of the way the sign of another side."""
    if side == -before:
        run[NOW], run[WORST], run[BEST] = -run[NOW], -run[BEST], -run[WORST]


@inlined
def _go_on(run: Run, prices: F64_2D, reach: F64_2D, bar: int, side: float) -> float:
    """Go on through a bar; return at what price the exit fills, STAYS if it does not.

    It stays as well where the order is met, at MET_AT, and where a margin call has sold all.
    """
    opened, high, low = prices[bar, OPEN], reach[bar, 0], reach[bar, 1]
    is_high_first, is_paid = high - opened < opened - low, run[PAYS_END] != 0
    is_held, run[IS_PASSED] = run[STEPS] != 0, 0.0
    if run[WAY_PART] == AT_OPEN:
        opened = side * opened
        if is_paid:
            pay_until(run, 2.0 * bar)
        note_start(run, bar, run[CLOSE_BEFORE])
        while not run[NEAR_DOWN] < opened < run[NEAR_UP]:
            found = passed(run, opened, side)
            if found == THE_LEG:
                return passed_price(run, opened, side)
            if found == THE_ORDER:
                run[MET_AT] = order_price(run, opened, side, False)
                return STAYS
            fill_rung(run, found, due_price(run, side * opened), True, side)
        _judge(run, reach, side, opened)
        if is_paid:
            pay_until(run, 2.0 * bar + 1.0)
            _judge(run, reach, side, opened)
        run[WAY_PART] = FIRST_PART
    while run[WAY_PART] <= LAST_PART and is_held == (run[STEPS] != 0):
        target = high if (run[WAY_PART] == FIRST_PART) == is_high_first else low
        if run[WAY_PART] == LAST_PART:
            target = prices[bar, CLOSE]
        filled = travel(run, side * target, side)
        if filled == filled or run[MET_AT] != 0:
            return filled
        _judge(run, reach, side, side * target)
        run[WAY_PART] += 1
    return STAYS


@rule
def _judge(run: Run, reach: F64_2D, side: float, price: float) -> None:
    """Call margin at a signed price, if anything is held."""
    if run[STEPS] != 0:
        judge(run, reach, side, price)


@apart
def _fill_order(run: Run, reach: F64_2D, asked: Closes, bar: int, side: float) -> bool:
    """Fill the order where it is met; return whether it has changed anything."""
    price, own, held = run[MET_AT], run[W_SIDE], abs(run[STEPS])
    opening = min(run[W_STEPS], run[ROOM_STEPS]) if run[W_ALLOWED] != 0 else 0.0
    run[MET_AT] = run[W_SIDE] = 0.0
    if opening > 0 and _may_ask_for_all(run, own, opening, price):
        run[IS_UNSURE] = 1.0
    if opening > 0 and is_refused(run, own, opening, price, run[WAY_PART] == AT_OPEN):
        if held > 0 and run[VALUE_MAX] != math.inf:
            run[IS_UNSURE] = 1.0  # What is worth too much closes, what cannot be paid does not.
        find_nearest(run)
        return False
    total = held + opening
    if total == 0:
        return False
    run[LAST_FILL_BAR] = bar
    paid = fee_of_qty(run, qty_of(run, total), price)
    if held > 0:
        close_lots(run, reach, side, price, paid * held / total)
        count_end(run, asked, run[NET_BEFORE])
    if opening > 0:
        _turn_round(run, side, own)
        run[CLOSE_THEN], run[EQUITY_THEN], run[SLIP_THEN] = run[W_CLOSE], run[W_EQUITY], run[W_SLIP]
        begin(run, own, opening, qty_of(run, opening), price, paid * opening / total)
        run[IS_WALKED], run[FRESH] = 1.0, 0.0
    return True


@rule
def _may_ask_for_all(run: Run, side: float, opening: float, price: float) -> bool:
    """Return whether a fill may be too large that reverses what was opened in its own bar."""
    if run[STEPS] == 0 or run[ENTRY_BAR] != run[BAR] or run[IS_EXACT] != 0:
        return False
    total = opening + abs(run[STEPS])
    return cannot_pay(run, total, side, price, equity_at(run, price))
