"""How many steps an order of a ladder has, and whether the account can pay them: fast, or exactly.

Theory. The money of an entry is a linear function of equity and a contract takes a linear function
of its price, so steps are the whole part of a quotient. The reference rounds money to ten digits
twice on the way, which moves it by at most 1e-9 of itself: where the quotient is not that near to a
whole number the whole part is sure, elsewhere it is computed as the reference does. A comparison
with equity is sure likewise where the two are apart.
"""

import math

import numpy as np

from engines.kernels._compiled import apart, rule
from engines.kernels.campaigns.columns import (
    CLOSE_THEN,
    EQUITY_THEN,
    HAS_MONEY,
    LADDER_FROM,
    MONEY_FIXED,
    MONEY_SHARE,
    SLIP_THEN,
    STEP_SIZE,
    STEPS_A_QTY,
    STOP_AWAY,
    TARGET_AWAY,
    UNIT_ADDED,
    UNIT_FACTOR,
)
from engines.kernels.columns import Run
from engines.kernels.machine.desk import is_large_enough
from engines.kernels.machine.rungs import steps_of
from engines.kernels.money import (
    expected_slip,
    lacks_funds,
    margin_ratio,
    money_for,
    share_of_equity,
    steps_for,
)
from engines.kernels.passage.lanes import SURE
from engines.kernels.slots import (
    BUDGET_RATIO,
    BY_CASH,
    BY_EQUITY,
    BY_KELLY,
    BY_RISK,
    BY_VOLATILITY,
    COMMISSION,
    COMMISSION_KIND,
    KELLY_ROOM,
    LADDER_AT,
    LEVERAGE,
    NOTIONAL_MIN,
    ORDER_MONEY,
    PER_CONTRACT,
    PER_NOTIONAL,
    PER_ORDER,
    POINT_VALUE,
    QTY_MIN,
    RUNGS,
    SIZING_KIND,
    SIZING_VALUE,
    STEP_OVER,
    STEP_UNDER,
    STOP_ATR,
    STOP_RATIO,
    TICK_SIZE,
    WISH_ATR,
    WISH_SHARE,
)

NOISE = 2e-9
STEPS_FEW = 1e6  # up to here whole steps come back from their quantity


@rule
def prepare_sizes(run: Run) -> None:
    """Put what a plan says of sizes into the form of this path."""
    kind, run[WISH_SHARE], run[WISH_ATR] = run[SIZING_KIND], math.nan, math.nan
    run[STOP_AWAY] = run[TARGET_AWAY] = math.nan
    if run[BUDGET_RATIO] == run[BUDGET_RATIO]:
        run[KELLY_ROOM] = 0.0
    elif kind == BY_RISK and run[STOP_ATR] != run[STOP_ATR]:
        # Of a stop at a ratio alone the share is the same at every close.
        run[BUDGET_RATIO] = share_of_equity(run, run[STOP_RATIO], math.nan)
    share = run[BUDGET_RATIO]
    is_cash, is_budget = kind == BY_CASH, share == share
    by_share = is_budget or kind in (BY_EQUITY, BY_RISK, BY_VOLATILITY, BY_KELLY)
    # What is borrowed is bought with, and pays for it.
    commission, commission_kind = run[COMMISSION] * run[LEVERAGE], run[COMMISSION_KIND]
    run[HAS_MONEY] = 1.0 if by_share or is_cash else 0.0
    run[MONEY_SHARE] = run[MONEY_FIXED] = 0.0
    if by_share:
        run[MONEY_SHARE] = (share if is_budget else run[SIZING_VALUE]) * run[LEVERAGE]
        run[MONEY_FIXED] = -commission if commission_kind == PER_ORDER else 0.0
    elif is_cash:
        run[MONEY_FIXED] = run[SIZING_VALUE]
    run[UNIT_FACTOR], run[UNIT_ADDED] = run[POINT_VALUE], 0.0
    if not is_cash and commission_kind == PER_NOTIONAL:
        run[UNIT_FACTOR] *= 1 + commission
    elif not is_cash and commission_kind == PER_CONTRACT:
        run[UNIT_ADDED] = commission
    run[STEPS_A_QTY] = run[STEP_UNDER] / run[STEP_OVER]
    run[STEP_SIZE] = run[STEP_OVER] / run[STEP_UNDER]
    run[LADDER_AT] = LADDER_FROM


@apart
def order_steps(run: Run, place: int, side: float) -> float:
    """Return the steps of an order of the ladder, by the close that decides; the entry is 0."""
    close = run[CLOSE_THEN]
    if run[HAS_MONEY] != 0:
        price, weight = price_and_weight(run, place, side, close)
        money = run[EQUITY_THEN] * run[MONEY_SHARE] + run[MONEY_FIXED]
        wanted = money * weight * run[STEPS_A_QTY] / (price * run[UNIT_FACTOR] + run[UNIT_ADDED])
        whole = float(np.floor(wanted))
        part = wanted - whole
        is_far = min(part, 1.0 - part) > NOISE * (wanted + 1.0)
        if is_far and 0.0 < wanted < STEPS_FEW:
            return whole
    return _exact_steps(run, place, side)


@rule
def price_and_weight(run: Run, place: int, side: float, close: float) -> tuple[float, float]:
    """Return what an order reckons with a contract at, and its part of the money.

    An entry without a ladder reckons with what it would slip.
    """
    if run[RUNGS] == 0:
        return close + expected_slip(run, side, close, run[SLIP_THEN]), 1.0
    offset, weight = run[LADDER_FROM + 2 * place], run[LADDER_FROM + 2 * place + 1]
    return max(run[TICK_SIZE], close * (1 - side * offset)), weight


@apart
def _exact_steps(run: Run, place: int, side: float) -> float:
    """Return the steps of an order as the reference does."""
    run[ORDER_MONEY] = money_for(run, run[EQUITY_THEN], run[BUDGET_RATIO])
    if run[RUNGS] == 0:
        price, _ = price_and_weight(run, place, side, run[CLOSE_THEN])
        return steps_for(run, run[ORDER_MONEY], price)
    return steps_of(run, place, side, run[CLOSE_THEN], math.nan)


@rule
def cannot_pay(run: Run, steps: float, side: float, price: float, equity: float) -> bool:
    """Return whether equity cannot cover the margin of a position of `steps`."""
    needed = steps * run[STEP_SIZE] * price * run[POINT_VALUE] * margin_ratio(run, side)
    return needed > equity * SURE and lacks_funds(run, steps, side, price, equity)


@rule
def is_too_small(run: Run, steps: float) -> bool:
    """Return whether an order does not reach one step or the instrument's minima."""
    if steps >= 1 and run[QTY_MIN] == 0 and run[NOTIONAL_MIN] == 0:
        return False
    return not is_large_enough(run, steps, run[CLOSE_THEN])
