"""Many strategies under one plan in hedge mode: which plans a walk of both sides follows."""

import numpy as np

from engines.kernels import slots
from engines.kernels.chains.columns import BARS_MAX
from engines.kernels.columns import F64_2D, Bars
from engines.kernels.gates.runs import LOOKS_BACK
from engines.kernels.passage.columns import MONTHS_MAX
from engines.kernels.passage.runs import (
    BORROWS,
    FILLS,
    MOVES,
    OTHERS,
    OWN_SHARES,
    SIZINGS,
    are_plain,
)
from engines.kernels.slots import BY_KELLY
from engines.types import BOOL_1D

UNHEDGED = np.setdiff1d(OTHERS, [*MOVES, *FILLS, *BORROWS, *LOOKS_BACK, slots.IS_HEDGED])


def is_hedged(bars: Bars, terms: F64_2D) -> BOOL_1D:
    """Return which plans [N] in hedge mode a walk follows, for strategies without levels."""
    if len(bars.months) >= MONTHS_MAX or len(bars.prices) >= BARS_MAX or len(bars.marks):
        return np.zeros(len(terms), np.bool_)
    found = are_plain(terms, UNHEDGED, (*SIZINGS, *OWN_SHARES, BY_KELLY))
    found &= terms[:, slots.IS_HEDGED] != 0
    return found
