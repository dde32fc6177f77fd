"""How its own levels end an entry that was met at a price, perhaps in the middle of a bar.

The search is that of `waits.exits`. Beside it a stack asks how low the price came in the bar of the
end, from its open on, for the rows that the end closes.
"""

import math

from engines.kernels._compiled import rule
from engines.kernels.chains.columns import (
    LINE,
    LONG,
    MODE_BITS,
    MODE_MASK,
    O_OPEN,
    ON_THE_WAY,
    SIDE_MASK,
    Opens,
)
from engines.kernels.columns import F64_2D
from engines.kernels.stacks.columns import END_ARMED, END_AT, END_LOW, END_PRICE, END_WAY
from engines.kernels.stacks.fills import lowest_on_way
from engines.kernels.waits.columns import EXIT_PRICE, EXIT_WAY, ROW, UNKNOWN, Orders
from engines.kernels.waits.exits import walk
from engines.types import F64_1D


@rule
def find_order_end(
    run: F64_1D, opens: Opens, prices: F64_2D, slip_ratio: F64_1D, atr: F64_1D, orders: Orders,
    place: int, exit: F64_1D, values: F64_1D, first: int,
) -> None:  # fmt: skip # what it reads, then room and where the end goes
    """Write how the levels of a plan end the entry of an order that is met; `run` has its terms."""
    entry, row = int(orders.entries[place]), orders.rows[place * ROW : (place + 1) * ROW]
    code, known = int(orders.codes[entry]), math.nan
    if len(atr) > 0:
        known = atr[(entry >> 1) - 1]
    end = walk(
        run, opens, prices, slip_ratio, row, code, known, UNKNOWN, opens.bars - 1, exit
    )  # fmt: skip # one call
    values[first + END_ARMED] = math.inf
    if end < 0:
        values[first + END_AT] = opens.bars << MODE_BITS
        return
    sign, bar, mode = 1.0 if entry & SIDE_MASK == LONG else -1.0, end >> MODE_BITS, end & MODE_MASK
    low = sign * opens.lines[bar * LINE + O_OPEN]
    if mode >= ON_THE_WAY:
        way = exit[EXIT_WAY]
        low = min(low, lowest_on_way(opens, bar, 0, mode - ON_THE_WAY, way, sign))
    values[first + END_AT], values[first + END_PRICE] = end, exit[EXIT_PRICE]
    values[first + END_WAY], values[first + END_LOW] = exit[EXIT_WAY], low
