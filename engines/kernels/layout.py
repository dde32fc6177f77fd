"""Bars laid out as a run reads them: prices of a bar side by side, extremes of bars and blocks.

Theory. A run jumps, so what it reads of one bar lies in one line of the cache. Prices and extremes
are finite (`Klines` lets nothing else in), so a comparison decides which of two is the extreme.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from engines.kernels._compiled import driver, stamp_of
from engines.kernels.columns import F64_2D
from engines.kernels.search import LARGE, SMALL, extremes_of_rows
from engines.types import F64_1D

Prices: TypeAlias = Callable[[F64_1D, F64_1D, F64_1D, F64_1D, F64_2D], None]
Reach: TypeAlias = Callable[[F64_1D, F64_1D, F64_2D], None]


def reach_of(high: F64_1D, low: F64_1D) -> F64_2D:
    """Return high and low of each bar, then of each block of SMALL, then of each of LARGE [N, 2].

    Shape: high, low [T], contiguous.
    """
    bars = len(high)
    reach = np.empty((bars + -(-bars // SMALL) + -(-bars // LARGE), 2))
    put_reach(high, low, reach)
    return reach


def _prices(stamp: int) -> Prices:
    """Return the pass that puts four columns side by side [T, 4]; `stamp` is in its cache's key."""

    def prices(open_: F64_1D, high: F64_1D, low: F64_1D, close: F64_1D, out: F64_2D) -> None:
        for bar in range(len(open_) if stamp != 0 else 0):
            out[bar, 0], out[bar, 1] = open_[bar], high[bar]
            out[bar, 2], out[bar, 3] = low[bar], close[bar]

    return driver(prices)


def _reach(stamp: int) -> Reach:
    """Return the pass that fills the reach of bars and blocks; `stamp` as in `_prices`."""

    def reach(high: F64_1D, low: F64_1D, out: F64_2D) -> None:
        bars = len(high) if stamp != 0 else 0
        for bar in range(bars):
            out[bar, 0], out[bar, 1] = high[bar], low[bar]
        begin, end = 0, bars  # of the rows that the next blocks are made of
        for blocks in range(2):
            size, row = SMALL if blocks == 0 else LARGE // SMALL, end
            for start in range(begin, end, size):
                out[row, 0], out[row, 1] = extremes_of_rows(out, start, min(end, start + size))
                row += 1
            begin, end = end, row

    return driver(reach)


STAMP = stamp_of(globals())
put_prices, put_reach = _prices(STAMP), _reach(STAMP)
