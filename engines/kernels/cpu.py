"""The kernel on the CPU: one run whose trades are noted, or many sets on all cores.

Theory. Both drivers call one compiled pass over the bars. `run_one` notes every trade, fill and
payment behind the run; what does not fit is counted, so that the caller can come again with room
for it. `run_sets` notes nothing and leaves of each set its summary and, behind it, whether only the
reference can run it; the sets are dealt out to the threads in blocks. That pass is nearly all that
either costs to compile (half a minute), and lasts as long as the program: who compiles the driver
of many sets makes the other at once, so that programs which then verify find it in its cache.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
from numba import prange

from engines.kernels._compiled import driver, is_ready, shared, stamp_of, was_compiled
from engines.kernels._held import held
from engines.kernels.columns import F64_2D, I64_2D, Bars, Charges, Tables, Wants, frozen
from engines.kernels.layout import put_prices, reach_of
from engines.kernels.machine import (
    runs,
)
from engines.kernels.machine.beginning import size_of
from engines.kernels.slots import FOUND, HIGH, LOTS_ROOM, LOW, NEEDS_REFERENCE, NOTE, OVERFLOWS, RUN
from engines.kernels.summary import FIGURES
from engines.kernels.tables import tables_of, wants_at
from engines.klines import DAY_MS, Klines
from engines.liquidation import MarkPath
from engines.metrics.ratios import month_starts
from engines.types import F64_1D

LOTS_GROWTH = 4  # times as much room for a run whose lots did not fit
BLOCK, BLOCKS_MIN = 16, 32  # sets that one thread runs at a time; fewer where there are few blocks

RunOne: TypeAlias = Callable[[Bars, Wants, Charges, F64_1D, float, int], F64_1D]
RunSets: TypeAlias = Callable[[Bars, Tables, Charges, F64_2D, I64_2D, F64_2D], None]

play = shared(runs.play)


def _drivers(stamp: int) -> tuple[RunOne, RunSets]:
    """Return the drivers; what they close over is a part of the key of their cache."""

    def one(
        bars: Bars, wants: Wants, charges: Charges, terms: F64_1D, lots: float, rows: int
    ) -> F64_1D:
        size = size_of(terms, lots)
        run = np.empty(size + rows * NOTE if stamp != 0 else 0)
        play(held(run), held(bars), held(wants), held(charges), terms, lots, size)
        return run

    def many(
        bars: Bars, tables: Tables, charges: Charges, terms: F64_2D, sets: I64_2D, found: F64_2D
    ) -> None:
        count = len(sets) if stamp != 0 else 0
        block = max(1, min(BLOCK, count // BLOCKS_MIN))
        for part in prange((count + block - 1) // block):
            run = np.empty(RUN)
            for place in range(part * block, min(count, (part + 1) * block)):
                want, row = sets[place]
                lots = terms[row, LOTS_ROOM]
                while True:
                    size = size_of(terms[row], lots)
                    if size > len(run):
                        run = np.empty(size)
                    own = held(wants_at(tables, want))
                    play(held(run), held(bars), own, held(charges), terms[row], lots, len(run))
                    if run[OVERFLOWS] == 0:
                        break
                    lots *= LOTS_GROWTH
                found[place, :FIGURES] = run[FOUND : FOUND + FIGURES]
                found[place, FIGURES] = run[NEEDS_REFERENCE]

    return driver(one), driver(many, parallel=True)


run_one, run_block = _drivers(stamp_of(globals()))


def run_sets(
    bars: Bars, wants: Sequence[Wants], charges: Charges, terms: F64_2D, sets: I64_2D
) -> F64_2D:
    """Run sets [N, 2], each a place among the wants and a row of `terms` [P, TERMS].

    Returns the figures of each set and behind them whether only the reference can run it, not 0.
    """
    found = np.empty((len(sets), FIGURES + 1))
    if len(sets) == 1:  # One alone would keep the other threads waiting for it.
        want, row = sets[0].tolist()
        _run_alone(bars, wants[want], charges, terms[row], found[0])
        return found
    run_block(bars, tables_of(wants), charges, terms, sets, found)
    if was_compiled(run_block) and not is_ready(run_one):
        run_one(bars, wants[0], charges, terms[0], float(terms[0, LOTS_ROOM]), 0)
    return found


def _run_alone(bars: Bars, wants: Wants, charges: Charges, terms: F64_1D, found: F64_1D) -> None:
    """Run one set, with more room for its lots until they fit."""
    lots = float(terms[LOTS_ROOM])
    while (run := run_one(bars, wants, charges, terms, lots, 0))[OVERFLOWS] != 0:
        lots *= LOTS_GROWTH
    found[:FIGURES], found[FIGURES] = run[FOUND : FOUND + FIGURES], run[NEEDS_REFERENCE]


def run_many(bars: Bars, wants: Wants, charges: Charges, terms: F64_2D, found: F64_2D) -> None:
    """Run a set for each row of `terms`, all with the same wants, as `run_sets` does."""
    rows = np.arange(len(terms))
    found[:] = run_sets(bars, (wants,), charges, terms, np.column_stack((0 * rows, rows)))


def bars_of(
    klines: Klines, time_zone: str = "UTC", start_bar: int = 0, mark: Klines | None = None
) -> Bars:
    """Return bars with the extremes of their blocks, and the months from `start_bar` on.

    `mark` are bars of the mark price, on which a run with leverage is liquidated if their interval
    is the traded one.
    """
    prices = np.empty((len(klines), 4))
    put_prices(klines.open, klines.high, klines.low, klines.close, prices)
    reach = watched = frozen(reach_of(klines.high, klines.low))
    marks = np.empty((0, 4))
    path = None if mark is None else MarkPath.of(klines, mark)
    if path is not None:
        marks = np.column_stack(path)
        high, low = np.maximum(klines.high, marks[:, HIGH]), np.minimum(klines.low, marks[:, LOW])
        watched = frozen(reach_of(frozen(high), frozen(low)))
    times = klines.open_time_ms[min(start_bar, len(klines) - 1) :]
    starts = month_starts(int(times[0]), int(times[-1]), ZoneInfo(time_zone))
    return Bars(
        frozen(prices),
        reach,
        frozen(np.searchsorted(klines.open_time_ms, starts[1:]), np.int64),
        (int(times[-1]) + klines.interval_ms - int(times[0])) / DAY_MS,
        frozen(marks),
        watched,
    )
