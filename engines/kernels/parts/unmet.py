"""Whether a stop is never met: then any other that is not met either closes an entry alike.

Theory. Where a stop stands still, or moves at limits alone, it does nothing but close what a price
at or below it finds open. So the closes of an entry are those of every stop that lies below the
lowest price which the position has come to, and a plan that differs from the one before in its
stop alone finds most of them made. That price is known from the last close, which nothing comes
after. Where something is left it is the lowest of all bars that were looked at. The open of the
entry's bar, which the price of the entry may lie above, counts as well.
"""

import math

import numpy as np

from engines.kernels._compiled import inlined
from engines.kernels.chains.columns import (
    LINE,
    LONG,
    O_CLOSE,
    O_OPEN,
    O_PRICE,
    SIDE_MASK,
    Opens,
)
from engines.kernels.chains.walk import lowest
from engines.kernels.parts.columns import C_WORST, CLOSE, CODE_BITS, PartExits
from engines.kernels.parts.levels import STOP
from engines.kernels.parts.stages import has_stages
from engines.kernels.passage.events import stop_of
from engines.kernels.slots import STOP_ATR, STOP_RATIO
from engines.types import F64_1D

NOT_KNOWN = -math.inf  # below every stop but one that does not exist


@inlined
def is_unmet(run: F64_1D, opens: Opens, entry: int, atr: float, least: float) -> bool:
    """Return whether the stop of the run's plan lies below the least price of an entry."""
    if least == NOT_KNOWN:
        return False
    side, row = entry & SIDE_MASK, (entry >> 1) * LINE
    base, close = opens.lines[row + O_PRICE + side], opens.lines[row + O_CLOSE]
    sign = 1.0 if side == LONG else -1.0
    stop = stop_of(run, math.nan, run[STOP_RATIO], run[STOP_ATR], atr, close, base, sign)
    return bool(stop < least)


@inlined
def least_price(
    run: F64_1D, opens: Opens, entry: int, last: int, exits: PartExits, at: int
) -> float:  # fmt: skip # one list
    """Return the lowest signed price that an entry came to, which has just been walked.

    It is NOT_KNOWN if the stop may have been met, or may have moved.
    """
    line, side = entry >> 1, entry & SIDE_MASK
    if not has_stages(run) or last < line:
        return NOT_KNOWN
    least = (1.0 if side == LONG else -1.0) * opens.lines[line * LINE + O_OPEN]
    if exits.levels[at] < opens.bars:
        for part in range(exits.parts):
            place = at * exits.parts + part
            if int(exits.codes[place]) >> CODE_BITS < opens.bars + opens.lag:
                least = min(least, exits.closes[place * CLOSE + C_WORST])
    else:
        start, stop = np.uint64(line), np.uint64(last + 1)
        least = min(least, lowest(opens, start, stop, np.uint64(side)))
    return least if run[STOP] < least else NOT_KNOWN
