"""Many strategies under one plan whose entries hang on how earlier ones went.

Theory. Such a plan is one that chains follow (`chains`), but for rules that look back at positions
which have ended: `gate_links` says how a lane then finds its way. What a level does to an entry
hangs on the entry alone all the same, so the exits that chains list serve here as well.

Where a plan allows one side, a wish of the other counts as an entry of its day although nothing
fills: such plans, if they limit the entries of a day or week, are left to the machine.
"""

import math

import numpy as np

from engines.kernels import slots
from engines.kernels.chain_columns import BARS_MAX
from engines.kernels.columns import F64_2D, Bars
from engines.kernels.first_passage import MOVES, OTHERS, OWN_SHARES, SIZINGS, are_plain
from engines.kernels.gate_columns import NEVER, Gates
from engines.kernels.passage_columns import MONTHS_MAX
from engines.kernels.slots import ANY_WISH, ENTERS
from engines.types import BOOL_1D, F64_1D

DELAYS = [slots.DELAY_BARS, slots.COOLDOWN_BARS]
MAXIMA = [slots.TRADES_DAY_MAX, slots.TRADES_WEEK_MAX, slots.LOSSES_MAX]
UNGATED = np.setdiff1d(OTHERS, [*MOVES, *DELAYS, *MAXIMA])


def is_gated(bars: Bars, terms: F64_2D) -> BOOL_1D:
    """Return which plans [N] gates follow for strategies that give no sizes."""
    if len(bars.months) >= MONTHS_MAX or len(bars.prices) >= BARS_MAX:
        return np.zeros(len(terms), np.bool_)
    has_maxima = terms[:, MAXIMA] < math.inf
    found: BOOL_1D = (terms[:, DELAYS] != 0).any(axis=1) | has_maxima.any(axis=1)
    found &= are_plain(terms, UNGATED, (*SIZINGS, *OWN_SHARES))
    found &= ~(has_maxima[:, :2].any(axis=1) & (terms[:, slots.DIRECTION] != 0))
    return found


def gates_of(terms: F64_1D) -> Gates:
    """Return what a new position must wait for under a plan."""
    delay, cooldown = (int(terms[place]) for place in DELAYS)
    maxima = (int(min(terms[place], NEVER)) for place in MAXIMA)
    return Gates(delay, max(delay, cooldown), *maxima)


def waits(gates: Gates) -> bool:
    """Return whether a plan has any such rule."""
    return gates != Gates(0, 0, NEVER, NEVER, NEVER)


def sure_wishes(terms: F64_1D) -> int:
    """Return which wishes surely close the positions that they would close, under a plan.

    Gates may refuse a reversal: even delays do, soon after a position that began by one.
    """
    return ANY_WISH & ~ENTERS if waits(gates_of(terms)) else ANY_WISH
