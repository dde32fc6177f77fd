"""Moving averages in TradingView's forms.

Two families. Window averages (sma, wma, hma, alma, swma, vwma) forget after `period` bars; wma,
alma and swma sum each window anew, oldest value first, so nothing can drift. Recursive averages
(ema, rma and what is built on them) never forget; they start at the SMA of the first `period`
finite values, and the order of operations in their step is TradingView's, to the last bit.
"""

from functools import partial
from math import floor, isqrt

import numpy as np

from engines.features._columns import (
    aligned,
    column,
    lagged,
    over_finite,
    over_finite_remembered,
    ratio,
    require_period,
    require_positive,
)
from engines.features._compiled import compiled
from engines.features._recursions import exponential_means, wilder_means
from engines.features._shared import shared
from engines.features._windows import window_sums
from engines.types import F64_1D


@shared
def sma(source: F64_1D, period: int) -> F64_1D:
    """Return the simple moving average: sum of the last `period` values / period.

    Shape: source [T] -> [T]; the first `period - 1` values are NaN, counted from the first finite.
    Raises: ValueError if period < 1.
    Source: TradingView ta.sma.
    """
    require_period("period", period)
    sums = over_finite_remembered(partial(window_sums, period=period), column("source", source))
    sums /= period
    return sums


@shared
def ema(source: F64_1D, period: int) -> F64_1D:
    """Return the exponential moving average: e += 2 / (period + 1) x (source - e).

    Shape: source [T] -> [T]; the first `period - 1` values are NaN, then the SMA seeds it.
    Raises: ValueError if period < 1.
    Source: TradingView ta.ema.
    """
    require_period("period", period)
    return over_finite_remembered(
        partial(exponential_means, period=period), column("source", source)
    )


@shared
def rma(source: F64_1D, period: int) -> F64_1D:
    """Return Wilder's smoothing: r = (r x (period - 1) + source) / period.

    Shape: source [T] -> [T]; the first `period - 1` values are NaN, then the SMA seeds it.
    Raises: ValueError if period < 1.
    Source: Wilder (1978); TradingView ta.rma.
    """
    require_period("period", period)
    return over_finite_remembered(partial(wilder_means, period=period), column("source", source))


@shared
def wma(source: F64_1D, period: int) -> F64_1D:
    """Return the linearly weighted moving average, the newest value weighing `period`.

    Shape: source [T] -> [T]; NaN until `period` finite values exist, and on NaN bars. As in Pine
    a NaN inside the window stands for the value before it.
    Raises: ValueError if period < 1.
    Source: TradingView ta.wma.
    """
    require_period("period", period)
    return _weighted_means(column("source", source), period)


@shared
def hma(source: F64_1D, period: int) -> F64_1D:
    """Return Hull's average: WMA(2 x WMA(period // 2) - WMA(period), floor(sqrt(period))).

    Shape: source [T] -> [T]; the first `period + isqrt(period) - 2` values are NaN.
    Raises: ValueError if period < 2.
    Source: Alan Hull (2005); TradingView ta.hma.
    """
    require_period("period", period, minimum=2)
    return over_finite(partial(_hull, period=period), column("source", source))


@shared
def alma(
    source: F64_1D,
    period: int,
    offset: float = 0.85,
    sigma: float = 6.0,
    *,
    floor_offset: bool = False,
) -> F64_1D:
    """Return the Arnaud Legoux average: a Gaussian of width period / sigma, centred at offset.

    Weight of the i-th oldest value: exp(-(i - m)^2 / (2 s^2)), m = offset x (period - 1),
    s = period / sigma, divided by their sum.
    Shape: source [T] -> [T]; the first `period - 1` values are NaN; NaN for a window with a NaN.
    Raises: ValueError if period < 1 or sigma <= 0.
    Source: Legoux and Kouzis-Loukas (2009); TradingView ta.alma.
    """
    require_period("period", period)
    require_positive("sigma", sigma)
    centre = offset * (period - 1)
    if floor_offset:
        centre = floor(centre)
    width = period / sigma
    weights = np.exp(-((np.arange(period) - centre) ** 2) / (2.0 * width * width))
    return _dot_windows(column("source", source), column("weights", weights / weights.sum()))


@shared
def swma(source: F64_1D) -> F64_1D:
    """Return the symmetrically weighted average of four bars: weights 1, 2, 2, 1, over 6.

    Shape: source [T] -> [T]; the first 3 values are NaN; NaN for a window with a NaN.
    Source: TradingView ta.swma.
    """
    source = column("source", source)
    inner = 2.0 * lagged(source, 1) + 2.0 * lagged(source, 2)
    return (source + inner + lagged(source, 3)) / 6.0


@shared
def vwma(source: F64_1D, volume: F64_1D, period: int) -> F64_1D:
    """Return the volume-weighted moving average: SMA(source x volume) / SMA(volume).

    Shape: source, volume [T] -> [T]; the first `period - 1` values are NaN; NaN without volume.
    Raises: ValueError if period < 1 or the lengths differ.
    Source: TradingView ta.vwma.
    """
    source, volume = aligned(source=source, volume=volume)
    return ratio(sma(source * volume, period), sma(volume, period))


@shared
def dema(source: F64_1D, period: int) -> F64_1D:
    """Return the double exponential average: 2 x EMA - EMA(EMA).

    Shape: source [T] -> [T]; the first `2 x period - 2` values are NaN.
    Raises: ValueError if period < 1.
    Source: Mulloy (1994); TradingView's built-in "Double EMA".
    """
    once = ema(source, period)
    return 2.0 * once - ema(once, period)


@shared
def tema(source: F64_1D, period: int) -> F64_1D:
    """Return the triple exponential average: 3 x (EMA - EMA(EMA)) + EMA(EMA(EMA)).

    Shape: source [T] -> [T]; the first `3 x period - 3` values are NaN.
    Raises: ValueError if period < 1.
    Source: Mulloy (1994); TradingView's built-in "Triple EMA".
    """
    once = ema(source, period)
    twice = ema(once, period)
    return 3.0 * (once - twice) + ema(twice, period)


def _hull(source: F64_1D, period: int) -> F64_1D:
    raw = 2.0 * wma(source, period // 2) - wma(source, period)
    return wma(raw, isqrt(period))


@compiled
def _weighted_means(source: F64_1D, period: int) -> F64_1D:
    means = np.full(source.size, np.nan)
    filled = np.empty(source.size)
    weight_sum = period * (period + 1) / 2.0
    last = np.nan
    count = 0
    for t in range(source.size):
        finite = np.isfinite(source[t])
        if finite:
            last = source[t]
            count += 1
        filled[t] = last
        if finite and count >= period:
            total = 0.0
            weight = 0.0
            for k in range(t - period + 1, t + 1):
                weight += 1.0
                total += filled[k] * weight
            means[t] = total / weight_sum
    return means


@compiled
def _dot_windows(source: F64_1D, weights: F64_1D) -> F64_1D:
    dots = np.full(source.size, np.nan)
    for t in range(weights.size - 1, source.size):
        total = 0.0
        for k in range(weights.size):
            total += source[t - weights.size + 1 + k] * weights[k]
        dots[t] = total
    return dots
