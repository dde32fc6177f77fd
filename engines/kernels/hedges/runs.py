"""Many strategies under one plan in hedge mode: which plans a walk of both sides follows."""

import numpy as np

from engines.kernels import slots
from engines.kernels.chains.columns import BARS_MAX
from engines.kernels.columns import F64_2D, Bars
from engines.kernels.passage.columns import MONTHS_MAX
from engines.kernels.passage.runs import BORROWS, FILLS, MOVES, OTHERS, are_plain
from engines.types import BOOL_1D

UNHEDGED = np.setdiff1d(OTHERS, [*MOVES, *FILLS, *BORROWS, slots.IS_HEDGED])


def is_hedged(bars: Bars, terms: F64_2D, pays: bool) -> BOOL_1D:
    """Return which plans [N] in hedge mode a walk follows, for strategies without levels.

    `pays` tells that there is funding, which no walk follows.
    """
    if pays or len(bars.months) >= MONTHS_MAX or len(bars.prices) >= BARS_MAX or len(bars.marks):
        return np.zeros(len(terms), np.bool_)
    found: BOOL_1D = are_plain(terms, UNHEDGED) & (terms[:, slots.IS_HEDGED] != 0)
    return found
