"""Where a leveraged position is liquidated and at what price it closes (`engines/liquidation.py`).

Theory. The margin tiers of the instrument lie in the run, a limit, a ratio and a deduction each, up
to the largest. An isolated position has one tier, that of its entry value; a cross one has one
candidate a tier, of which the first that lies within its tier holds.
"""

import math

from engines.account import FUNDS_NOISE
from engines.kernels._compiled import rule
from engines.kernels.columns import F64_2D, Run
from engines.kernels.money import notional, pnl_open, settled
from engines.kernels.rounding import price_of, qty_of, ticks_down, ticks_up
from engines.kernels.slots import (
    DEDUCTION,
    IS_ISOLATED,
    LEVERAGE,
    MAINTENANCE,
    NOTIONAL_MAX,
    PEER_PRICE,
    PEER_STEPS,
    POINT_VALUE,
    PRICE_AVG,
    STEPS,
    TIER,
    TIERS,
    TIERS_AT,
)


@rule
def put_tiers(run: Run, tiers: F64_2D) -> None:
    """Put the margin tiers [K, TIER] into a run."""
    for place in range(int(run[TIERS])):
        for column in range(TIER):
            run[int(run[TIERS_AT]) + place * TIER + column] = tiers[place, column]


@rule
def liquidation_price(run: Run) -> float:
    """Return the liquidation price, NaN where no price above zero reaches it."""
    qty = qty_of(run, abs(run[STEPS])) * run[POINT_VALUE]
    side = 1.0 if run[STEPS] > 0 else -1.0
    price = _isolated(run, qty, side) if run[IS_ISOLATED] != 0 else _cross(run, qty, side)
    return price if price > 0 else math.nan


@rule
def _isolated(run: Run, qty: float, side: float) -> float:
    average = run[PRICE_AVG]
    value = qty * average
    margin = value / run[LEVERAGE]
    tier = int(run[TIERS_AT])
    last = tier + (int(run[TIERS]) - 1) * TIER
    while value > run[tier + NOTIONAL_MAX] and tier < last:
        tier += TIER
    maintenance = value * run[tier + MAINTENANCE] - run[tier + DEDUCTION]
    return average - side * (margin - maintenance) / qty


@rule
def _cross(run: Run, qty: float, side: float) -> float:
    start = settled(run) - side * qty * run[PRICE_AVG]
    price = math.nan
    for place in range(int(run[TIERS])):
        tier = int(run[TIERS_AT]) + place * TIER
        price = -(start + run[tier + DEDUCTION]) / (qty * (side - run[tier + MAINTENANCE]))
        if qty * price <= run[tier + NOTIONAL_MAX]:
            break
    return price


@rule
def bankruptcy_price(run: Run) -> float:
    """Return the bankruptcy price of an isolated position, on the tick towards its entry."""
    side = 1.0 if run[STEPS] > 0 else -1.0
    price = run[PRICE_AVG] * (1 - side / run[LEVERAGE])
    ticks = ticks_up(run, price) if side > 0 else ticks_down(run, price)
    return price_of(run, max(1.0, ticks))


@rule
def lacks_isolated_margin(run: Run, opening: float, side: float, price: float) -> bool:
    """Return whether opening needs more margin than has been earned for good."""
    value, owned = notional(run, opening, price), settled(run)
    if run[STEPS] * side > 0:
        value += notional(run, abs(run[STEPS]), run[PRICE_AVG])
    elif run[STEPS] != 0:
        owned += pnl_open(run, price)
    value += notional(run, abs(run[PEER_STEPS]), run[PEER_PRICE])
    return value / run[LEVERAGE] - owned > FUNDS_NOISE * abs(owned)
