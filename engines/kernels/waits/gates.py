"""What the rules that look back know of a set whose entries wait, while its links are made.

Theory. The rules are those of `gates.rules`, for a lane of its own. Of a position that has ended
they ask the bar and whether it was a loss. What a position brings is so much a contract, whatever
its size: the way of the price, less the commission by value or by contract, less what a contract
has paid for funding. So they are asked before any money is known. A result too near to nothing for
the noise of these sums makes the set unsure; a commission by order does not go by contracts, and
such plans are left to stacks. An order is counted where it is placed, which hangs on the account,
so a most of trades a day or week is left to them as well. Of several targets stacks that wait know
nothing: those are left to the machine.
"""

import numpy as np

from engines.kernels._compiled import rule
from engines.kernels.chains.columns import LINE, O_CLOSE
from engines.kernels.gates.columns import NEVER, STANDS
from engines.kernels.gates.rules import count_end, open_gates
from engines.kernels.passage.lanes import LANES, fee
from engines.kernels.waits.columns import (
    IS_SHORT,
    ON_ITS_WAY,
    R_PRICE,
    R_WHERE,
    ROW,
    WHERE_BITS,
    Way,
)
from engines.types import I64_1D

# Behind what the rules know of the first lane, where a set stands: whether any rule looks at ends,
# and whether it is unsure; the next link; the order that waits, its code, its line and side; if a
# position is held, which order began it, its exit and the place of that, and its last close by
# age. An exit that is not found yet has the first bar that was not looked at, and no mode.
IS_GATED, IS_DOUBTED, COUNT, ORDER, ENTRY, HELD, BEGUN, EXIT_CODE, EXIT_AT, TIMED = range(
    STANDS * LANES, STANDS * LANES + 10
)
STANDING = TIMED + 1
FIRST_LANE = 0
NOISE = 1e-9  # of what is added up: far more than it loses


@rule
def begin_gates(now: I64_1D, way: Way) -> None:
    """Let nothing have been counted yet."""
    open_gates(now, FIRST_LANE)
    is_gated = way.gates.cooldown > 0 or way.gates.losses_max < NEVER
    now[IS_GATED], now[IS_DOUBTED] = 1 if is_gated else 0, 0


@rule
def count_ended(now: I64_1D, way: Way, price: float, bar: int, is_late: bool) -> None:
    """Count the position that ends in a bar at this price, `is_late` on its way."""
    gates, brought, last = way.gates, 0.0, 0
    if gates.cooldown > gates.delay or gates.losses_max < NEVER:
        if len(way.payments.rates) > 0:
            last = int(way.payments.before[bar + 1] if is_late else way.payments.after[bar])
        brought = _brought(now, way, price, last)
    count_end(now, FIRST_LANE, way.gates, way.days.opens, bar, brought)


@rule
def would_gain(now: I64_1D, way: Way, bar: int) -> bool:
    """Return whether the close of a bar would leave a profit of what is held."""
    last = int(way.payments.before[bar + 1]) if len(way.payments.rates) > 0 else 0
    return _brought(now, way, way.opens.lines[(bar + 1) * LINE + O_CLOSE], last) > 0


@rule
def _brought(now: I64_1D, way: Way, price: float, last: int) -> float:
    """Return what a contract of the position brings at a price, funding paid until settlement."""
    row = int(way.orders.places[now[BEGUN]]) * ROW
    base, where = way.orders.rows[row + R_PRICE], int(way.orders.rows[row + R_WHERE])
    fixed = way.fixed
    side, entered = -1.0 if where & IS_SHORT else 1.0, where >> WHERE_BITS
    paid = 0.0
    if len(way.payments.rates) > 0:
        is_late, payments = where & ON_ITS_WAY != 0, way.payments
        first = int(payments.before[entered + 1] if is_late else payments.after[entered])
        for place in range(np.uint64(first), np.uint64(max(first, last))):
            paid += side * payments.prices[place] * fixed.point_value * payments.rates[place]
    costs = fee(fixed, 1.0, base) + fee(fixed, 1.0, price)
    brought = side * (price - base) * fixed.point_value - costs - paid
    size = (price + base) * fixed.point_value + costs + abs(paid)
    if (costs != 0 or paid != 0) and abs(brought) <= NOISE * size:
        now[IS_DOUBTED] = 1
    return float(brought)
