"""How one bar is played against what waits: steps 1 to 5 of `broker`, for one lot and its legs."""

import math

from engines.kernels._compiled import rule
from engines.kernels.columns import Run
from engines.kernels.fills import call_margin, fill_close, fill_entry, fill_leg
from engines.kernels.legs import (
    arm_on,
    arms_first,
    is_trailing,
    order_down,
    order_up,
    ratchet_on,
    refresh_book,
    stop_reason,
)
from engines.kernels.money import equity_at, refresh_guards
from engines.kernels.notes import note_payment
from engines.kernels.rounding import qty_of
from engines.kernels.slots import (
    AT_MARKET,
    AT_STOP,
    BAR,
    DOWN,
    ENTRY_KIND,
    FIRST_LEG,
    FUNDING_OPEN,
    GUARD_DOWN,
    GUARD_UP,
    HAS_MOVES,
    IS_FRESH,
    IS_TRAILING,
    LEG,
    LEG_DOWN,
    LEG_LIMIT,
    LEG_LIVES,
    LEG_PLACE,
    LEG_STOP,
    LEG_TRIGGER,
    LEG_UP,
    LEGS,
    LOT_FUNDING,
    LOT_HIGH,
    LOT_LOW,
    ORDER_LEVEL,
    ORDER_SIDE,
    ORDER_TRIGGER,
    PATH_HIGH,
    PATH_LOW,
    PLAIN_NAME,
    POINT_VALUE,
    PRICE,
    PROFIT_REASON,
    START_EQUITY,
    START_STEPS,
    STEPS,
    STOP_REASON,
    TRAIL_TICKS,
    TRAILING_STOP,
    UP,
)

NO_LEG = -1


@rule
def arrive(run: Run, bar: int, price: float) -> None:
    """Stand at the first price of a bar."""
    run[BAR] = bar
    run[PRICE] = run[PATH_HIGH] = run[PATH_LOW] = price
    run[IS_FRESH] = 0.0


@rule
def pay_funding(run: Run, settlement: int, mark_price: float, rate: float) -> None:
    """Settle funding with what is held now."""
    held = abs(run[STEPS])
    if held == 0:
        return
    paid = qty_of(run, run[STEPS]) * mark_price * run[POINT_VALUE] * rate
    run[LOT_FUNDING] += paid * held / held
    run[FUNDING_OPEN] += paid
    note_payment(run, settlement, paid)
    refresh_guards(run)


@rule
def open_bar(run: Run, close_before: float) -> None:
    """Fill at the open: market orders in their order, then what the open has passed."""
    run[START_STEPS], run[START_EQUITY] = run[STEPS], equity_at(run, close_before)
    fill_close(run)
    if run[ORDER_SIDE] != 0 and run[ENTRY_KIND] == AT_MARKET:
        fill_entry(run, run[PRICE], True, True)
    if run[IS_TRAILING] != 0:
        _advance(run, run[PRICE])
    _fill_passed(run)
    check_margin(run)


@rule
def pass_bar(run: Run, open_price: float, high: float, low: float, close: float) -> None:
    """Go through the rest of a bar, step by step only if it can meet something."""
    if not _is_untouched(run, high, low):
        _walk(run, open_price, high, low, close)
        return
    run[PATH_HIGH], run[PATH_LOW], run[PRICE] = high, low, close
    if run[IS_FRESH] != 0:
        run[LOT_HIGH], run[LOT_LOW] = high, low


@rule
def _is_untouched(run: Run, high: float, low: float) -> bool:
    return (
        high < run[UP]
        and low > run[DOWN]
        and run[IS_TRAILING] == 0
        and high < run[GUARD_UP]
        and low > run[GUARD_DOWN]
    )


@rule
def check_margin(run: Run) -> None:
    """Call margin if the price is at a guard or beyond."""
    if not run[GUARD_DOWN] < run[PRICE] < run[GUARD_UP]:
        call_margin(run)


@rule
def _walk(run: Run, open_price: float, high: float, low: float, close: float) -> None:
    """Go the way of a bar: to the extreme nearer to its open, to the other one, to its close."""
    is_high_first = high - open_price < open_price - low
    for point in range(3):
        extreme = high if (point == 0) == is_high_first else low
        target = close if point == 2 else extreme
        while _meet(run, target):
            pass
        _advance(run, target)
        check_margin(run)
        if run[STEPS] == 0 and run[ORDER_SIDE] == 0:
            return


@rule
def _meet(run: Run, target: float) -> bool:
    """Act on the level that the way to `target` meets first; return whether there is one."""
    price = run[PRICE]
    high, low = max(target, price), min(target, price)
    if run[UP] > high and run[DOWN] < low:
        return False
    found, rises, level, nearest = NO_LEG, False, price, math.inf
    is_selling = run[STEPS] > 0
    for place in range(int(run[LEGS])):
        leg = FIRST_LEG + place * LEG
        if run[LEG_LIVES + leg] != 1:
            continue
        up, down = run[LEG_UP + leg], run[LEG_DOWN + leg]
        below = max(0.0, price - down) if down >= low else math.inf
        above = max(0.0, up - price) if up <= high else math.inf
        # A leg with both its levels behind the price fills as a limit.
        is_up = above < below or (above == below and is_selling)
        distance = min(above, below)
        if distance < nearest:
            nearest, found, rises = distance, leg, is_up
            level = max(up, price) if is_up else min(down, price)
    above, below = order_up(run), order_down(run)
    distance = max(0.0, above - price) if above <= high else math.inf
    if below >= low:
        distance = max(0.0, price - below)
    if distance < nearest:  # The entry came into the book after the legs.
        _advance(run, max(above, price) if above <= high else min(below, price))
        _touch_entry(run, math.nan, False)
        return True
    if found == NO_LEG:
        return False
    _advance(run, level)
    _touch(run, found, level, rises, math.nan)
    return True


@rule
def _fill_passed(run: Run) -> None:
    """Fill at the open what it has passed: the entry, then the legs, the last one first."""
    price = run[PRICE]
    while not run[UP] > price > run[DOWN]:
        if order_up(run) <= price or order_down(run) >= price:
            _touch_entry(run, price, True)
            continue
        found = NO_LEG
        for place in range(int(run[LEGS])):
            leg = FIRST_LEG + place * LEG
            is_passed = run[LEG_UP + leg] <= price or run[LEG_DOWN + leg] >= price
            if run[LEG_LIVES + leg] != 0 and is_passed:
                found = leg
        if found == NO_LEG:
            return
        is_selling = run[STEPS] > 0
        rises = run[LEG_UP + found] <= price if is_selling else run[LEG_DOWN + found] < price
        _touch(run, found, price, rises, price)


@rule
def _advance(run: Run, price: float) -> None:
    """Record that the price has come to `price`; trailing stops follow."""
    run[PRICE] = price
    if price > run[PATH_HIGH]:
        run[PATH_HIGH] = price
    elif price < run[PATH_LOW]:
        run[PATH_LOW] = price
    if run[IS_FRESH] != 0:
        if price > run[LOT_HIGH]:
            run[LOT_HIGH] = price
        elif price < run[LOT_LOW]:
            run[LOT_LOW] = price
    if run[IS_TRAILING] != 0:
        sign = 1.0 if run[STEPS] > 0 else -1.0
        for place in range(int(run[LEGS])):
            leg = FIRST_LEG + place * LEG
            if run[LEG_LIVES + leg] != 0 and is_trailing(run, leg):
                arm_on(run, leg, price, sign)
        refresh_book(run)


@rule
def _touch(run: Run, leg: int, price: float, rises: bool, limit_price: float) -> None:
    """Let `price` act on a leg; `limit_price` is what its limit fills at, NaN: on the way."""
    sign = 1.0 if run[STEPS] > 0 else -1.0
    if rises != (sign > 0):
        _stop_out(run, leg, price, stop_reason(run, leg, sign))
    elif run[HAS_MOVES + leg] == 0 or not _has_moved(run, leg, price, sign):
        if limit_price != limit_price:  # NaN
            limit, trigger = run[LEG_LIMIT + leg], run[LEG_TRIGGER + leg]
            limit_price = _limit_price(run, limit, trigger, -sign)
        reason = run[PROFIT_REASON + leg]
        fill_leg(run, leg, limit_price, False, reason, reason)


@rule
def _touch_entry(run: Run, limit_price: float, is_at_open: bool) -> None:
    """Fill the priced entry here; `limit_price` as in `_touch`."""
    if run[ENTRY_KIND] == AT_STOP:
        fill_entry(run, run[PRICE], True, is_at_open)
        return
    if limit_price != limit_price:  # NaN
        limit_price = _limit_price(run, run[ORDER_LEVEL], run[ORDER_TRIGGER], run[ORDER_SIDE])
    fill_entry(run, limit_price, False, is_at_open)


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
    fill_leg(run, leg, price, True, reason, name)


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
