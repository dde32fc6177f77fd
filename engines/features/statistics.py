"""Spread, regression and correlation over a sliding window.

Theory of operation. TradingView gets variance and correlation from running sums of squares, whose
difference cancels: at a price of 60,000 and a deviation of 10 it keeps nine digits. Here each
window is summed as distances from a value of its own, which is at most sqrt(period) deviations from
the mean, so at most a factor `period` of the 16 digits is lost, no error outlives its window, and a
flat window has a variance of exactly zero. Both forms agree within TradingView's displayed digits.
Variance takes one pass over the bars (`_windows`), the others cost T x period.
"""

from functools import partial

import numpy as np

from engines.features._columns import (
    PINE_TOLERANCE,
    aligned,
    column,
    over_finite,
    require_period,
)
from engines.features._compiled import compiled
from engines.features._shared import shared
from engines.features._windows import window_variances
from engines.features.sums import rolling_sum
from engines.types import F64_1D


@shared
def variance(source: F64_1D, period: int, *, biased: bool = True) -> F64_1D:
    """Return the variance of the last `period` values: mean squared deviation from their mean.

    Biased divides by `period` (population), unbiased by `period - 1` (sample).
    Shape: source [T] -> [T]; the first `period - 1` values are NaN.
    Raises: ValueError if period < 1, or < 2 when unbiased.
    Source: TradingView ta.variance.
    """
    require_period("period", period, minimum=1 if biased else 2)
    divisor = period if biased else period - 1
    kernel = partial(window_variances, period=period, divisor=divisor)
    return over_finite(kernel, column("source", source))


@shared
def stdev(source: F64_1D, period: int, *, biased: bool = True) -> F64_1D:
    """Return the standard deviation of the last `period` values: sqrt(variance).

    Shape: source [T] -> [T]; the first `period - 1` values are NaN.
    Raises: ValueError if period < 1, or < 2 when unbiased.
    Source: TradingView ta.stdev.
    """
    deviations: F64_1D = np.sqrt(variance(source, period, biased=biased))
    return deviations


@shared
def mean_deviation(source: F64_1D, period: int) -> F64_1D:
    """Return the mean absolute deviation of the last `period` values from their SMA.

    Shape: source [T] -> [T]; the first `period - 1` values are NaN.
    Raises: ValueError if period < 1.
    Source: TradingView ta.dev.
    """
    require_period("period", period)
    return over_finite(partial(_finite_mean_deviation, period=period), column("source", source))


@shared
def linreg(source: F64_1D, period: int, offset: int = 0) -> F64_1D:
    """Return the least-squares line through the last `period` values, `offset` bars before its end.

    Shape: source [T] -> [T]; the first `period - 1` values are NaN; NaN for a window with a NaN.
    Raises: ValueError if period < 2.
    Source: TradingView ta.linreg.
    """
    require_period("period", period, minimum=2)
    return _regression_ends(column("source", source), period, offset)


@shared
def correlation(source: F64_1D, other: F64_1D, period: int) -> F64_1D:
    """Return Pearson's correlation of two columns over the last `period` bars, -1 to 1.

    Shape: source, other [T] -> [T]; the first `period - 1` values are NaN; bars where either is
    NaN are skipped; NaN where either is constant.
    Raises: ValueError if period < 1 or the lengths differ.
    Source: TradingView ta.correlation; as there, a covariance within 1e-10 of zero gives 0, so
    scale prices of a fraction of a cent up before asking.
    """
    require_period("period", period)
    source, other = aligned(source=source, other=other)
    finite = np.isfinite(source) & np.isfinite(other)
    correlations = np.full(source.size, np.nan)
    both = column("source", source[finite]), column("other", other[finite])
    correlations[finite] = _window_correlations(*both, period)
    return correlations


def _finite_mean_deviation(source: F64_1D, period: int) -> F64_1D:
    means = column("means", rolling_sum(source, period) / period)
    return _window_mean_deviations(source, means, period)


@compiled
def _window_mean_deviations(source: F64_1D, means: F64_1D, period: int) -> F64_1D:
    deviations = np.full(source.size, np.nan)
    for t in range(period - 1, source.size):
        total = 0.0
        for bars_back in range(period):
            total += abs(source[t - bars_back] - means[t])
        deviations[t] = total / period
    return deviations


@compiled
def _regression_ends(source: F64_1D, period: int, offset: int) -> F64_1D:
    ends = np.full(source.size, np.nan)
    sum_x = period * (period + 1) / 2.0
    sum_xx = period * (period + 1) * (2 * period + 1) / 6.0
    spread = period * sum_xx - sum_x * sum_x
    for t in range(period - 1, source.size):
        sum_y = 0.0
        sum_xy = 0.0
        x = 0.0
        for k in range(t - period + 1, t + 1):
            x += 1.0
            sum_y += source[k]
            sum_xy += source[k] * x
        # Pine anchors the line one step before the end; the order of operations is its own.
        slope = (period * sum_xy - sum_x * sum_y) / spread
        intercept = sum_y / period - slope * sum_x / period + slope
        ends[t] = intercept + slope * (period - 1 - offset)
    return ends


@compiled
def _window_correlations(source: F64_1D, other: F64_1D, period: int) -> F64_1D:
    correlations = np.full(source.size, np.nan)
    for t in range(period - 1, source.size):
        sum_x = 0.0
        sum_y = 0.0
        xx = 0.0
        yy = 0.0
        xy = 0.0
        for k in range(t - period + 1, t + 1):
            x = source[k] - source[t]
            y = other[k] - other[t]
            sum_x += x
            sum_y += y
            xx += x * x
            yy += y * y
            xy += x * y
        xx -= sum_x * sum_x / period
        yy -= sum_y * sum_y / period
        xy -= sum_x * sum_y / period
        if xx > 0.0 and yy > 0.0:
            near_zero = abs(xy / period) <= PINE_TOLERANCE
            correlations[t] = 0.0 if near_zero else xy / np.sqrt(xx * yy)
    return correlations
