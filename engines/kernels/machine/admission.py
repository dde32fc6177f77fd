"""How much of an entry may fill where it fills (`engines/admission.py`, its strict form)."""

import math

from engines.kernels._compiled import rule
from engines.kernels.columns import Run
from engines.kernels.machine.liquidation import lacks_isolated_margin
from engines.kernels.money import equity_at, lacks_funds, notional
from engines.kernels.slots import (
    CUT,
    DIRECTION,
    IS_EXACT,
    IS_ISOLATED,
    ROOM_STEPS,
    START_EQUITY,
    START_STEPS,
    STEPS,
    VALUE_MAX,
    WRONG_SIDE,
)


@rule
def allowed(run: Run, side: float, steps: float) -> float:
    """Return how much of `steps` direction and maximum position let open."""
    if steps == 0:
        return 0.0
    if run[DIRECTION] * side < 0:
        run[WRONG_SIDE] += 1
        return 0.0
    room = run[ROOM_STEPS] - max(0.0, run[STEPS] * side)
    if steps > room:
        run[CUT] += 1
    return min(steps, max(0.0, room))


@rule
def is_too_large(run: Run, side: float, opening: float, price: float) -> bool:
    """Return whether the position would be worth more than its leverage allows."""
    if run[VALUE_MAX] == math.inf:
        return False
    return notional(run, opening + max(0.0, run[STEPS] * side), price) > run[VALUE_MAX]


@rule
def lacks_where_it_fills(
    run: Run, side: float, opening: float, price: float, is_at_open: bool
) -> bool:
    """Return whether the account cannot carry what an entry opens beside what it adds to."""
    held, start = run[STEPS], run[START_STEPS]
    same = max(0.0, held * side)
    equity = equity_at(run, price)
    if equity <= 0:
        return True
    if run[IS_EXACT] != 0:
        if lacks_funds(run, opening + same, side, price, equity):
            return True
        return run[IS_ISOLATED] != 0 and lacks_isolated_margin(run, opening, side, price)
    if held * side >= 0 and start * side < 0:
        return False
    if held == start and is_at_open:
        equity = run[START_EQUITY]
    if held * side < 0 and start * held <= 0:
        return lacks_funds(run, abs(held) + opening, side, price, equity)
    if not lacks_funds(run, same + opening, side, price, equity):
        return False
    if held == start:
        return True
    before = abs(start) if start * side > 0 else 0.0
    return lacks_funds(run, before + opening, side, price, run[START_EQUITY])
