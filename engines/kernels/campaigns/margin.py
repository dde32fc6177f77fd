"""Whether a ladder with leverage comes near to its liquidation, by the bound of `chains.margin`.

Theory. What a position is covered by is judged whenever a rung is about to change it, and when it
ends, at the lowest price that the campaign has come to: no price before was worse. The maintenance
of a value is the largest that any tier asks for, and funding counts at the most that was paid.

Isolated, the margin is that of the average entry; where legs close one after the other, of any
lots that may be left, the worst of which is the one with the highest signed price. What the legs
before it have paid by then is taken off too.
"""

from engines.kernels._compiled import apart, rule
from engines.kernels.campaigns.columns import (
    FUNDED_MAX,
    IS_UNSURE,
    L_PRICE,
    LOT_SIZE,
    LOTS_FROM,
    UNIT,
)
from engines.kernels.columns import Run
from engines.kernels.machine.admission import lacks_where_it_fills
from engines.kernels.passage.lanes import SURE
from engines.kernels.slots import (
    CAPITAL,
    CLOSES_ALL,
    DEDUCTION,
    FEES_OPEN,
    IS_ISOLATED,
    LEVERAGE,
    LOTS,
    MAINTENANCE,
    NET,
    PRICE_AVG,
    TIER,
    TIERS,
    TIERS_AT,
)


@apart
def judge_cover(run: Run, side: float, lowest: float, paid: float) -> None:
    """Mark the set unsure if the position may be taken over as far as a signed price."""
    unit = abs(run[UNIT])
    if run[IS_ISOLATED] != 0:
        entry = _worst_entry(run, side)
        value = cost = side * entry * unit
        left = cost / run[LEVERAGE] - (entry - lowest) * unit
    else:
        value, cost = abs(lowest) * unit, run[PRICE_AVG] * unit
        left = run[CAPITAL] + (run[NET] - run[FEES_OPEN] - run[FUNDED_MAX]) - paid
        left -= (side * run[PRICE_AVG] - lowest) * unit
    left -= cost * (1 - SURE)
    for place in range(int(run[TIERS])):
        tier = int(run[TIERS_AT]) + place * TIER
        if value * run[tier + MAINTENANCE] - run[tier + DEDUCTION] >= left:
            run[IS_UNSURE] = 1.0


@apart
def cannot_carry(run: Run, side: float, opening: float, price: float, is_at_open: bool) -> bool:
    """Return whether an account that nothing trims cannot carry what an entry opens."""
    return lacks_where_it_fills(run, side, opening, price, is_at_open)


@rule
def _worst_entry(run: Run, side: float) -> float:
    """Return the highest signed price that lots which may be held together count from."""
    if run[CLOSES_ALL] != 0 or run[LOTS] < 2:
        return side * run[PRICE_AVG]
    highest = side * run[LOTS_FROM + L_PRICE]
    for place in range(1, int(run[LOTS])):
        highest = max(highest, side * run[LOTS_FROM + place * LOT_SIZE + L_PRICE])
    return highest
