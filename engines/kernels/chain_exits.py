"""How levels end the position of an entry, as links read it.

Levels that stand still are searched for (`bracket_walk`), those that move are walked (`exit_walk`).

It is compiled once for whoever asks, ahead for all entries of a plan's own levels or, where each
strategy gives levels of its own, for an entry when it is taken.
"""

import numpy as np

from engines.kernels._compiled import shared
from engines.kernels.bracket_walk import find_bracket_exit, stands_still
from engines.kernels.chain_columns import (
    AT_LEVEL,
    LINE,
    LONG,
    MODE_BITS,
    O_CLOSE,
    O_PRICE,
    ON_THE_WAY,
    SIDE_MASK,
    Exits,
    Opens,
)
from engines.kernels.columns import F64_2D
from engines.kernels.exit_walk import enter, find_exit
from engines.types import F64_1D


def _walk(
    run: F64_1D, opens: Opens, prices: F64_2D, slip_ratio: F64_1D, entry: int, last: int,
    stop: float, target: float, atr: float, exits: Exits, row: int, place: int,
) -> None:  # fmt: skip # what it reads, then what it finds
    bar, side = entry >> 1, entry & SIDE_MASK
    price, sign = opens.lines[bar * LINE + O_PRICE + side], 1.0 if side == LONG else -1.0
    if stands_still(run, target):
        end, is_at_open, price, worst = find_bracket_exit(
            run, opens, prices, slip_ratio, bar, last, side, price, stop, target, atr
        )
    else:
        enter(run, price, sign, stop, target, atr, opens.lines[bar * LINE + O_CLOSE])
        end, is_at_open, price, worst = find_exit(run, prices, opens.reach, slip_ratio, bar, last)
    mode = AT_LEVEL if is_at_open else ON_THE_WAY
    exits.ends[row, place] = np.int32((end << MODE_BITS) | mode)
    exits.prices[row, place], exits.worst[row, place] = price, worst


walk = shared(_walk)
