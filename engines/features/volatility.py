"""Volatility: true range, its average, and where today's stands among the past."""

from math import log10

import numpy as np

from engines.features._columns import aligned, column, lagged, ratio, require_period
from engines.features._recursions import range_means
from engines.features._shared import shared
from engines.features.extremes import highest, lowest
from engines.features.moving_averages import rma
from engines.features.ranks import percent_rank
from engines.features.sums import rolling_sum
from engines.types import F64_1D


@shared
def true_range(high: F64_1D, low: F64_1D, close: F64_1D, *, handle_na: bool = False) -> F64_1D:
    """Return max(high - low, |high - previous close|, |low - previous close|).

    Without a previous close it is NaN, or high - low if handle_na.
    Shape: high, low, close [T] -> [T]; the first value is NaN unless handle_na.
    Raises: ValueError if the lengths differ.
    Source: Wilder (1978); TradingView ta.tr(handle_na).
    """
    high, low, close = aligned(high=high, low=low, close=close)
    before = lagged(close, 1)
    spans = np.maximum(np.abs(high - before), np.abs(low - before))
    widest = np.maximum(high - low, spans)
    return np.where(np.isnan(before), high - low, widest) if handle_na else widest


@shared
def atr(high: F64_1D, low: F64_1D, close: F64_1D, period: int = 14) -> F64_1D:
    """Return the average true range: RMA of the true range, the first bar's being high - low.

    Shape: high, low, close [T] -> [T]; the first `period - 1` values are NaN.
    Raises: ValueError if period < 1 or the lengths differ.
    Source: Wilder (1978); TradingView ta.atr.
    """
    require_period("period", period)
    high, low, close = aligned(high=high, low=low, close=close)
    if high.size >= period:
        first = slice(period)
        means = range_means(
            high, low, close, true_range(high[first], low[first], close[first], handle_na=True)
        )
        if np.isfinite(means[-1]):
            return means
    return rma(true_range(high, low, close, handle_na=True), period)


@shared
def atr_pct(high: F64_1D, low: F64_1D, close: F64_1D, period: int = 14) -> F64_1D:
    """Return the average true range in percent of the close.

    Shape: high, low, close [T] -> [T]; the first `period - 1` values are NaN.
    Raises: ValueError if period < 1 or the lengths differ.
    Source: "normalised ATR", John Forman (2006).
    """
    return ratio(100.0 * atr(high, low, close, period), column("close", close))


@shared
def volatility_percentile(
    high: F64_1D, low: F64_1D, close: F64_1D, atr_period: int = 14, lookback: int = 100
) -> F64_1D:
    """Return the percent rank of ATR % of close among its previous `lookback` values.

    Shape: high, low, close [T] -> [T] in 0-100; the first `atr_period - 1 + lookback` are NaN.
    Raises: ValueError if a period < 1 or the lengths differ.
    """
    return percent_rank(atr_pct(high, low, close, atr_period), lookback)


@shared
def range_pct(high: F64_1D, low: F64_1D, close: F64_1D, period: int = 20) -> F64_1D:
    """Return the span from lowest low to highest high of `period` bars in percent of the close.

    Shape: high, low, close [T] -> [T]; the first `period - 1` values are NaN.
    Raises: ValueError if period < 1 or the lengths differ.
    """
    high, low, close = aligned(high=high, low=low, close=close)
    return ratio(100.0 * (highest(high, period) - lowest(low, period)), close)


@shared
def choppiness(high: F64_1D, low: F64_1D, close: F64_1D, period: int = 14) -> F64_1D:
    """Return the choppiness index: 100 x log10(sum of true ranges / span) / log10(period).

    Shape: high, low, close [T] -> [T]; the first `period - 1` values are NaN; NaN when flat.
    Raises: ValueError if period < 2 or the lengths differ.
    Source: E. W. Dreiss; TradingView's built-in "Choppiness Index".
    """
    require_period("period", period, minimum=2)
    high, low, close = aligned(high=high, low=low, close=close)
    walked = rolling_sum(true_range(high, low, close, handle_na=True), period)
    span = highest(high, period) - lowest(low, period)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_ratio: F64_1D = np.log10(ratio(walked, span))
    return 100.0 * log_ratio / log10(period)
