"""How the price moves through the bars of a campaign: rungs fill, and a level may end it.

Theory. Between two fills nothing changes, so bars are searched for the first that reaches what is
nearest (`search`), and only such a bar is walked, by the rules of `path`: at the open first what it
has passed, rungs before the exit and of these the lowest price first; then to the extreme nearer to
the open, to the other one and to the close, the nearest level first. Signed prices make that one
way for both sides, but for which rung an open fills first and for which extreme is first where both
are equally near.
"""

import math

from engines.kernels._compiled import apart, rule
from engines.kernels.campaigns.calls import judge
from engines.kernels.campaigns.columns import (
    BEST,
    CLOSE_BEFORE,
    CLOSE_THEN,
    DRAWN_AT,
    ENTRY_BAR,
    EQUITY_THEN,
    FRESH,
    IS_FILLED,
    IS_LATE,
    IS_LIMITED,
    IS_MOVING,
    IS_PASSED,
    IS_UNSURE,
    IS_WALKED,
    L_BAR,
    L_WORST,
    LAG,
    LEG_DOWN,
    LEG_LIMIT,
    LEG_UP,
    LOT_SIZE,
    LOTS_FROM,
    LOWEST,
    MEETS_DOWN,
    MEETS_UP,
    MET_AT,
    NEAR_DOWN,
    NEAR_UP,
    NO_ORDER,
    NOW,
    OVER,
    PAYS_END,
    RUNG_ABOVE,
    RUNG_LEVEL,
    RUNG_PRICE,
    RUNG_SIZE,
    RUNGS_FROM,
    SLIP_THEN,
    THE_LEG,
    THE_ORDER,
    W_SIDE,
    WORST,
)
from engines.kernels.campaigns.fills import (
    drop_rung,
    fee_of_qty,
    find_nearest,
    open_lot,
    pay_until,
    set_levels,
)
from engines.kernels.campaigns.limits import (
    count_fill,
    doubt_level,
    end_trading,
    force_close,
    is_drawn,
    judge_flat,
)
from engines.kernels.campaigns.margin import is_refused, judge_cover, note_start
from engines.kernels.campaigns.moves import goes_along, move
from engines.kernels.campaigns.orders import meets_or_order, order_price, passed_or_order
from engines.kernels.campaigns.sizes import cannot_pay, is_too_small, order_steps
from engines.kernels.columns import F64_2D, Run
from engines.kernels.money import due_price, expected_slip, slipped_price
from engines.kernels.rounding import qty_of
from engines.kernels.slots import (
    BAR,
    BASIS,
    CALLS_MARGIN,
    FROM_ENTRY,
    LATE_ENTRIES,
    LATE_RATIO,
    LOTS,
    PROFIT_RATIO,
    ROOM_STEPS,
    RUNGS,
    STEPS,
    TICK_SIZE,
    VERIFY_TICKS,
)

STAYS = math.nan  # the price of an exit where none is met


@rule
def turns_late(run: Run) -> bool:
    """Return whether the close of this bar, which has filled something, sets the late target."""
    has_filled = run[IS_FILLED] != 0 and run[IS_LATE] == 0
    return has_filled and run[LOTS] >= run[LATE_ENTRIES]


@rule
def tend(run: Run, side: float) -> bool:
    """Let the late target hold from the close of a bar on that has filled enough lots; has it?"""
    is_late = turns_late(run)
    if is_late:
        run[IS_LATE] = 1.0
        if run[LATE_RATIO] != run[PROFIT_RATIO]:
            set_levels(run, side)
            find_nearest(run)
    run[IS_FILLED] = 0.0
    return is_late


@rule
def walk(
    run: Run, reach: F64_2D, bar: int, side: float, opened: float, against: float, along: float,
    close: float, is_against_first: bool,
) -> float:  # fmt: skip # one list
    """Go the way of a bar, in signed prices; return at what price the exit fills, STAYS if not.

    A margin call may end the position too.
    """
    run[BAR], run[OVER], run[FRESH] = bar + run[LAG], bar, run[LOTS]
    run[NOW] = run[WORST] = run[BEST] = opened
    if bar == run[ENTRY_BAR] - run[LAG]:
        run[FRESH], run[IS_WALKED] = 0.0, 1.0
    elif run[LOTS_FROM + (int(run[LOTS]) - 1) * LOT_SIZE + L_BAR] == run[BAR]:
        run[FRESH] -= 1.0  # It joined at the open.
    run[IS_PASSED] = 0.0
    is_paid = run[PAYS_END] != 0
    if is_paid:
        pay_until(run, 2.0 * bar)
    note_start(run, bar, run[CLOSE_BEFORE])
    if run[IS_LIMITED] != 0 and is_drawn(run, opened):
        end_trading(run, reach, side, opened)
        return STAYS
    part, filled = 0, _fill_passed(run, reach, opened, side)
    if filled == filled:
        return filled
    if run[STEPS] != 0:
        judge(run, reach, side, opened)
    if is_paid and run[STEPS] != 0:
        pay_until(run, 2.0 * bar + 1.0)
        judge(run, reach, side, opened)
    while part < 3 and filled != filled and run[STEPS] != 0:
        target = against if is_against_first == (part == 0) else along
        target = close if part == 2 else target
        if run[IS_LIMITED] != 0:
            filled = _approach(run, reach, target, side)
        else:
            filled = travel(run, reach, target, side)
        if filled != filled and run[STEPS] != 0:
            judge(run, reach, side, target)
        part += 1
    return filled


@rule
def _fill_passed(run: Run, reach: F64_2D, opened: float, side: float) -> float:
    """Fill what an open has passed; return what the exit fills at, STAYS if it does not."""
    if run[IS_MOVING] != 0 and goes_along(run, opened, side):
        find_nearest(run)
    while not run[NEAR_DOWN] < opened < run[NEAR_UP] and run[STEPS] != 0:
        found = passed(run, opened, side)
        if found != THE_LEG:
            fill_rung(run, reach, found, due_price(run, side * opened), True, side)
        elif run[IS_MOVING] != 0 and run[LEG_UP] <= opened and move(run, opened, side):
            find_nearest(run)
        else:
            return passed_price(run, opened, side)
    return STAYS


@apart
def _approach(run: Run, reach: F64_2D, target: float, side: float) -> float:
    """Move the price to `target` as `travel` does, or to where the largest drawdown is reached.

    What waits up to there fills first, and may move that level.
    """
    while run[STEPS] != 0:
        if run[DRAWN_AT] < target:
            filled = travel(run, reach, target, side)
            if filled == filled or run[DRAWN_AT] <= target:
                return filled
            continue
        doubt_level(run, target)
        level = min(run[NOW], run[DRAWN_AT])
        filled = travel(run, reach, level, side)
        if filled == filled:
            return filled
        is_there = run[NOW] == level and run[NEAR_DOWN] < level < run[NEAR_UP]
        if run[STEPS] != 0 and is_there and level <= run[DRAWN_AT]:
            end_trading(run, reach, side, level)
    return STAYS


@rule
def passed_price(run: Run, opened: float, side: float) -> float:
    """Return what the exit fills at that an open has passed."""
    run[IS_PASSED] = 1.0
    due = due_price(run, side * opened)
    return due if run[LEG_UP] <= opened else slipped_price(run, due, -side, 0.0)


@apart
def passed(run: Run, price: float, side: float) -> int:
    """Return what fills next of all that an open has passed: the rung at the lowest price first."""
    found, lowest = THE_LEG, math.inf
    for place in range(int(run[RUNGS])):
        rung = RUNGS_FROM + place * RUNG_SIZE
        level = run[rung + RUNG_LEVEL]
        is_passed = level <= price if run[rung + RUNG_ABOVE] != 0 else level >= price
        if is_passed and side * level < lowest:
            found, lowest = place, side * level
    if run[W_SIDE] != 0:
        return passed_or_order(run, price, side, found, lowest)
    return found


@rule
def travel(run: Run, reach: F64_2D, target: float, side: float) -> float:
    """Move the price to `target`; return what the exit fills at on the way, STAYS if it is not met.

    Where an order for a first entry is met it stays too, and MET_AT says at what price.

    Prices on the way are ticks, as the levels are, but where a fill has put one behind the price.
    """
    while True:
        price = run[NOW]
        high, low = max(price, target), min(price, target)
        if run[NEAR_UP] > high and run[NEAR_DOWN] < low:
            _advance(run, target)
            return STAYS
        if run[W_SIDE] == 0 and run[NEAR_DOWN] < price < run[NEAR_UP]:
            rises = target > price
            found = int(run[MEETS_UP if rises else MEETS_DOWN])
            at = run[NEAR_UP if rises else NEAR_DOWN]
        else:
            found, rises, at = _meets(run, price, high, low, side)
        level = max(at, price) if rises else min(at, price)
        _advance(run, level)
        if found == THE_ORDER:
            run[MET_AT] = order_price(run, level, side, level == at)
            return STAYS
        if run[IS_MOVING] != 0 and found == THE_LEG and rises and move(run, level, side):
            find_nearest(run)
            continue
        asked = level
        if level == at:
            asked = _limit_price(run, found, rises, level)
        elif found == THE_LEG:
            _doubt_order(run)
        due = side * level
        if asked != at or due < run[TICK_SIZE]:  # Levels are ticks already.
            due = due_price(run, side * asked)
        if found == THE_LEG:
            return due if rises else slipped_price(run, due, -side, 0.0)
        fill_rung(run, reach, found, due, False, side)
        if run[STEPS] == 0 or run[DRAWN_AT] > target:
            return STAYS


@rule
def _limit_price(run: Run, found: int, rises: bool, level: float) -> float:
    """Return what fills where the price meets a level: of a verified limit the best that it may."""
    if run[VERIFY_TICKS] == 0 or rises != (found == THE_LEG):
        return level
    if rises:
        return max(run[LEG_LIMIT], run[WORST])
    return min(run[RUNGS_FROM + found * RUNG_SIZE + RUNG_PRICE], run[BEST])


@rule
def _doubt_order(run: Run) -> None:
    """Doubt which of several lots' own verified limits comes first where they lie behind a fill."""
    if run[VERIFY_TICKS] != 0 and run[BASIS] == FROM_ENTRY and run[LOTS] > 1:
        run[IS_UNSURE] = 1.0


@apart
def _meets(run: Run, price: float, high: float, low: float, side: float) -> tuple[int, bool, float]:
    """Return what is met first between two prices, whether the price rises to it, and its level.

    Levels may lie behind the price, or an order may wait beside them.
    """
    found, rises, level, nearest = NO_ORDER, False, price, math.inf
    for place in range(int(run[RUNGS])):
        rung = RUNGS_FROM + place * RUNG_SIZE
        at, is_above, distance = run[rung + RUNG_LEVEL], run[rung + RUNG_ABOVE] != 0, math.inf
        if is_above and at <= high:
            distance = max(0.0, at - price)
        elif not is_above and at >= low:
            distance = max(0.0, price - at)
        if distance < nearest:
            found, rises, level, nearest = place, is_above, at, distance
    up, down = run[LEG_UP], run[LEG_DOWN]
    below = max(0.0, price - down) if down >= low else math.inf
    above = max(0.0, up - price) if up <= high else math.inf
    if min(above, below) < nearest:
        # With both behind the price the limit fills.
        found, rises = THE_LEG, above <= below
        level = up if rises else down
    if run[W_SIDE] != 0:
        return meets_or_order(run, price, high, low, side, found, rises, level)
    return found, rises, level


@rule
def _advance(run: Run, price: float) -> None:
    """Record that the price has come to `price`."""
    run[NOW] = price
    run[WORST], run[BEST] = min(run[WORST], price), max(run[BEST], price)
    for place in range(int(run[FRESH]), int(run[LOTS])):
        lot = LOTS_FROM + place * LOT_SIZE
        run[lot + L_WORST] = min(run[lot + L_WORST], price)
    if run[IS_MOVING] != 0 and goes_along(run, price, 1.0 if run[STEPS] > 0 else -1.0):
        find_nearest(run)


@rule
def fill_rung(
    run: Run, reach: F64_2D, place: int, due: float, is_at_open: bool, side: float
) -> None:
    """Fill a rung, or let it go where it is too small or was never placed."""
    is_above = run[RUNGS_FROM + place * RUNG_SIZE + RUNG_ABOVE] != 0
    level = run[RUNGS_FROM + place * RUNG_SIZE + RUNG_PRICE]
    drop_rung(run, place)
    steps = order_steps(run, place + 1, side)
    if is_too_small(run, steps) or _is_unplaced(run, steps, level, is_above, side):
        find_nearest(run)
        return
    price, held = slipped_price(run, due, side, 0.0) if is_above else due, abs(run[STEPS])
    opening = min(steps, run[ROOM_STEPS] - held)
    if opening > 0 and not is_refused(run, side, opening, price, is_at_open):
        if run[CALLS_MARGIN] == 0:
            judge_cover(run, side, min(run[LOWEST], run[WORST]), 0.0)
        qty = qty_of(run, opening)
        paid = fee_of_qty(run, qty, price) * opening / opening
        open_lot(run, side, opening, qty, price, paid, True)
        if run[IS_LIMITED] != 0 and count_fill(run):
            force_close(run, reach, side, price, False)
            judge_flat(run)
            return
    find_nearest(run)


@rule
def _is_unplaced(run: Run, steps: float, level: float, is_above: bool, side: float) -> bool:
    """Return whether the account could not pay a rung at the close that decided."""
    close, equity = side * run[CLOSE_THEN], run[EQUITY_THEN]
    expected = side * (max(level, close) if is_above else min(level, close))
    if is_above:
        expected += expected_slip(run, side, expected, run[SLIP_THEN])
    return cannot_pay(run, steps, side, expected, equity)
