"""What share of equity each entry of a chain may spend, where the plan sizes by risk or volatility.

Theory. The share hangs on the deciding close alone: on the distance of the stop or on the ATR that
it knows. So it is found by the rule of `decisions` when a link is made, and a lane sizes by it as
by a plan's fixed share. A share that is not known buys nothing; the bounds of the lanes then leave
the set to the machine.
"""

import math
from typing import NamedTuple

from engines.kernels._compiled import rule
from engines.kernels.chains.columns import (
    I32_1D,
    LINE,
    O_CLOSE,
    WISH_BITS,
    Given,
    Opens,
)
from engines.kernels.columns import Run
from engines.kernels.machine.decisions import share_at
from engines.kernels.slots import WISH_ATR, WISH_ATR_RATIO, WISH_SHARE, WISH_STOP
from engines.types import F64_1D


class Shares(NamedTuple):
    """What shares are made of: the ATR and its ratio of the close [T], empty if the plan has none.

    Without `are_own` the plan's share is that of every entry.
    """

    are_own: bool
    atr: F64_1D
    atr_ratio: F64_1D


@rule
def share_out(
    wishes: I32_1D, opens: Opens, given: Given, shares: Shares, plan: int, nexts: I32_1D,
    step: int, slot: int, first: int, count: int, place: int, found: F64_1D,
) -> None:  # fmt: skip # what it reads, then where it writes
    """Write the share of each entry of a set, whose plan has the terms of row `plan`.

    What is entered after link n lies at `slot` of its `step` numbers in `nexts`, and no wish of
    these before `place`.
    """
    for at in range(first, first + count):
        line, stop = int(nexts[at * step + slot]) >> 1, math.nan
        if line > opens.bars:
            found[at] = 0.0
            continue
        if len(given.stops) > 0:
            while int(wishes[place]) >> WISH_BITS < line - 1:
                place += 1
            stop = given.stops[place]
        found[at] = share_of(given.runs[plan], opens, shares, line, stop)


@rule
def share_of(run: Run, opens: Opens, shares: Shares, line: int, stop: float) -> float:
    """Return the share of the entry at a line; `stop` is the strategy's own, NaN if it has none.

    `run` holds the terms of the plan, the rest of it is room.
    """
    bar = line - 1
    run[WISH_STOP], run[WISH_SHARE] = stop, math.nan
    run[WISH_ATR] = shares.atr[bar] if len(shares.atr) > 0 else math.nan
    run[WISH_ATR_RATIO] = shares.atr_ratio[bar] if len(shares.atr_ratio) > 0 else math.nan
    return max(0.0, share_at(run, opens.lines[line * LINE + O_CLOSE]))
