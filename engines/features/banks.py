"""Banks: one feature for many periods, a row each, as a sweep wants them.

Each row equals the feature of its period in every bit: the same pass over the bars fills it. What a
bank saves beside calls of the feature is memory. All rows lie in one table, allocated at once on
large pages, and nothing is checked or copied twice. The arithmetic has nothing left to share: a
feature runs its own recurrence in lanes already (`_recursions`), so interleaving the recurrences of
several periods would keep the machine no busier, and needs as many streams of output.
"""

from collections.abc import Callable, Sequence

import numpy as np

from engines.features._columns import aligned, column, require_period
from engines.features._recursions import (
    exponential_means,
    range_means,
    strengths,
    wilder_means,
)
from engines.features._windows import window_sums
from engines.features.moving_averages import ema, rma, sma
from engines.features.oscillators import rsi
from engines.features.volatility import atr, true_range
from engines.types import F64_1D, F64_2D


def sma_bank(source: F64_1D, periods: Sequence[int]) -> F64_2D:
    """Return the simple moving averages of the periods.

    Shape: source [T], P periods -> [P, T], each row as `moving_averages.sma`.
    Raises: ValueError if a period < 1.
    """
    return _bank(source, periods, _window_means, sma)


def ema_bank(source: F64_1D, periods: Sequence[int]) -> F64_2D:
    """Return the exponential moving averages of the periods.

    Shape: source [T], P periods -> [P, T], each row as `moving_averages.ema`.
    Raises: ValueError if a period < 1.
    """
    return _bank(source, periods, exponential_means, ema)


def rma_bank(source: F64_1D, periods: Sequence[int]) -> F64_2D:
    """Return Wilder's smoothings of the periods.

    Shape: source [T], P periods -> [P, T], each row as `moving_averages.rma`.
    Raises: ValueError if a period < 1.
    """
    return _bank(source, periods, wilder_means, rma)


def rsi_bank(source: F64_1D, periods: Sequence[int]) -> F64_2D:
    """Return the relative strength indices of the periods.

    Shape: source [T], P periods -> [P, T], each row as `oscillators.rsi`.
    Raises: ValueError if a period < 1.
    """
    return _bank(source, periods, strengths, rsi)


def atr_bank(high: F64_1D, low: F64_1D, close: F64_1D, periods: Sequence[int]) -> F64_2D:
    """Return the average true ranges of the periods.

    Shape: high, low, close [T], P periods -> [P, T], each row as `volatility.atr`.
    Raises: ValueError if a period < 1 or the lengths differ.
    """
    high, low, close = aligned(high=high, low=low, close=close)
    ranges = column("ranges", true_range(high, low, close, handle_na=True))

    def fill(source: F64_1D, period: int, out: F64_1D) -> F64_1D:
        if source.size < period:
            out[:] = np.nan
            return out
        return range_means(high, low, source, ranges[:period], out)

    return _bank(close, periods, fill, lambda source, period: atr(high, low, source, period))


def _window_means(source: F64_1D, period: int, out: F64_1D) -> F64_1D:
    means = window_sums(source, period, out)
    means /= period
    return means


def _bank(
    source: F64_1D,
    periods: Sequence[int],
    fill: Callable[[F64_1D, int, F64_1D], F64_1D],
    feature: Callable[[F64_1D, int], F64_1D],
) -> F64_2D:
    """Return a table whose rows `fill` fills, or the feature where a bar is not finite.

    Every feature here remembers such a bar: then its last value is not finite either.
    """
    for period in periods:
        require_period("period", period)
    source = column("source", source)
    rows = np.empty((len(periods), source.size))
    for row, period in zip(rows, periods, strict=True):
        fill(source, period, row)
        if not np.isfinite(row[-1:]).all():
            row[:] = feature(source, period)
    return rows
