"""How a position closes whose lots have a leg each, all at one level.

Theory. The first leg that the price meets is the oldest, and it closes the oldest row, which is its
own lot, and so on: the lots close whole, one fill each. At an open that has passed the level the
youngest leg fills first (`path`). It closes as many steps as its lot has, but of the oldest rows:
lots then close in parts, each a trade, with their part of what the lot has paid. So it is under
FIFO; under LIFO legs close the youngest rows, so lots close in parts on the way and whole at an
open; under ANY each leg closes its own.

A first lot that closes in parts is marked with the stretch in which it was held alone (`tally`).
"""

from engines.kernels._compiled import apart, rule
from engines.kernels.campaigns.columns import (
    ALONE_FROM,
    HELD,
    IS_LIMITED,
    IS_PASSED,
    L_BAR,
    L_FEE,
    L_FUNDING,
    L_LEG,
    L_PRICE,
    L_STEPS,
    L_UNIT,
    LAG,
    LOT_SIZE,
    LOTS_FROM,
    LOWEST,
)
from engines.kernels.campaigns.fills import fee_of_qty
from engines.kernels.campaigns.kelly import weigh
from engines.kernels.campaigns.limits import count_fill, heed_fill, judge_flat
from engines.kernels.campaigns.margin import judge_cover
from engines.kernels.campaigns.tally import (
    add_trade,
    close_lots,
    end_position,
    look_back,
    mark_bars,
    mark_lot,
)
from engines.kernels.columns import F64_2D, Run
from engines.kernels.money import due_price
from engines.kernels.rounding import qty_of
from engines.kernels.slots import (
    BAR,
    CALLS_MARGIN,
    CAPITAL,
    CLOSES_ALL,
    DAY_FILLS,
    FIFO,
    FILLS_MAX,
    LIFO,
    LOT_ORDER,
    LOTS,
    NET,
    OWN_FIRST,
    POINT_VALUE,
    STEPS,
)


@rule
def close_by_level(run: Run, reach: F64_2D, side: float, price: float) -> None:
    """Close the position where the price has met its target or its stop."""
    if run[CLOSES_ALL] == 0 and run[LOTS] > 1:
        close_by_legs(run, reach, side, price)
        return
    steps = abs(run[STEPS])
    paid = fee_of_qty(run, abs(run[HELD]), price)
    close_lots(run, reach, side, price, paid * steps / steps)
    if run[IS_LIMITED] != 0:
        heed_fill(run)


@apart
def close_by_legs(run: Run, reach: F64_2D, side: float, price: float) -> None:
    """Close several lots on `side` at `price`, each leg a fill."""
    look_back(run, reach, side)
    if run[CALLS_MARGIN] == 0:
        paid = fee_of_qty(run, qty_of(run, abs(run[STEPS])), price) * run[LOTS]
        judge_cover(run, side, min(run[LOWEST], side * price), paid)
    count, is_passed = int(run[LOTS]), run[IS_PASSED] != 0
    youngest, order = LOTS_FROM + (count - 1) * LOT_SIZE, run[LOT_ORDER]
    splits = order != OWN_FIRST and is_passed == (order == FIFO)
    splits = splits and run[youngest + L_LEG] < run[LOTS_FROM + L_STEPS]
    if splits and (is_passed or _reaches_first(run, count)):
        mark_alone(run, reach, side)
    for number in range(count):
        own = count - 1 - number if is_passed else number
        leg = LOTS_FROM + own * LOT_SIZE
        steps = left = run[leg + L_LEG]
        paid = fee_of_qty(run, qty_of(run, steps), price) * steps / steps
        for place in range(count):
            row = own if order == OWN_FIRST else count - 1 - place if order == LIFO else place
            lot = LOTS_FROM + row * LOT_SIZE
            part = min(left, run[lot + L_STEPS])
            if part > 0:
                close_part(run, reach, lot, side, price, part, paid * part / steps)
                left -= part
        run[STEPS] -= side * steps
        if run[IS_LIMITED] != 0 and count_fill(run) and run[STEPS] != 0:
            _close_rest(run, reach, side, price)
            break
    end_position(run)
    if run[IS_LIMITED] != 0:
        judge_flat(run)


@rule
def _reaches_first(run: Run, count: int) -> bool:
    """Return whether legs, the oldest first, come to the first lot before a limit closes the rest.

    Under LIFO it is the last row that they close; a limit closes it whole.
    """
    fills, others = float(count), abs(run[STEPS]) - run[LOTS_FROM + L_STEPS]
    if run[IS_LIMITED] != 0:
        fills = min(fills, run[FILLS_MAX] - run[DAY_FILLS])
    for own in range(int(fills)):
        others -= run[LOTS_FROM + own * LOT_SIZE + L_LEG]
    return others < 0


@apart
def _close_rest(run: Run, reach: F64_2D, side: float, price: float) -> None:
    """Close what a leg that was the last fill of its day has left, in one fill where that was."""
    price, left, count = due_price(run, price), abs(run[STEPS]), int(run[LOTS])
    paid = fee_of_qty(run, qty_of(run, left), price) * left / left
    for place in range(count):
        row = count - 1 - place if run[LOT_ORDER] == LIFO else place
        lot = LOTS_FROM + row * LOT_SIZE
        part = run[lot + L_STEPS]
        if part > 0:
            close_part(run, reach, lot, side, price, part, paid * part / left)


@rule
def close_part(
    run: Run, reach: F64_2D, lot: int, side: float, price: float, part: float, share: float
) -> None:
    """Close a part of a lot, which pays `share` for it."""
    held = run[lot + L_STEPS]
    entry_fee, funding = run[lot + L_FEE] * part / held, run[lot + L_FUNDING] * part / held
    unit = qty_of(run, part) * run[POINT_VALUE]
    pnl = side * (price - run[lot + L_PRICE]) * unit - entry_fee - share - funding
    run[lot + L_STEPS] -= part
    run[lot + L_FEE] -= entry_fee
    run[lot + L_FUNDING] -= funding
    add_trade(run, lot, pnl, entry_fee + share, funding)
    weigh(run, lot, part, pnl, entry_fee)
    mark_lot(run, reach, lot, side, price, unit, pnl, entry_fee)


@rule
def mark_alone(run: Run, reach: F64_2D, side: float) -> None:
    """Mark the bars in which the first lot was held alone."""
    lot = LOTS_FROM
    stop = int(run[lot + LOT_SIZE + L_BAR] if run[LOTS] > 1 else run[BAR]) - int(run[LAG])
    start = int(run[ALONE_FROM] - run[LAG]) + 1
    if stop <= start:
        return
    unit = side * run[lot + L_UNIT]
    held = run[CAPITAL] + run[NET] - unit * run[lot + L_PRICE] - run[lot + L_FEE]
    mark_bars(run, reach, start, stop, held, unit)
