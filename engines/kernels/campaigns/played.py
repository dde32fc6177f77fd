"""A campaign whose course is known, played at once: from its entry to its end, without a bar.

Theory. What is asked of the set is how many steps each rung buys, whether the averages lie between
those for which the course holds (`courses`), and whether its account can carry all of it whatever
the price does until then: one bound, for funds at each fill and for calls of margin. If so, the
lots are those of the course, and the campaign ends by the level that ends it, or stands at the
close of a wish or an age that comes before. If not, nothing has changed, and its bars are walked.
"""

import numpy as np

from engines.kernels._compiled import apart, inlined, rule
from engines.kernels.campaigns.columns import (
    BARS,
    COST,
    COURSE_LINE,
    ENTRY_BAR,
    EQUITY_THEN,
    HAS_MONEY,
    HELD,
    IS_LIMITED,
    IS_NEW,
    IS_PASSED,
    IS_WALKED,
    L_BAR,
    L_FEE,
    L_FUNDING,
    L_LEG,
    L_PRICE,
    L_STEPS,
    L_UNIT,
    L_WORST,
    LOT_SIZE,
    LOTS_FROM,
    LOWEST,
    MONEY_FIXED,
    MONEY_SHARE,
    MONTH_NOW,
    NEAR_DOWN,
    NEXT_BAR,
    OVER,
    STEP_SIZE,
    UNIT,
    WORST,
)
from engines.kernels.campaigns.courses import (
    AGAIN_AT,
    BY_STOP,
    BY_STOP_PASSED,
    BY_TARGET_PASSED,
    C_END,
    C_FROM,
    C_HIGH,
    C_LATER,
    C_LINE,
    C_LOTS,
    C_MONTH,
    C_PRICE,
    C_RANGE,
    C_SLIP,
    C_STATE,
    C_TO,
    C_WAY,
    C_WORST,
    COURSE_HEAD,
    IS_KNOWN,
    IS_SEEN,
    K_BAR,
    K_FROM,
    K_LOWEST,
    K_PRICE,
    K_RUNG,
    K_SIZE,
    K_TO,
    K_WORST,
    KNOWN_LOT,
    SEEN_AT,
    course_at,
    is_learned_at_once,
)
from engines.kernels.campaigns.fills import (
    drop_rung,
    fee_of_qty,
    find_nearest,
    set_waits,
    stop_of,
    target_of,
)
from engines.kernels.campaigns.gates import Closes
from engines.kernels.campaigns.guards import set_guard
from engines.kernels.campaigns.kept import keeps_limits
from engines.kernels.campaigns.learned import learn
from engines.kernels.campaigns.legs import close_by_level
from engines.kernels.campaigns.sizes import NOISE, STEPS_FEW, is_too_small, order_steps
from engines.kernels.campaigns.tally import mark_bars, mark_stretch, may_deepen
from engines.kernels.columns import F64_2D, Run
from engines.kernels.money import due_price, margin_ratio, slipped_price
from engines.kernels.passage.lanes import SURE
from engines.kernels.rounding import qty_of
from engines.kernels.slots import (
    BAR,
    BASIS,
    CAPITAL,
    FEES_OPEN,
    FROM_AVERAGE,
    LAST_FILL_BAR,
    LOTS,
    NET,
    POINT_VALUE,
    PRICE_AVG,
    PRICE_LAST,
    ROOM_STEPS,
    SETTLED_PEAK,
    SLIP_NOW,
    STEPS,
    TICK_SIZE,
)
from engines.types import F64_1D

UNPLAYED, AT_LEVEL, AT_CLOSE = range(3)  # how a campaign was played


@apart
def wait_again(run: Run, known: F64_1D, side: float) -> None:
    """Let wait what a campaign that was played to a close, and lives on, has not filled."""
    at = course_at(run, int(run[COURSE_LINE]), side)
    set_waits(run, side)
    for number in range(1, int(run[LOTS])):
        drop_rung(run, int(known[at + COURSE_HEAD + number * KNOWN_LOT + K_RUNG]))
    find_nearest(run)


@inlined
def play_known(
    run: Run, lines: F64_1D, prices: F64_2D, reach: F64_2D, asked: Closes, known: F64_1D, last: int,
    side: float,
) -> int:  # fmt: skip # one list
    """Play a campaign that has just begun up to bar `last`, if its course is known and holds."""
    line = run[COURSE_LINE]
    at = course_at(run, int(line), side)
    if known[at + C_LINE] != line:
        known[at + C_LINE], known[at + C_STATE] = line, IS_SEEN
        if not is_learned_at_once(known):
            known[len(known) - SEEN_AT] += 1
            return UNPLAYED
        learn(run, lines, prices, reach, known, at, side)
    elif known[at + C_STATE] == IS_SEEN:
        known[len(known) - AGAIN_AT] += 1
        learn(run, lines, prices, reach, known, at, side)
    is_ended = known[at + C_END] <= last
    if known[at + C_STATE] != IS_KNOWN or (last >= run[BARS] - 1 and not is_ended):
        return UNPLAYED
    if not _fill_lots(run, lines, reach, asked, known, at, last, is_ended, side):
        return UNPLAYED
    run[IS_NEW], run[IS_WALKED], run[NEXT_BAR] = 0.0, 1.0, float(last + 1)
    if is_ended:
        _end_by_level(run, reach, known, at, side)
        return AT_LEVEL
    if run[IS_LIMITED] != 0:  # What fills at the next open asks where they lie.
        set_guard(run, side)
    return AT_CLOSE


@inlined
def _fill_lots(
    run: Run, lines: F64_1D, reach: F64_2D, asked: Closes, known: F64_1D, at: int, last: int,
    is_ended: bool, side: float,
) -> bool:  # fmt: skip # one list
    """Fill the lots of a course up to bar `last`, if it holds for the set; return whether it does.

    Nothing counts until the end, where one question is asked for all of them.
    """
    first, count, number = at + COURSE_HEAD, int(known[at + C_LOTS]), 1
    money = run[EQUITY_THEN] * run[MONEY_SHARE] + run[MONEY_FIXED]
    steps = steps_before = abs(run[STEPS])
    cost = cost_before = run[COST]
    fees = fees_before = run[FEES_OPEN]
    base = side * run[PRICE_AVG]
    holds = (base > known[first + K_FROM]) & (base < known[first + K_TO])
    while number < count and known[first + number * KNOWN_LOT + K_BAR] <= last:
        course, lot = first + number * KNOWN_LOT, LOTS_FROM + number * LOT_SIZE
        own, price = _steps_of(run, known, course, money, side), known[course + K_PRICE]
        holds &= not is_too_small(run, own)
        qty = qty_of(run, own)
        run[lot + L_STEPS], run[lot + L_PRICE], run[lot + L_BAR] = own, price, known[course + K_BAR]
        run[lot + L_UNIT], run[lot + L_LEG] = qty * run[POINT_VALUE], own
        run[lot + L_FEE], run[lot + L_FUNDING] = fee_of_qty(run, qty, price) * own / own, 0.0
        run[lot + L_WORST] = known[course + K_WORST]
        steps_before, cost_before, fees_before = steps, cost, fees
        steps, cost, fees = steps + own, cost + price * own, fees + run[lot + L_FEE]
        base = side * (cost / steps if run[BASIS] == FROM_AVERAGE else price)
        holds &= (base > known[course + K_FROM]) & (base < known[course + K_TO])
        number += 1
    if is_ended:
        holds &= (base > known[at + C_FROM]) & (base < known[at + C_TO])
    holds = holds and _can_carry(run, known, at, steps, fees, side)
    if holds and run[IS_LIMITED] != 0:
        holds = keeps_limits(run, lines, asked, known, at, number, last, side)
    if not holds:
        return False
    last_course = first + (number - 1) * KNOWN_LOT
    _hold_lots(run, number, side * steps, cost, fees)
    run[LOWEST] = run[NEAR_DOWN] = known[last_course + K_LOWEST]
    run[LOTS_FROM + L_WORST] = min(run[LOTS_FROM + L_WORST], known[first + K_WORST])
    if number > 2 and run[LAST_FILL_BAR] != run[ENTRY_BAR]:
        value = side * cost_before - steps_before * known[last_course - KNOWN_LOT + K_LOWEST]
        _mark_before(run, reach, value * run[STEP_SIZE] * run[POINT_VALUE] + fees_before, side)
    return True


@rule
def _hold_lots(run: Run, lots: int, steps: float, cost: float, fees: float) -> None:
    """Hold so many lots in place of the first."""
    if lots > 1:
        last = LOTS_FROM + (lots - 1) * LOT_SIZE
        run[LOTS], run[STEPS], run[COST], run[FEES_OPEN] = lots, steps, cost, fees
        run[PRICE_AVG], run[HELD] = cost / abs(steps), qty_of(run, steps)
        run[PRICE_LAST], run[LAST_FILL_BAR] = run[last + L_PRICE], run[last + L_BAR]
        run[UNIT] = run[HELD] * run[POINT_VALUE]


@rule
def _steps_of(run: Run, known: F64_1D, course: int, money: float, side: float) -> float:
    """Return how many steps a rung buys, as `order_steps` does."""
    if run[HAS_MONEY] != 0:
        wanted = money * known[course + K_SIZE]
        whole = float(np.floor(wanted))
        part = wanted - whole
        is_far = min(part, 1.0 - part) > NOISE * (wanted + 1.0)
        if is_far and 0.0 < wanted < STEPS_FEW:
            return whole
    return order_steps(run, int(known[course + K_RUNG]) + 1, side)


@rule
def _can_carry(run: Run, known: F64_1D, at: int, steps: float, fees: float, side: float) -> bool:
    """Return whether the account can carry all lots at any price of the course."""
    worth = steps * run[STEP_SIZE] * run[POINT_VALUE]
    owned = min(run[CAPITAL] + run[NET], run[EQUITY_THEN]) - fees - worth * known[at + C_RANGE]
    needed = worth * known[at + C_HIGH] * margin_ratio(run, side)
    return bool(owned > 0 and needed <= owned * SURE and steps <= run[ROOM_STEPS])


@rule
def _mark_before(run: Run, reach: F64_2D, loss: float, side: float) -> None:
    """Mark the bars between fills through which several lots were held; `loss` is the most then."""
    settled = run[CAPITAL] + run[NET]
    run[SETTLED_PEAK] = max(run[SETTLED_PEAK], settled)
    if may_deepen(run, run[SETTLED_PEAK], settled - loss):
        _mark_stretches(run, reach, settled, side)


@apart
def _mark_stretches(run: Run, reach: F64_2D, settled: float, side: float) -> None:
    steps = cost = fees = 0.0
    for number in range(int(run[LOTS]) - 1):
        lot = LOTS_FROM + number * LOT_SIZE
        steps, fees = steps + run[lot + L_STEPS], fees + run[lot + L_FEE]
        cost += run[lot + L_PRICE] * run[lot + L_STEPS]
        start, stop = int(run[lot + L_BAR]) + 1, int(run[lot + LOT_SIZE + L_BAR])
        if number > 0 and start < stop:
            unit = side * qty_of(run, steps) * run[POINT_VALUE]
            mark_bars(run, reach, start, stop, settled - unit * (cost / steps) - fees, unit)


@rule
def _end_by_level(run: Run, reach: F64_2D, known: F64_1D, at: int, side: float) -> None:
    """End the campaign by the level that ends its course."""
    way, bar = known[at + C_WAY], known[at + C_END]
    is_passed, is_stopped = way in (BY_TARGET_PASSED, BY_STOP_PASSED), way >= BY_STOP
    run[BAR] = run[OVER] = bar
    run[MONTH_NOW], run[SLIP_NOW] = known[at + C_MONTH], known[at + C_SLIP]
    run[IS_PASSED], run[WORST] = 1.0 if is_passed else 0.0, known[at + C_WORST]
    price, later = known[at + C_PRICE], known[at + C_LATER]
    if not is_passed:
        base = run[PRICE_AVG] if run[BASIS] == FROM_AVERAGE else run[PRICE_LAST]
        level = stop_of(run, side, base) if is_stopped else target_of(run, side, base)
        if is_stopped:
            run[WORST] = later = level
        price = side * level
        if price < run[TICK_SIZE]:
            price = due_price(run, price)
    if is_stopped:
        price = slipped_price(run, price, -side, 0.0)
    number = int(run[LOTS]) - 1
    while number >= 0 and run[LOTS_FROM + number * LOT_SIZE + L_BAR] == bar:
        lot = LOTS_FROM + number * LOT_SIZE
        run[lot + L_WORST] = min(side * run[lot + L_PRICE], later)
        number -= 1
    if run[ENTRY_BAR] != bar:  # Nothing was marked where it began.
        mark_stretch(run, reach, int(bar))
    run[LAST_FILL_BAR] = bar
    close_by_level(run, reach, side, price)
