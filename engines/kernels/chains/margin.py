"""Whether a leveraged position comes near to its liquidation, in the lanes of chains.

Theory. A position is taken over where what covers it has fallen to its maintenance margin
(`engines/liquidation.py`): isolated its own margin, by the tier of its entry value; cross the
account, by the tier of its value there. Tiers meet, and the ratio of each is that of the one below
or higher, so the maintenance of a value is the largest that any tier asks for it. What is left of
the cover falls as the price goes against the position, faster than the maintenance may fall. So no
price on the way liquidates it if, at the worst one, more is left than each tier asks for; that
price the lanes know. The open of the entry's own bar is not among those that count as a loss, so
the position is judged there when it opens. What it pays for funding, at most, is taken off before.

A set that comes nearer than the noise of these sums to such a price, or to the largest value that
its leverage may open, is left to the machine. No margin call trims what a leveraged account may not
carry; what an entry needs where it is ordered and where it fills is bounded in `passage.lanes`.
"""

from engines.kernels._compiled import rule
from engines.kernels.chains.lanes import LEFT, N_LEFT, N_VALUE, VALUE
from engines.kernels.columns import F64_2D
from engines.kernels.passage.columns import Fixed
from engines.kernels.passage.lanes import (
    ENTRY_PRICE,
    IS_UNSURE,
    LANES,
    LOSS,
    LOT_FEE,
    N_OPEN,
    N_PRICE,
    N_QTY,
    N_SIDE,
    NET,
    OWNED,
    QTY,
    SIDE,
    SURE,
)
from engines.kernels.slots import DEDUCTION, MAINTENANCE
from engines.types import F64_1D


@rule
def judge(lanes: F64_1D, tiers: F64_2D, fixed: Fixed) -> None:
    """Mark sets whose position that ends, or the one that begins, is too near to a bound."""
    _cover(lanes, fixed)
    for tier in range(len(tiers)):
        ratio, deduction = tiers[tier, MAINTENANCE], tiers[tier, DEDUCTION]
        for lane in range(LANES):
            asked = lanes[VALUE + lane] * ratio - deduction
            is_near = (lanes[SIDE + lane] != 0) & (asked >= lanes[LEFT + lane])
            value = lanes[N_VALUE + lane]
            is_beyond = value * ratio - deduction >= lanes[N_LEFT + lane]
            is_beyond |= value > fixed.value_max * SURE
            is_near |= (lanes[N_SIDE + lane] != 0) & is_beyond
            lanes[IS_UNSURE + lane] = max(lanes[IS_UNSURE + lane], 1.0 if is_near else 0.0)


@rule
def _cover(lanes: F64_1D, fixed: Fixed) -> None:
    """Find the values that maintenance is asked for, and what is left to cover it at the worst."""
    for lane in range(LANES):
        side, unit = lanes[SIDE + lane], lanes[QTY + lane] * fixed.point_value
        cost, moved = lanes[ENTRY_PRICE + lane] * unit, lanes[LOSS + lane] * unit
        ratio = fixed.margin_long if side > 0 else fixed.margin_short
        cover = cost * ratio if fixed.is_isolated else lanes[OWNED + lane]
        lanes[VALUE + lane] = cost if fixed.is_isolated else cost - side * moved
        lanes[LEFT + lane] = cover - moved - cost * (1 - SURE)
    for lane in range(LANES):
        side, unit = lanes[N_SIDE + lane], lanes[N_QTY + lane] * fixed.point_value
        cost = lanes[N_PRICE + lane] * unit
        moved = side * (lanes[N_PRICE + lane] - lanes[N_OPEN + lane]) * unit
        ratio = fixed.margin_long if side > 0 else fixed.margin_short
        account = fixed.capital + (lanes[NET + lane] - lanes[LOT_FEE + lane])
        cover = cost * ratio if fixed.is_isolated else account
        lanes[N_VALUE + lane] = max(cost, cost - side * moved)
        lanes[N_LEFT + lane] = cover - moved - cost * (1 - SURE)
