"""Regime: does the price persist or revert?

Theory of operation. Of a random walk the mean squared difference over a lag grows with the lag to
the power 2H, H = 0.5; trends grow faster, mean reversion slower. The estimator is the structure
function of second order: the slope of log(mean squared difference of log prices) against log(lag),
halved, over lags 1, 2, 4, ... within the window. Differences are not centred, so a drift counts as
a trend, which is what a regime filter asks. Chosen over the rescaled range (Hurst 1951) because
that is biased upwards, near 0.6 for a random walk of 100 bars (Anis and Lloyd 1976), above the
filter's own threshold.
"""

import numpy as np

from engines.features._columns import column, require_period
from engines.features._compiled import compiled
from engines.features._shared import shared
from engines.types import F64_1D

# The largest lag is at most this part of the window, so that its mean has enough differences.
LAG_SHARE_MAX = 5


@shared
def hurst(source: F64_1D, period: int = 100) -> F64_1D:
    """Return the Hurst exponent of the last `period` log prices: > 0.5 trends, < 0.5 reverts.

    Shape: source [T], prices > 0 -> [T]; the first `period - 1` values are NaN; NaN for a window
    with a NaN or a price <= 0, and where its differences are all zero at some lag. Lags: powers
    of two up to period / 5.
    Raises: ValueError if period < 20.
    Source: structure function of order 2, as in Di Matteo (2007), "generalised Hurst exponent".
    """
    require_period("period", period, minimum=4 * LAG_SHARE_MAX)
    source = column("source", source)
    log_price = np.log(np.where(source > 0.0, source, np.nan))
    exponents = np.zeros(source.size)
    lags = [2**power for power in range((period // LAG_SHARE_MAX).bit_length())]
    log_lag = np.log(lags) - np.log(lags).mean()
    for lag, weight in zip(lags, log_lag / (log_lag**2).sum(), strict=True):
        squares = _mean_squares(column("log_price", log_price), period, lag)
        exponents += weight * np.log(np.where(squares > 0.0, squares, np.nan))
    return exponents / 2.0


@compiled
def _mean_squares(source: F64_1D, period: int, lag: int) -> F64_1D:
    """Return the mean squared difference over the lag within the last `period` values."""
    means = np.full(source.size, np.nan)
    for t in range(period - 1, source.size):
        total = 0.0
        for k in range(t - period + 1 + lag, t + 1):
            difference = source[k] - source[k - lag]
            total += difference * difference
        means[t] = total / (period - lag)
    return means
