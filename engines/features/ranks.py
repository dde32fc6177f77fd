"""Features that order the values of a window: percentiles, median, mode, ranks.

Theory of operation. The percentile family keeps the window sorted: each bar takes the oldest value
out and puts the newest in, shifting the ones between. That moves period / 2 values a bar, far less
than sorting anew. A NaN bar neither enters the window nor gets an answer; Pine's percentile
machines rank na at changing places instead, which no strategy can rely on.
"""

from functools import partial
from math import ceil, floor

import numpy as np

from engines.features._columns import PINE_TOLERANCE, column, over_finite, require_period
from engines.features._compiled import compiled
from engines.features._shared import shared
from engines.types import F64_1D

# A position this near a whole rank is that rank: 20 x 35 / 100 must not miss it by rounding.
WHOLE_RANK_TOLERANCE = 1e-9


@shared
def percentile_linear(source: F64_1D, period: int, percentage: float) -> F64_1D:
    """Return the percentile of the last `period` values, interpolated between its two ranks.

    The position, counted from 1, is period x percentage / 100 + 0.5.
    Shape: source [T] -> [T]; the first `period - 1` values are NaN.
    Raises: ValueError if period < 1 or percentage is outside [0, 100].
    Source: TradingView ta.percentile_linear_interpolation.
    """
    require_period("period", period)
    _require_percentage(percentage)
    position = period * percentage / 100.0 + 0.5
    if abs(position - round(position)) < WHOLE_RANK_TOLERANCE:
        position = round(position)
    position = min(max(position, 1.0), float(period))
    lower = min(floor(position), max(period - 1, 1))
    kernel = partial(_sorted_mix, period=period, rank=lower - 1, fraction=float(position - lower))
    return over_finite(kernel, column("source", source))


@shared
def percentile_nearest_rank(source: F64_1D, period: int, percentage: float) -> F64_1D:
    """Return the value of rank ceil(period x percentage / 100) among the last `period` values.

    Shape: source [T] -> [T]; the first `period - 1` values are NaN.
    Raises: ValueError if period < 1 or percentage is outside [0, 100].
    Source: TradingView ta.percentile_nearest_rank.
    """
    require_period("period", period)
    _require_percentage(percentage)
    rank = min(max(ceil(percentage * period / 100.0), 1), period)
    kernel = partial(_sorted_mix, period=period, rank=rank - 1, fraction=0.0)
    return over_finite(kernel, column("source", source))


@shared
def median(source: F64_1D, period: int) -> F64_1D:
    """Return the median of the last `period` values; the mean of the middle two if even.

    Shape: source [T] -> [T]; the first `period - 1` values are NaN.
    Raises: ValueError if period < 1.
    Source: TradingView ta.median.
    """
    require_period("period", period)
    fraction = 0.5 if period % 2 == 0 else 0.0
    kernel = partial(_sorted_mix, period=period, rank=(period - 1) // 2, fraction=fraction)
    return over_finite(kernel, column("source", source))


@shared
def mode(source: F64_1D, period: int) -> F64_1D:
    """Return the most frequent of the last `period` values; the smallest of equally frequent ones.

    Shape: source [T] -> [T]; the first `period - 1` values are NaN.
    Raises: ValueError if period < 1.
    Source: TradingView ta.mode.
    """
    require_period("period", period)
    return over_finite(partial(_window_modes, period=period), column("source", source))


@shared
def percent_rank(source: F64_1D, period: int) -> F64_1D:
    """Return the percentage of the previous `period` values that are <= the current one.

    Shape: source [T] -> [T] in 0-100; the first `period` values are NaN.
    Raises: ValueError if period < 1.
    Source: TradingView ta.percentrank; equal means within 1e-10, as in Pine.
    """
    require_period("period", period)
    return over_finite(partial(_percent_ranks, period=period), column("source", source))


@shared
def rank_correlation_index(source: F64_1D, period: int) -> F64_1D:
    """Return the rank correlation (Spearman) of the last `period` values with time, -100 to 100.

    Values within 1e-10 of the smallest of their group tie and share their average rank.
    Shape: source [T] -> [T]; the first `period` values are NaN (Pine waits one bar more than it
    needs); NaN for a window with a NaN, and where all values tie.
    Raises: ValueError if period < 1.
    Source: TradingView ta.rci.
    """
    require_period("period", period)
    return _rank_correlations(column("source", source), period)


def _require_percentage(percentage: float) -> None:
    if not 0.0 <= percentage <= 100.0:
        raise ValueError(f"percentage must be between 0 and 100, found {percentage!r}")


@compiled
def _place(ordered: F64_1D, count: int, value: float) -> None:
    """Insert the value into the first `count` sorted values."""
    k = count
    while k > 0 and ordered[k - 1] > value:
        ordered[k] = ordered[k - 1]
        k -= 1
    ordered[k] = value


@compiled
def _remove(ordered: F64_1D, count: int, value: float) -> None:
    """Delete one occurrence of the value from the first `count` sorted values."""
    low = 0
    high = count - 1
    while low < high:
        middle = (low + high) // 2
        if ordered[middle] < value:
            low = middle + 1
        else:
            high = middle
    for k in range(low, count - 1):
        ordered[k] = ordered[k + 1]


@compiled
def _sorted_mix(source: F64_1D, period: int, rank: int, fraction: float) -> F64_1D:
    """Return (1 - fraction) x the value of a rank, counted from 0, + fraction x the next one."""
    values = np.full(source.size, np.nan)
    ordered = np.empty(min(period, source.size) + 1)
    for t in range(source.size):
        count = min(t, period)
        if count == period:
            _remove(ordered, count, source[t - period])
            count -= 1
        _place(ordered, count, source[t])
        if t >= period - 1:
            if fraction == 0.0:
                values[t] = ordered[rank]
            else:
                values[t] = ordered[rank] * (1.0 - fraction) + ordered[rank + 1] * fraction
    return values


@compiled
def _window_modes(source: F64_1D, period: int) -> F64_1D:
    modes = np.full(source.size, np.nan)
    ordered = np.empty(min(period, source.size) + 1)
    for t in range(source.size):
        count = min(t, period)
        if count == period:
            _remove(ordered, count, source[t - period])
            count -= 1
        _place(ordered, count, source[t])
        if t < period - 1:
            continue
        modes[t] = ordered[0]
        run = 1
        longest = 1
        for k in range(1, period):
            run = run + 1 if ordered[k] == ordered[k - 1] else 1
            if run > longest:
                longest = run
                modes[t] = ordered[k]
    return modes


@compiled
def _percent_ranks(source: F64_1D, period: int) -> F64_1D:
    ranks = np.full(source.size, np.nan)
    for t in range(period, source.size):
        count = 0
        for k in range(t - period, t):
            count += source[k] - source[t] <= PINE_TOLERANCE
        ranks[t] = count * 100 / period
    return ranks


@compiled
def _rank_correlations(source: F64_1D, period: int) -> F64_1D:
    indices = np.full(source.size, np.nan)
    centre = (period - 1) / 2.0
    time_spread = period * (period * period - 1.0) / 12.0
    for t in range(period, source.size):
        window = source[t - period + 1 : t + 1]
        if np.isnan(window).any():
            continue
        order = np.argsort(window, kind="mergesort")
        covariation = 0.0
        rank_spread = 0.0
        start = 0
        while start < period:
            end = start + 1
            while end < period and window[order[end]] - window[order[start]] < PINE_TOLERANCE:
                end += 1
            deviation = (start + end - 1) / 2.0 - centre
            for k in range(start, end):
                covariation += (order[k] - centre) * deviation
                rank_spread += deviation * deviation
            start = end
        if rank_spread > 0.0:
            indices[t] = 100.0 * covariation / np.sqrt(time_spread * rank_spread)
    return indices
