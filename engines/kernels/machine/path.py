"""How one bar is played against what waits: steps 1 to 5 of `broker`."""

import math

from engines.kernels._compiled import rule
from engines.kernels.columns import Run
from engines.kernels.machine.book import is_trailing, order_at, refresh_book
from engines.kernels.machine.calm import is_queued, is_untouched
from engines.kernels.machine.fills import fill_close, fill_entry, fill_leg
from engines.kernels.machine.forced import check_limits, follow_fill, force, judge_mark
from engines.kernels.machine.guards import refresh_guards
from engines.kernels.machine.legs import arm_on, arms_first, ratchet_on, side_of, stop_reason
from engines.kernels.machine.lots import lot_at
from engines.kernels.machine.notes import note_payment
from engines.kernels.money import equity_at
from engines.kernels.rounding import qty_of
from engines.kernels.slots import (
    AT_STOP,
    BAR,
    BOOK,
    CLOSE_REASON,
    DOWN,
    FIRST_ORDER,
    FORCED_DOWN,
    FORCED_UP,
    FUNDING_OPEN,
    HAS_MOVES,
    IS_FRESH,
    IS_LEG,
    IS_TRAILING,
    KIND_OF_ENTRY,
    LEG_LIMIT,
    LEG_PLACE,
    LEG_STOP,
    LEG_TRIGGER,
    LEVEL,
    LOT_BAR,
    LOT_FUNDING,
    LOT_HIGH,
    LOT_LOW,
    LOT_STEPS,
    LOTS,
    MARK_CLOSE,
    MARK_HIGH,
    MARK_LOW,
    MARK_OPEN,
    NO_REASON,
    ORDER_DOWN,
    ORDER_UP,
    PATH_HIGH,
    PATH_LOW,
    PLAIN_NAME,
    POINT_VALUE,
    PRICE,
    PROFIT_REASON,
    SIDE,
    START_EQUITY,
    START_STEPS,
    STEPS,
    STOP_REASON,
    TRAIL_DOWN,
    TRAIL_TICKS,
    TRAIL_UP,
    TRAILING_STOP,
    TRIGGER,
    UP,
)

NO_ORDER = 0


@rule
def arrive(run: Run, bar: int, price: float) -> None:
    """Stand at the first price of a bar."""
    run[BAR] = bar
    run[PRICE] = run[PATH_HIGH] = run[PATH_LOW] = price
    run[IS_FRESH] = 0.0


@rule
def pay_funding(run: Run, settlement: int, mark_price: float, rate: float) -> None:
    """Settle funding with what is held now, shared among the lots by quantity."""
    held = abs(run[STEPS])
    if held == 0:
        return
    paid = qty_of(run, run[STEPS]) * mark_price * run[POINT_VALUE] * rate
    for place in range(int(run[LOTS])):
        lot = lot_at(run, place)
        run[LOT_FUNDING + lot] += paid * run[LOT_STEPS + lot] / held
    run[FUNDING_OPEN] += paid
    note_payment(run, settlement, paid)
    refresh_guards(run)


@rule
def start_bar(run: Run, close_before: float) -> None:
    """Note the position that a bar starts with, and its equity at the close before."""
    run[START_STEPS], run[START_EQUITY] = run[STEPS], equity_at(run, close_before)


@rule
def open_bar(run: Run, close_before: float) -> None:
    """Fill at the open: market orders in their order, then what the open has passed."""
    start_bar(run, close_before)
    judge_mark(run, run[MARK_OPEN])
    force(run)
    _fill_market(run, True)
    if run[IS_TRAILING] != 0:
        _advance(run, run[PRICE])
    force(run)
    _fill_passed(run, True)
    check_limits(run)


@rule
def close_bar(run: Run, close: float) -> None:
    """Fill at the close what the decision at it asked for."""
    run[PRICE], run[IS_FRESH] = close, 0.0
    _fill_market(run, False)
    _fill_passed(run, False)


@rule
def _fill_market(run: Run, is_at_open: bool) -> None:
    """Fill the close and the market entry that wait."""
    if run[CLOSE_REASON] != NO_REASON:
        follow_fill(run, fill_close(run))
    if is_queued(run):
        follow_fill(run, fill_entry(run, FIRST_ORDER, run[PRICE], True, is_at_open))


@rule
def pass_bar(run: Run, open_price: float, high: float, low: float, close: float) -> None:
    """Go through the rest of a bar, step by step only if it can meet something."""
    if not is_untouched(run, high, low):
        _walk(run, open_price, high, low, close)
        return
    run[PATH_HIGH], run[PATH_LOW], run[PRICE] = high, low, close
    if run[IS_FRESH] != 0:
        for place in range(int(run[LOTS])):
            lot = lot_at(run, place)
            if run[LOT_BAR + lot] == run[BAR]:
                run[LOT_HIGH + lot], run[LOT_LOW + lot] = high, low


@rule
def _walk(run: Run, open_price: float, high: float, low: float, close: float) -> None:
    """Go the way of a bar: to the extreme nearer to its open, to the other one, to its close."""
    is_high_first = high - open_price < open_price - low
    for point in range(3):
        extreme = high if (point == 0) == is_high_first else low
        target = close if point == 2 else extreme
        _move(run, target)
        mark = run[MARK_CLOSE]
        if point < 2:
            mark = run[MARK_HIGH] if (point == 0) == is_high_first else run[MARK_LOW]
        judge_mark(run, mark)
        check_limits(run)
        if run[STEPS] == 0 and run[BOOK] == 0:
            return


@rule
def _move(run: Run, target: float) -> None:
    """Move the price to `target`, acting on each level that it meets."""
    while True:
        # Orders up to a forced level fill first, and what they fill may move it.
        if run[FORCED_DOWN] < target < run[FORCED_UP]:
            if _travel(run, target):
                return
            continue
        level = max(run[PRICE], run[FORCED_UP])
        if target <= run[FORCED_DOWN]:
            level = min(run[PRICE], run[FORCED_DOWN])
        if _travel(run, level):
            force(run)


@rule
def _travel(run: Run, target: float) -> bool:
    """Move the price to `target`, filling the orders on the way; return whether it came there.

    It does not where a fill has brought a forced level to this side of it.
    """
    while _meet(run, target):
        if not run[FORCED_DOWN] <= target <= run[FORCED_UP]:
            return False
    _advance(run, target)
    return True


@rule
def _meet(run: Run, target: float) -> bool:
    """Act on the level that the way to `target` meets first; return whether there is one."""
    price = run[PRICE]
    high, low = max(target, price), min(target, price)
    if run[UP] > high and run[DOWN] < low:
        return False
    found, rises, level, nearest = NO_ORDER, False, price, math.inf
    for place in range(int(run[BOOK])):
        order = order_at(run, place)
        up, down = run[ORDER_UP + order], run[ORDER_DOWN + order]
        below = max(0.0, price - down) if down >= low else math.inf
        above = max(0.0, up - price) if up <= high else math.inf
        distance = min(above, below)
        if distance < nearest:
            # A leg with both its levels behind the price fills as a limit.
            rises = above < below or (above == below and is_selling(run, order))
            nearest, found = distance, order
            level = max(up, price) if rises else min(down, price)
    if found == NO_ORDER:
        return False
    _advance(run, level)
    _touch(run, found, level, rises, math.nan, False)
    return True


@rule
def is_selling(run: Run, order: int) -> bool:
    """Return whether an order of the book sells."""
    return run[STEPS] > 0 if run[IS_LEG + order] != 0 else run[SIDE + order] < 0


@rule
def _fill_passed(run: Run, is_at_open: bool) -> None:
    """Fill here what the price has passed: entries from the lowest level up, then the last leg."""
    price = run[PRICE]
    while not run[UP] > price > run[DOWN]:
        found, is_entry, lowest = NO_ORDER, False, math.inf
        for place in range(int(run[BOOK])):
            order = order_at(run, place)
            up, down = run[ORDER_UP + order], run[ORDER_DOWN + order]
            if up > price and down < price:
                continue
            if run[IS_LEG + order] != 0:
                found = found if is_entry else order
                continue
            level = up if up <= price else down
            is_first = level == lowest and run[SIDE + order] > run[SIDE + found]
            if not is_entry or level < lowest or is_first:
                found, is_entry, lowest = order, True, level
        if found == NO_ORDER:
            return
        is_up = run[ORDER_UP + found] <= price
        rises = is_up if is_selling(run, found) else run[ORDER_DOWN + found] < price
        _touch(run, found, price, rises, price, is_at_open)


@rule
def _advance(run: Run, price: float) -> None:
    """Record that the price has come to `price`; trailing stops follow."""
    run[PRICE] = price
    if price > run[PATH_HIGH]:
        run[PATH_HIGH] = price
    elif price < run[PATH_LOW]:
        run[PATH_LOW] = price
    if run[IS_FRESH] != 0:
        for place in range(int(run[LOTS])):
            lot = lot_at(run, place)
            if run[LOT_BAR + lot] != run[BAR]:
                continue
            if price > run[LOT_HIGH + lot]:
                run[LOT_HIGH + lot] = price
            elif price < run[LOT_LOW + lot]:
                run[LOT_LOW + lot] = price
    if price > run[TRAIL_UP] or price < run[TRAIL_DOWN]:
        sign = side_of(run)
        for place in range(int(run[BOOK])):
            order = order_at(run, place)
            if run[IS_LEG + order] != 0 and is_trailing(run, order):
                arm_on(run, order, price, sign)
        refresh_book(run)


@rule
def _touch(
    run: Run, order: int, price: float, rises: bool, limit_price: float, is_at_open: bool
) -> None:
    """Let `price` act on an order; `limit_price` is what its limit fills at, NaN: on the way."""
    if run[IS_LEG + order] == 0:
        _touch_entry(run, order, limit_price, is_at_open)
        return
    sign = side_of(run)
    if rises != (sign > 0):
        _stop_out(run, order, price, stop_reason(run, order, sign))
    elif run[HAS_MOVES + order] == 0 or not _has_moved(run, order, price, sign):
        if limit_price != limit_price:  # NaN
            limit, trigger = run[LEG_LIMIT + order], run[LEG_TRIGGER + order]
            limit_price = _limit_price(run, limit, trigger, -sign)
        reason = run[PROFIT_REASON + order]
        follow_fill(run, fill_leg(run, order, limit_price, False, reason, reason))


@rule
def _touch_entry(run: Run, order: int, limit_price: float, is_at_open: bool) -> None:
    """Fill a priced entry here; `limit_price` as in `_touch`."""
    if run[KIND_OF_ENTRY + order] == AT_STOP:
        follow_fill(run, fill_entry(run, order, run[PRICE], True, is_at_open))
        return
    if limit_price != limit_price:  # NaN
        level, trigger = run[LEVEL + order], run[TRIGGER + order]
        limit_price = _limit_price(run, level, trigger, run[SIDE + order])
    follow_fill(run, fill_entry(run, order, limit_price, False, is_at_open))


@rule
def _limit_price(run: Run, limit: float, trigger: float, side: float) -> float:
    """Return what a limit fills at: its own price, or the better one the market offered."""
    if (trigger - run[PRICE]) * side > 0:
        return run[PRICE]
    return min(limit, run[PATH_HIGH]) if side > 0 else max(limit, run[PATH_LOW])


@rule
def _stop_out(run: Run, leg: int, price: float, reason: float) -> None:
    name = TRAILING_STOP
    if reason != TRAILING_STOP:
        has_stop = run[LEG_STOP + leg] == run[LEG_STOP + leg]
        name = run[STOP_REASON + leg] if has_stop else PLAIN_NAME + run[LEG_PLACE + leg]
    follow_fill(run, fill_leg(run, leg, price, True, reason, name))


@rule
def _has_moved(run: Run, leg: int, price: float, sign: float) -> bool:
    """Let a favourable `price` move the stop of a leg; return whether it did."""
    if not ratchet_on(run, leg, price, sign):
        if not arms_first(run, leg, sign):
            return False
        arm_on(run, leg, price, sign)
        if run[TRAIL_TICKS + leg] == 0:
            _stop_out(run, leg, price, TRAILING_STOP)
    refresh_book(run)
    return True
