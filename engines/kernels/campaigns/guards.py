"""The signed prices from which on something other than an order may happen to a campaign.

Theory. GUARD is the nearest of them: where margin may be called (`machine.guards`), where the loss
of the day is reached, and where equity has fallen by the largest drawdown. DRAWN_AT is the last of
these alone, which is met where it lies on the way, as a stop is. Beyond LOOK a close may raise the
peak of equity, from which the drawdown counts. Guard and look lie a little nearer than equity would
have them, so that what is asked there is asked of equity itself.
"""

import math

from engines.kernels._compiled import apart, rule
from engines.kernels.campaigns.columns import (
    BARS,
    DRAWN_AT,
    GUARD,
    IS_GUARDED,
    IS_LIMITED,
    LOOK,
    PAY_NEXT,
    PAY_TIME,
    PAYS_END,
    UNIT,
)
from engines.kernels.columns import Run
from engines.kernels.gates.limit_walk import NOISE
from engines.kernels.machine.guards import call_price
from engines.kernels.money import margin_ratio, settled
from engines.kernels.slots import (
    CALLS_MARGIN,
    CAPITAL,
    DRAWDOWN_MAX,
    EQUITY_MIN,
    FLOOR,
    NET,
    PEAK,
    PRICE_AVG,
)


@rule
def set_guard(run: Run, side: float) -> None:
    """Set the signed price at and below which margin may be called, or a limit may be reached."""
    if run[CALLS_MARGIN] != 0:
        unit = abs(run[UNIT])
        call = call_price(
            side, settled(run), unit * run[PRICE_AVG], unit, margin_ratio(run, side)
        )  # fmt: skip # one call
        run[GUARD] = call if side > 0 else -call
    if run[IS_LIMITED] != 0:
        _add_limits(run, 1.0 if side > 0 else -1.0)


@rule
def noise_of(run: Run) -> float:
    """Return what sums of money may be off by, and much more."""
    return NOISE * (run[CAPITAL] + abs(run[NET]))


@apart
def _add_limits(run: Run, side: float) -> None:
    """Let limits of a day and of the drawdown count among the guards."""
    if run[CALLS_MARGIN] == 0:
        run[GUARD] = -math.inf
    unit, noise = run[UNIT], noise_of(run)
    nearer = noise / abs(unit)
    if run[EQUITY_MIN] > -math.inf:
        lost = side * _price_at(run, run[EQUITY_MIN], unit)
        run[GUARD] = max(run[GUARD], lost + nearer)
    if run[DRAWDOWN_MAX] == run[DRAWDOWN_MAX]:
        run[DRAWN_AT] = side * _price_at(run, run[FLOOR], unit)
        run[GUARD] = max(run[GUARD], run[DRAWN_AT] + nearer)
        run[LOOK] = side * _price_at(run, run[PEAK], unit) - nearer


@rule
def _price_at(run: Run, equity: float, unit: float) -> float:
    """Return the price at which the open position leaves this equity."""
    return run[PRICE_AVG] + (equity - settled(run)) / unit


@apart
def note_guarded(run: Run) -> float:
    """Note that margin may be called ahead of all levels, which is rare; return where.

    It writes, so that where nothing is called the processor need not wait for the guard.
    """
    run[IS_GUARDED] = 1.0
    return float(run[GUARD])


@rule
def next_pay(run: Run) -> int:
    """Return the next bar that pays funding, which may call margin; all bars, if none does."""
    at, end = int(run[PAY_NEXT]), int(run[PAYS_END])
    if at >= end or (run[CALLS_MARGIN] == 0 and run[IS_LIMITED] == 0):
        return int(run[BARS])
    return int(run[at + PAY_TIME]) >> 1
