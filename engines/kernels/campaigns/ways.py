"""The way of a bar on which an order waits for a first entry, alone or beside a position.

Theory. It is walked from event to event: what fills at the open, then what the price meets on its
way to both extremes and the close. A campaign may end there, begin, or turn into that of the other
side. The prices of the way take the sign of whatever is held or waits then. An order of a side on
which the plan may not enter closes what it meets. One that the account may not be able to pay,
where it reverses what was opened in its own bar, makes the set unsure. Where a campaign has begun
whose course may be known (`courses`) the walk stands still: it goes on if that is of no use.
"""

import math

from engines.kernels._compiled import apart, inlined, rule
from engines.kernels.campaigns.calls import judge
from engines.kernels.campaigns.columns import (
    AT_OPEN,
    BEST,
    CLOSE_BEFORE,
    CLOSE_THEN,
    COURSE_LINE,
    ENTRY_BAR,
    EQUITY_THEN,
    FIRST_PART,
    FRESH,
    IS_NEW,
    IS_PASSED,
    IS_UNSURE,
    IS_WALKED,
    LAST_PART,
    LEG_DOWN,
    LEG_UP,
    LOWEST,
    MET_AT,
    MONTH_NOW,
    NEAR_DOWN,
    NEAR_UP,
    NET_BEFORE,
    NOW,
    OVER,
    PAYS_END,
    SLIP_THEN,
    THE_LEG,
    THE_ORDER,
    W_ALLOWED,
    W_ATR,
    W_CLOSE,
    W_EQUITY,
    W_LINE,
    W_SIDE,
    W_SLIP,
    W_STEPS,
    WAY_PART,
    WORST,
)
from engines.kernels.campaigns.fills import (
    drop_rung,
    fee_of_qty,
    find_nearest,
    pay_until,
)
from engines.kernels.campaigns.gates import Closes, count_end
from engines.kernels.campaigns.legs import close_by_level
from engines.kernels.campaigns.margin import is_refused, note_start
from engines.kernels.campaigns.opens import begin
from engines.kernels.campaigns.orders import order_price, sign_of
from engines.kernels.campaigns.sizes import cannot_pay
from engines.kernels.campaigns.tally import close_lots, find_lowest, mark_stretch
from engines.kernels.campaigns.walk import (
    STAYS,
    fill_rung,
    passed,
    passed_price,
    travel,
)
from engines.kernels.chains.columns import (
    LINE,
    O_CLOSE,
    O_MONTH,
    O_SLIP,
)
from engines.kernels.columns import F64_2D, Run
from engines.kernels.money import due_price, equity_at
from engines.kernels.rounding import qty_of
from engines.kernels.slots import (
    BAR,
    CALLS_MARGIN,
    CLOSE,
    IS_EXACT,
    LAST_FILL_BAR,
    LOTS,
    OPEN,
    ROOM_STEPS,
    RUNGS,
    SLIP_NOW,
    STEPS,
    VALUE_MAX,
    WISH_ATR,
)
from engines.types import F64_1D


@rule
def come_to(run: Run, lines: F64_1D, prices: F64_2D, reach: F64_2D, bar: int) -> None:
    """Stand at the open of a bar."""
    if run[LAST_FILL_BAR] != bar:
        mark_stretch(run, reach, bar)
    run[MONTH_NOW] = lines[bar * LINE + O_MONTH]
    run[CLOSE_BEFORE], run[SLIP_NOW] = lines[bar * LINE + O_CLOSE], lines[bar * LINE + O_SLIP]
    run[BAR] = run[OVER] = bar
    run[FRESH], run[WAY_PART] = run[LOTS], AT_OPEN
    run[NOW] = run[WORST] = run[BEST] = sign_of(run) * prices[bar, OPEN]


@inlined
def walk_on(run: Run, prices: F64_2D, reach: F64_2D, asked: Closes, bar: int) -> bool:
    """Walk a bar to its close, or to where a campaign begins whose course may be known.

    Returns: whether a position has begun or ended on the way.
    """
    is_other = False
    while (run[STEPS] != 0 or run[W_SIDE] != 0) and run[IS_NEW] == 0:
        side, held = sign_of(run), run[LOTS]
        if run[CALLS_MARGIN] == 0 and held > 0:
            find_lowest(run, reach, side, bar, math.inf)
        price = STAYS
        if run[MET_AT] == 0:
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
            stand_alone(run)
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
            fill_rung(run, reach, found, due_price(run, side * opened), True, side)
        _judge(run, reach, side, opened)
        if is_paid:
            pay_until(run, 2.0 * bar + 1.0)
            _judge(run, reach, side, opened)
        run[WAY_PART] = FIRST_PART
    while run[WAY_PART] <= LAST_PART and is_held == (run[STEPS] != 0):
        target = high if (run[WAY_PART] == FIRST_PART) == is_high_first else low
        if run[WAY_PART] == LAST_PART:
            target = prices[bar, CLOSE]
        filled = travel(run, reach, side * target, side)
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
        run[WISH_ATR] = run[W_ATR]
        begin(run, own, opening, qty_of(run, opening), price, paid * opening / total)
        run[IS_WALKED], run[FRESH], run[COURSE_LINE] = 1.0, 0.0, run[W_LINE]
    return True


@rule
def _may_ask_for_all(run: Run, side: float, opening: float, price: float) -> bool:
    """Return whether a fill may be too large that reverses what was opened in its own bar."""
    if run[STEPS] == 0 or run[ENTRY_BAR] != run[BAR] or run[IS_EXACT] != 0:
        return False
    total = opening + abs(run[STEPS])
    return cannot_pay(run, total, side, price, equity_at(run, price))


@rule
def stand_alone(run: Run) -> None:
    """Let nothing wait but the order, if one does."""
    run[LEG_UP], run[LEG_DOWN] = math.inf, -math.inf
    for rung in range(int(run[RUNGS])):
        drop_rung(run, rung)
    find_nearest(run)
