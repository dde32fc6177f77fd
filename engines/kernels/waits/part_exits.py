"""How several targets close the position of an order that was met, perhaps in the middle of a bar.

Theory. It is the walk of `parts` from the price and the bar of the order. One that an open has
passed is an entry at that open; one that is met on the way leaves the rest of the way of its bar,
which is gone first, from the price at which it was met. All closes are looked for anew if a set
holds a position longer than any before: each further search goes twice as far.

Of each close its way is kept, to tell whether it or another order is met first.
"""

import math

import numpy as np

from engines.kernels._compiled import rule, shared
from engines.kernels.chains.columns import MODE_BITS, MODE_MASK, ON_THE_WAY, Opens
from engines.kernels.columns import F64_2D
from engines.kernels.parts.columns import C_PRICE, C_WORST, CLOSE, CODE_BITS, PartExits
from engines.kernels.parts.exits import walk_at_open, walk_from
from engines.kernels.parts.levels import BAR_LOW, FIRST, MET_AT, set_levels
from engines.kernels.parts.stages import has_stages, walk_stages, walk_stages_from
from engines.kernels.parts.ways import way_at
from engines.kernels.waits.columns import (
    AT_OPEN,
    EXIT_PRICE,
    EXIT_WAY,
    EXIT_WORST,
    IS_SHORT,
    R_CLOSE,
    R_MET,
    R_PRICE,
    R_REST,
    R_WHERE,
    WHERE_BITS,
)
from engines.types import F64_1D


def _walk_in_parts(
    run: F64_1D, opens: Opens, prices: F64_2D, slip_ratio: F64_1D, row: F64_1D, code: int,
    atr: float, last: int, exits: PartExits, ways: F64_1D, place: int,
    exit: F64_1D,
) -> int:  # fmt: skip # what it reads, then where it writes
    """List the closes of the position of an order of this code, up to bar `last`.

    Returns: the code of the last one or, below 0, the first bar not looked at.
    """
    where, first = int(row[R_WHERE]), place * exits.parts
    sign, bar = 1.0 if where & IS_SHORT == 0 else -1.0, where >> WHERE_BITS
    set_levels(run, row[R_PRICE], sign, math.nan, atr, row[R_CLOSE])
    run[FIRST], run[BAR_LOW] = first, sign * row[R_PRICE]
    mode = code & MODE_MASK
    if mode == AT_OPEN:
        if has_stages(run):
            listed, level = walk_stages(run, opens, prices, slip_ratio, bar, last, exits)
        else:
            listed, level = walk_at_open(run, opens, prices, slip_ratio, bar, last, exits)
    else:
        part, at, rest = mode - ON_THE_WAY, sign * row[R_MET], row[R_REST]
        if has_stages(run):
            listed, level = walk_stages_from(
                run, opens, prices, slip_ratio, bar, part, at, rest, last, exits
            )  # fmt: skip # one call
        else:
            listed, level = walk_from(
                run, opens, prices, slip_ratio, bar, part, at, rest, last, exits
            )  # fmt: skip # one call
    exits.levels[place] = np.int32(level)
    for found in range(listed, exits.parts):
        exits.codes[first + found] = np.int32(opens.bars << CODE_BITS)
    _put_ways(run, prices, sign, exits, first, listed, ways)
    if level == opens.bars:
        return -last - 1
    final = first + listed - 1
    exit[EXIT_WAY] = ways[final]
    exit[EXIT_PRICE] = exits.closes[final * CLOSE + C_PRICE]
    exit[EXIT_WORST] = exits.closes[final * CLOSE + C_WORST]
    return (level << MODE_BITS) | (int(exits.codes[final]) & MODE_MASK)


@rule
def _put_ways(
    run: F64_1D, prices: F64_2D, sign: float, exits: PartExits, first: int, listed: int,
    ways: F64_1D,
) -> None:  # fmt: skip # what it reads, then where it writes
    """Write the way of each close that is listed: its price, negative where the price falls."""
    for found in range(listed):
        code, price = int(exits.codes[first + found]), sign * run[MET_AT + found]
        bar, part = code >> CODE_BITS, (code & MODE_MASK) - ON_THE_WAY
        ways[first + found] = way_at(prices, bar, part, price)


walk_in_parts = shared(_walk_in_parts)
