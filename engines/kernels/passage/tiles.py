"""Tiles of time: all sets go through some events before any goes on to the next.

Theory. The records of all levels for all events of a long market do not fit into a cache: a set
that runs from end to end finds none of what its neighbour has just read. So the market is cut into
tiles of so many events, and for each the records are written, then all sets advance until each
stands at an event behind it. What a set carries from one tile to the next are the numbers that a
lane carries from step to step (STATE), its event, and the sums of its months. A record holds its
end in absolute bars, so a position may well end in a later tile, and a set may pass over tiles.

A month's mark is the profit at its last trade, so those before the month of a set's last trade have
ended when it leaves a tile; the mark of that month itself is the profit that it carries.
"""

import numpy as np

from engines.kernels._compiled import rule
from engines.kernels.columns import Run
from engines.kernels.passage.columns import U64_1D
from engines.kernels.passage.lanes import AT, LANES, NET, STATE
from engines.kernels.summary import MONTH_PNL, MONTHS, SUMS_SIZE
from engines.types import F64_1D

# What is kept of a set: the numbers of its lane, its event, the last mark of the months that have
# ended, and their sums.
K_AT, K_MARK, K_SUMS = range(STATE, STATE + 3)
KEPT = K_SUMS + SUMS_SIZE - MONTH_PNL


@rule
def keep(
    lanes: F64_1D, places: U64_1D, lane: int, sums: F64_1D, net_before: float, kept: Run
) -> None:
    """Keep what a lane carries to a later tile."""
    for number in range(STATE):
        kept[number] = lanes[number * LANES + lane]
    kept[K_AT], kept[K_MARK] = places[AT + lane], net_before
    for place in range(MONTH_PNL, SUMS_SIZE):
        kept[K_SUMS + place - MONTH_PNL] = sums[place]


@rule
def resume(lanes: F64_1D, places: U64_1D, lane: int, marks: F64_1D, kept: Run) -> None:
    """Let a lane carry on with what was kept of a set."""
    for number in range(STATE):
        lanes[number * LANES + lane] = kept[number]
    places[AT + lane] = np.uint64(kept[K_AT])
    month = int(kept[K_SUMS + MONTHS - MONTH_PNL])
    marks[month * LANES + lane] = lanes[NET + lane]


@rule
def resume_months(sums: F64_1D, kept: Run) -> float:
    """Put the sums of the months that have ended back; return their last mark."""
    for place in range(MONTH_PNL, SUMS_SIZE):
        sums[place] = kept[K_SUMS + place - MONTH_PNL]
    return float(kept[K_MARK])
