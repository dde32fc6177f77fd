"""How its own levels end an entry of a stack, whatever the account: by the walk of `exit_walk`.

An entry's levels hang on its price and side alone, and so does where in its bar they are met. That
several entries of a stack may end in one bar asks for more than a chain does: how far along the way
of the bar each is met, and how low the price came until then, for the rows that it closes.
"""

from engines.kernels._compiled import shared
from engines.kernels.chains.columns import (
    AT_LEVEL,
    LINE,
    LONG,
    MODE_BITS,
    O_CLOSE,
    O_PRICE,
    ON_THE_WAY,
    SIDE_MASK,
    Opens,
)
from engines.kernels.columns import F64_2D
from engines.kernels.exit_walk import ARMED, PART, enter, find_exit, find_exit_after
from engines.kernels.slots import HIGH, LOW, OPEN, PATH_HIGH, PATH_LOW, PRICE
from engines.kernels.stacks.columns import END_ARMED, END_AT, END_LOW, END_PRICE, END_WAY
from engines.types import F64_1D


def _walk(
    run: F64_1D, opens: Opens, prices: F64_2D, slip_ratio: F64_1D, entry: int, last: int,
    stop: float, target: float, atr: float, ends: F64_1D, first: int,
) -> None:  # fmt: skip # what it reads, then where the end goes
    bar, side = entry >> 1, entry & SIDE_MASK
    price, sign = opens.lines[bar * LINE + O_PRICE + side], 1.0 if side == LONG else -1.0
    enter(run, price, sign, stop, target, atr, opens.lines[bar * LINE + O_CLOSE])
    if opens.lag == 0:
        bar, is_at_open, price, _ = find_exit(run, prices, opens.reach, slip_ratio, bar, last)
    else:
        bar, is_at_open, price, _ = find_exit_after(run, prices, opens.reach, slip_ratio, bar, last)
    mode, is_rising = AT_LEVEL, True
    if bar < opens.bars and not is_at_open:
        opened, part = prices[bar, OPEN], int(run[PART])
        is_high_first = prices[bar, HIGH] - opened < opened - prices[bar, LOW]
        mode, is_rising = ON_THE_WAY + part, is_high_first == (part != 1)
    ends[first + END_AT] = ((bar + opens.lag) << MODE_BITS) | mode
    ends[first + END_PRICE] = price
    ends[first + END_WAY] = run[PRICE] if is_rising else -run[PRICE]
    ends[first + END_LOW] = run[PATH_LOW] if sign > 0 else -run[PATH_HIGH]
    ends[first + END_ARMED] = run[ARMED]


walk = shared(_walk)
