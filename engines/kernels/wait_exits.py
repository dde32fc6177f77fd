"""How levels end the position of an order that was met, perhaps in the middle of a bar.

Theory. It is the walk of `exit_walk`. An order that an open has passed is an entry at that open.
One that is met on the way leaves the rest of the way of its bar, from the price at which it was
met: that is walked first, then the bars after it.
"""

import math

from engines.kernels._compiled import shared
from engines.kernels.chain_columns import AT_LEVEL, MODE_BITS, MODE_MASK, ON_THE_WAY
from engines.kernels.columns import F64_2D
from engines.kernels.exit_walk import PART, THE_LOT, enter, find_exit, find_exit_from, walk_way
from engines.kernels.passage_events import slip_at
from engines.kernels.slots import (
    HIGH,
    LOT_HIGH,
    LOT_LEGS,
    LOT_LOW,
    LOW,
    OPEN,
    PATH_HIGH,
    PATH_LOW,
    PRICE,
)
from engines.kernels.wait_columns import (
    EXIT_PRICE,
    EXIT_WAY,
    EXIT_WORST,
    IS_SHORT,
    ON_ITS_WAY,
    R_CLOSE,
    R_MET,
    R_PRICE,
    R_REST,
    R_WHERE,
    WHERE_BITS,
)
from engines.types import F64_1D


def _walk(
    run: F64_1D, prices: F64_2D, reach: F64_2D, slip_ratio: F64_1D, row: F64_1D, code: int,
    atr: float, held_max: int, exit: F64_1D,
) -> int:  # fmt: skip # what it reads, then what it finds
    where, count = int(row[R_WHERE]), len(prices)
    sign, bar = 1.0 if where & IS_SHORT == 0 else -1.0, where >> WHERE_BITS
    last = min(bar + held_max, count) - 1
    enter(run, row[R_PRICE], sign, math.nan, math.nan, atr, row[R_CLOSE])
    exit[EXIT_WAY], exit[EXIT_PRICE], exit[EXIT_WORST] = 0.0, 1.0, 0.0
    if run[THE_LOT + LOT_LEGS] == 0:
        return count << MODE_BITS
    if where & ON_ITS_WAY == 0:
        end, is_passed, price, worst = find_exit(run, prices, reach, slip_ratio, bar, last)
    else:
        run[PRICE] = run[PATH_HIGH] = run[PATH_LOW] = row[R_MET]
        run[THE_LOT + LOT_HIGH] = run[THE_LOT + LOT_LOW] = row[R_PRICE]
        slip_at(run, slip_ratio, bar - 1)
        end, is_passed = bar, False
        price = walk_way(run, prices, bar, sign, (code & MODE_MASK) - ON_THE_WAY)
        worst = run[THE_LOT + LOT_LOW] if sign > 0 else -run[THE_LOT + LOT_HIGH]
        if price != price:
            end, is_passed, price, worst = find_exit_from(
                run, prices, reach, slip_ratio, bar + 1, last, False
            )
            worst = min(worst, row[R_REST])
    if end == count:
        return count << MODE_BITS
    mode, is_rising = AT_LEVEL, True
    if not is_passed:
        part, opened = int(run[PART]), prices[end, OPEN]
        is_high_first = prices[end, HIGH] - opened < opened - prices[end, LOW]
        mode, is_rising = ON_THE_WAY + part, is_high_first == (part != 1)
    exit[EXIT_WAY] = run[PRICE] if is_rising else -run[PRICE]
    exit[EXIT_PRICE], exit[EXIT_WORST] = price, worst
    return (end << MODE_BITS) | mode


walk = shared(_walk)
