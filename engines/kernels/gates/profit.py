"""Whether a wish may close the position of a lane where only a profit may be closed (`decisions`).

Theory. The result is that of a fill at the deciding close, without slippage, costs taken off: the
fee of the entry, what funding has taken by then, and the fee of such a fill. Operations are those
of the machine, in its order, so that a profit of nothing is one here as it is there. As wishes are
judged in their order, settlements are added up from one to the next.
"""

import numpy as np

from engines.kernels._compiled import inlined
from engines.kernels.passage.columns import Fixed, Payments
from engines.kernels.passage.lanes import ENTRY_PRICE, LOT_FEE, QTY, SIDE, fee
from engines.types import F64_1D


@inlined
def pay_until(
    lanes: F64_1D, lane: int, payments: Payments, unit: float, bar: int, settled: int, paid: float
) -> tuple[int, float]:
    """Return the first settlement behind the close of `bar`, and what was paid by then.

    `settled` and `paid` are the same of a bar before; a contract is worth `unit` prices.
    """
    if len(payments.rates) == 0:
        return settled, paid
    qty, last = lanes[SIDE + lane] * lanes[QTY + lane], int(payments.before[bar + 1])
    for place in range(np.uint64(settled), np.uint64(max(settled, last))):
        paid += qty * payments.prices[place] * unit * payments.rates[place]
    return max(settled, last), paid


@inlined
def gains(lanes: F64_1D, lane: int, fixed: Fixed, close: float, paid: float) -> bool:
    """Return whether the position would leave a profit if it closed at `close`."""
    qty = lanes[QTY + lane]
    gross = (close - lanes[ENTRY_PRICE + lane]) * (lanes[SIDE + lane] * qty) * fixed.point_value
    return bool(gross - lanes[LOT_FEE + lane] - paid - fee(fixed, qty, close) > 0)
