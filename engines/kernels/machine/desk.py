"""What an entry needs at the close that issues it: levels, the price it would cost, a size."""

from engines.kernels._compiled import rule
from engines.kernels.columns import Run
from engines.kernels.money import expected_slip
from engines.kernels.rounding import price_of, qty_of, round_by, ticks_nearest
from engines.kernels.slots import (
    AT_LIMIT,
    AT_MARKET,
    BELOW_MINIMUM,
    KIND_OF_ENTRY,
    LEVEL,
    NOTIONAL_MIN,
    POINT_VALUE,
    QTY_MIN,
    SIDE,
    TICK_SIZE,
    TOO_SMALL,
    TRIGGER,
    VERIFY_TICKS,
    WISH_SLIP,
)


@rule
def set_level(run: Run, order: int, price: float) -> None:
    """Let an entry wait at `price`, rounded by what it is, with its limit verified beyond."""
    side, is_limit = run[SIDE + order], run[KIND_OF_ENTRY + order] == AT_LIMIT
    level = round_by(run, max(run[TICK_SIZE], price), -side if is_limit else side)
    run[LEVEL + order] = run[TRIGGER + order] = level
    if is_limit and run[VERIFY_TICKS] != 0:
        ticks = ticks_nearest(run, level) - side * run[VERIFY_TICKS]
        run[TRIGGER + order] = price_of(run, ticks)


@rule
def price_if_now(run: Run, order: int, close: float) -> float:
    """Return what an entry would execute at if it could at this close."""
    side, level, kind = run[SIDE + order], run[LEVEL + order], run[KIND_OF_ENTRY + order]
    if kind == AT_MARKET:
        return close + expected_slip(run, side, close, run[WISH_SLIP])
    if kind == AT_LIMIT:
        return min(level, close) if side > 0 else max(level, close)
    price = max(level, close) if side > 0 else min(level, close)
    return price + expected_slip(run, side, price, run[WISH_SLIP])


@rule
def is_large_enough(run: Run, steps: float, close: float) -> bool:
    """Return whether an order reaches one step and the instrument's minima; count it if not."""
    qty = qty_of(run, steps)
    if steps == 0:
        run[TOO_SMALL] += 1
    elif qty < run[QTY_MIN] or qty * close * run[POINT_VALUE] < run[NOTIONAL_MIN]:
        run[BELOW_MINIMUM] += 1
    else:
        return True
    return False
