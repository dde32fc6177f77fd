"""How the price moves through the bars of a campaign: rungs fill, and a level may end it.

Theory. Between two fills nothing changes, so bars are searched for the first that reaches what is
nearest (`search`), and only such a bar is walked, by the rules of `path`: at the open first what it
has passed, rungs before the exit and of these the lowest price first; then to the extreme nearer to
the open, to the other one and to the close, the nearest level first. Signed prices make that one
way for both sides, but for which rung an open fills first and for which extreme is first where both
are equally near.

An order that the account cannot pay may be dropped or not, by rules that look at more than this:
the set is unsure then.
"""

import math

from engines.kernels._compiled import rule
from engines.kernels.campaign_columns import (
    CLOSE_THEN,
    ENTRY_BAR,
    EQUITY_THEN,
    FRESH,
    IS_FILLED,
    IS_LATE,
    IS_UNSURE,
    IS_WALKED,
    L_WORST,
    LEG_DOWN,
    LEG_UP,
    LOT_SIZE,
    LOTS_FROM,
    LOWEST,
    NEAR_DOWN,
    NEAR_UP,
    NEXT_BAR,
    NO_ORDER,
    NOW,
    RUNG_ABOVE,
    RUNG_LEVEL,
    RUNG_SIZE,
    RUNGS_FROM,
    SLIP_THEN,
    THE_LEG,
    WORST,
)
from engines.kernels.campaign_fills import drop_rung, find_nearest, open_lot, set_levels, settle_to
from engines.kernels.campaign_tally import close_lots, reach_fill
from engines.kernels.chain_columns import Opens
from engines.kernels.columns import F64_2D, Run
from engines.kernels.desk import is_large_enough
from engines.kernels.money import (
    due_price,
    equity_at,
    expected_slip,
    fee,
    lacks_funds,
    slipped_price,
)
from engines.kernels.passage_columns import Payments
from engines.kernels.passage_events import slip_at
from engines.kernels.passage_walk import way
from engines.kernels.rungs import steps_of
from engines.kernels.search import first_touch
from engines.kernels.slots import (
    BAR,
    CLOSE,
    LATE_ENTRIES,
    LOTS,
    ROOM_STEPS,
    RUNGS,
    STEPS,
)
from engines.types import F64_1D


@rule
def follow(
    run: Run, opens: Opens, prices: F64_2D, slip_ratio: F64_1D, payments: Payments, last: int
) -> bool:  # fmt: skip # what it reads, then how far
    """Let the campaign live up to bar `last`; return whether it ends there by a level."""
    side, bar = 1.0 if run[STEPS] > 0 else -1.0, int(run[NEXT_BAR])
    while bar <= last:
        find_nearest(run)
        down, up = run[NEAR_DOWN], run[NEAR_UP]
        run[LOWEST] = min(run[LOWEST], down)
        turns_late = run[IS_FILLED] != 0 and run[IS_LATE] == 0 and run[LOTS] >= run[LATE_ENTRIES]
        stop = bar + 1 if turns_late else last + 1
        if side > 0:
            bar = first_touch(opens.reach, opens.bars, bar, stop, down, up)
        else:
            bar = first_touch(opens.reach, opens.bars, bar, stop, -up, -down)
        if bar < stop and _walk(run, opens, prices, slip_ratio, payments, bar, side):
            return True
        bar = min(bar + 1, stop)
        _tend(run, side)
    run[NEXT_BAR] = last + 1
    return False


@rule
def _tend(run: Run, side: float) -> None:
    """Let the late target hold from the close of a bar on that has filled enough lots."""
    if run[IS_FILLED] != 0 and run[IS_LATE] == 0 and run[LOTS] >= run[LATE_ENTRIES]:
        run[IS_LATE] = 1.0
        set_levels(run, side)
    run[IS_FILLED] = 0.0


@rule
def _walk(
    run: Run, opens: Opens, prices: F64_2D, slip_ratio: F64_1D, payments: Payments, bar: int,
    side: float,
) -> bool:  # fmt: skip # one list
    """Go the way of a bar; return whether the position has ended."""
    opened, against, along, is_against_first = way(prices, bar, side)
    run[BAR], run[NOW], run[WORST] = bar, opened, opened
    run[FRESH] = run[LOTS]
    if bar == run[ENTRY_BAR]:
        run[FRESH], run[IS_WALKED] = 0.0, 1.0
    slip_at(run, slip_ratio, bar - 1)
    is_paid = len(payments.rates) > 0
    if is_paid:
        settle_to(run, payments, payments.after[bar])
    while not run[NEAR_DOWN] < opened < run[NEAR_UP]:
        found = _passed(run, opened, side)
        if _touch(run, opens, found, opened, run[LEG_UP] <= opened, prices[bar - 1, CLOSE], side):
            return True
    if is_paid:
        settle_to(run, payments, payments.before[bar + 1])
    for point in range(3):
        target = against if (point == 0) == is_against_first else along
        if point == 2:
            target = side * prices[bar, CLOSE]
        if _travel(run, opens, target, side):
            return True
    run[LOWEST] = min(run[LOWEST], run[WORST])
    return False


@rule
def _passed(run: Run, price: float, side: float) -> int:
    """Return what fills next of all that an open has passed: the rung at the lowest price first."""
    found, lowest = THE_LEG, math.inf
    for place in range(int(run[RUNGS])):
        rung = RUNGS_FROM + place * RUNG_SIZE
        level = run[rung + RUNG_LEVEL]
        is_passed = level <= price if run[rung + RUNG_ABOVE] != 0 else level >= price
        if is_passed and side * level < lowest:
            found, lowest = place, side * level
    return found


@rule
def _travel(run: Run, opens: Opens, target: float, side: float) -> bool:
    """Move the price to `target`; return whether a level ends the position on the way."""
    while True:
        price = run[NOW]
        high, low = max(price, target), min(price, target)
        if run[NEAR_UP] > high and run[NEAR_DOWN] < low:
            _advance(run, target)
            return False
        found, rises, level = _meets(run, price, high, low)
        _advance(run, level)
        if _touch(run, opens, found, level, rises, math.nan, side):
            return True


@rule
def _meets(run: Run, price: float, high: float, low: float) -> tuple[int, bool, float]:
    """Return what is met first between two prices, whether the price rises to it, and where."""
    found, rises, level, nearest = NO_ORDER, False, price, math.inf
    for place in range(int(run[RUNGS])):
        rung = RUNGS_FROM + place * RUNG_SIZE
        at, is_above, distance = run[rung + RUNG_LEVEL], run[rung + RUNG_ABOVE] != 0, math.inf
        if is_above and at <= high:
            distance = max(0.0, at - price)
        elif not is_above and at >= low:
            distance = max(0.0, price - at)
        if distance < nearest:
            found, rises, nearest = place, is_above, distance
            level = max(at, price) if is_above else min(at, price)
    up, down = run[LEG_UP], run[LEG_DOWN]
    below = max(0.0, price - down) if down >= low else math.inf
    above = max(0.0, up - price) if up <= high else math.inf
    if min(above, below) < nearest:
        # With both behind the price the limit fills.
        found, rises = THE_LEG, above <= below
        level = max(up, price) if rises else min(down, price)
    return found, rises, level


@rule
def _advance(run: Run, price: float) -> None:
    """Record that the price has come to `price`."""
    run[NOW] = price
    run[WORST] = min(run[WORST], price)
    for place in range(int(run[FRESH]), int(run[LOTS])):
        lot = LOTS_FROM + place * LOT_SIZE
        run[lot + L_WORST] = min(run[lot + L_WORST], price)


@rule
def _touch(
    run: Run, opens: Opens, found: int, price: float, rises: bool, close_before: float, side: float
) -> bool:  # fmt: skip # one list
    """Let `price` act on a rung or on the exit; return whether it ends the position.

    `close_before` is that of the bar before where the price is an open, else NaN.
    """
    due = due_price(run, side * price)
    if found != THE_LEG:
        _fill_rung(run, opens, found, due, close_before, side)
        find_nearest(run)
        return False
    reach_fill(run, opens)
    run[LOWEST] = min(run[LOWEST], run[WORST])
    filled, held = due if rises else slipped_price(run, due, -side, 0.0), abs(run[STEPS])
    close_lots(run, opens, filled, fee(run, held, filled) * held / held)
    return True


@rule
def _fill_rung(
    run: Run, opens: Opens, place: int, due: float, close_before: float, side: float
) -> None:
    """Fill a rung, or let it go where it is too small or was never placed."""
    is_above = run[RUNGS_FROM + place * RUNG_SIZE + RUNG_ABOVE] != 0
    level = run[RUNGS_FROM + place * RUNG_SIZE + RUNG_LEVEL]
    drop_rung(run, place)
    close, equity = run[CLOSE_THEN], run[EQUITY_THEN]
    steps = steps_of(run, place + 1, side, close, math.nan)
    expected = side * min(level, side * close)
    if is_above:
        expected = side * max(level, side * close)
        expected += expected_slip(run, side, expected, run[SLIP_THEN])
    if not is_large_enough(run, steps, close) or lacks_funds(run, steps, side, expected, equity):
        return
    price, held = slipped_price(run, due, side, 0.0) if is_above else due, abs(run[STEPS])
    opening = min(steps, run[ROOM_STEPS] - held)
    if opening <= 0:
        return
    now = equity_at(run, price)
    is_unsure = now <= 0 or lacks_funds(run, held + opening, side, price, now)
    if close_before == close_before and run[FRESH] == run[LOTS]:
        is_unsure |= lacks_funds(run, held + opening, side, price, equity_at(run, close_before))
    run[IS_UNSURE] = max(run[IS_UNSURE], 1.0 if is_unsure else 0.0)
    reach_fill(run, opens)
    open_lot(run, side, opening, price, fee(run, opening, price) * opening / opening)
