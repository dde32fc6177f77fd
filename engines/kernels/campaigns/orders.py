"""The order that waits for the first entry of a campaign, beside the levels of what is held.

Theory. It is met like a rung (`desk`): a limit where the price comes back to, a stop where it goes
on to. Its prices are those of the market, without a sign, since it may be of the other side than
the position that it reverses; while nothing is held prices have its own sign. At an open what lies
lowest fills first, and of two entries at one price the one that buys. Which of two things comes
first that are equally near on the way hangs on which has waited longer: the set is unsure then.
"""

import math

from engines.kernels._compiled import apart, rule
from engines.kernels.campaigns.columns import (
    BEST,
    IS_UNSURE,
    NEAR_DOWN,
    NEAR_UP,
    NO_ORDER,
    THE_ORDER,
    W_MET,
    W_PRICE,
    W_SIDE,
    WORST,
)
from engines.kernels.columns import Run
from engines.kernels.money import due_price, slipped_price
from engines.kernels.slots import AT_LIMIT, ENTRY_KIND, STEPS


@rule
def sign_of(run: Run) -> float:
    """Return the sign of prices: that of what is held, else of the order that waits."""
    if run[STEPS] != 0:
        return 1.0 if run[STEPS] > 0 else -1.0
    return float(run[W_SIDE])


@rule
def _waits_above(run: Run, side: float) -> bool:
    """Return whether the signed price has to rise to the order."""
    return bool((run[W_SIDE] * side < 0) == (run[ENTRY_KIND] == AT_LIMIT))


@apart
def add_order(run: Run) -> None:
    """Let the order count among what the price meets first above and below."""
    side = sign_of(run)
    if _waits_above(run, side):
        run[NEAR_UP] = min(run[NEAR_UP], side * run[W_MET])
    else:
        run[NEAR_DOWN] = max(run[NEAR_DOWN], side * run[W_MET])


@apart
def passed_or_order(run: Run, price: float, side: float, found: int, lowest: float) -> int:
    """Return what fills next at an open: `found`, at the `lowest` price, or the order."""
    level = side * run[W_MET]
    is_passed = level <= price if _waits_above(run, side) else level >= price
    is_first = run[W_MET] < lowest or (run[W_MET] == lowest and run[W_SIDE] > side)
    return THE_ORDER if is_passed and is_first else found


@apart
def meets_or_order(
    run: Run, price: float, high: float, low: float, side: float, found: int, rises: bool,
    level: float,
) -> tuple[int, bool, float]:  # fmt: skip # the way, then what it meets first so far
    """Return what is met first between two prices, as `walk` does, the order among it."""
    at, is_above, distance = side * run[W_MET], _waits_above(run, side), math.inf
    if is_above and at <= high:
        distance = max(0.0, at - price)
    elif not is_above and at >= low:
        distance = max(0.0, price - at)
    nearest = math.inf
    if found != NO_ORDER:
        nearest = max(0.0, level - price if rises else price - level)
    if distance == nearest:
        run[IS_UNSURE] = 1.0
    return (THE_ORDER, is_above, at) if distance < nearest else (found, rises, level)


@apart
def order_price(run: Run, price: float, side: float, is_met: bool) -> float:
    """Return what the order fills at where the signed price stands, which has passed it or met it.

    A limit that is met fills at its own price, or at the better one of the bar's way until then.
    """
    if run[ENTRY_KIND] == AT_LIMIT:
        if is_met and run[W_SIDE] == side:
            price = min(side * run[W_PRICE], run[BEST])
        elif is_met:
            price = max(side * run[W_PRICE], run[WORST])
        return due_price(run, side * price)
    return slipped_price(run, due_price(run, side * price), run[W_SIDE], 0.0)
