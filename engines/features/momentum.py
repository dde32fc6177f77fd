"""Momentum: how far and how steadily the source has moved."""

from functools import partial
from typing import NamedTuple

import numpy as np

from engines.features._columns import (
    PINE_TOLERANCE,
    column,
    lagged,
    over_finite,
    ratio,
    require_period,
)
from engines.features._compiled import compiled
from engines.features._shared import shared
from engines.features.events import change
from engines.features.moving_averages import ema, sma
from engines.features.statistics import mean_deviation
from engines.features.sums import rolling_sum
from engines.types import F64_1D


class Macd(NamedTuple):
    """MACD line, its signal line and their difference, [T] each."""

    macd: F64_1D
    signal: F64_1D
    histogram: F64_1D


@shared
def macd(source: F64_1D, fast: int = 12, slow: int = 26, signal: int = 9) -> Macd:
    """Return the moving average convergence divergence: EMA(fast) - EMA(slow), EMA(signal) of it.

    Shape: source [T] -> [T] each; the line starts at bar max(fast, slow) - 1, signal and histogram
    signal - 1 later.
    Raises: ValueError if a period < 1.
    Source: Gerald Appel; TradingView ta.macd.
    """
    line = macd_line(source, fast, slow)
    signal_line = ema(line, signal)
    return Macd(line, signal_line, line - signal_line)


@shared
def macd_line(source: F64_1D, fast: int = 12, slow: int = 26) -> F64_1D:
    """Return the line of `macd` alone, which its signals of all periods have in common.

    Shape: source [T] -> [T]; starts at bar max(fast, slow) - 1.
    Raises: ValueError if a period < 1.
    Source: as `macd`.
    """
    return ema(source, fast) - ema(source, slow)


@shared
def roc(source: F64_1D, period: int) -> F64_1D:
    """Return the rate of change in percent: 100 x (source - source of `period` ago) / the latter.

    Shape: source [T] -> [T]; the first `period` values are NaN.
    Raises: ValueError if period < 1.
    Source: TradingView ta.roc.
    """
    source = column("source", source)
    return ratio(100.0 * change(source, period), lagged(source, period))


@shared
def momentum(source: F64_1D, period: int) -> F64_1D:
    """Return the momentum: the source minus its value `period` bars ago.

    Shape: source [T] -> [T]; the first `period` values are NaN.
    Raises: ValueError if period < 1.
    Source: TradingView ta.mom.
    """
    return change(source, period)


@shared
def tsi(source: F64_1D, short: int, long: int) -> F64_1D:
    """Return the true strength index: EMA(EMA(change, long), short) / the same of |change|.

    Shape: source [T] -> [T] in -1-1; the first `long + short - 1` values are NaN; NaN when flat.
    Raises: ValueError if a period < 1.
    Source: William Blau (1991); TradingView ta.tsi.
    """
    step = change(source)
    return ratio(ema(ema(step, long), short), ema(ema(np.abs(step), long), short))


@shared
def cmo(source: F64_1D, period: int) -> F64_1D:
    """Return Chande's momentum oscillator: 100 x (rises - falls) / (rises + falls) of `period`.

    Shape: source [T] -> [T] in -100-100; the first `period` values are NaN; NaN when flat.
    Raises: ValueError if period < 1.
    Source: Chande and Kroll (1994); TradingView ta.cmo; a fall within 1e-10 counts as no fall.
    """
    step = change(source)
    falling = step < -PINE_TOLERANCE
    rises = rolling_sum(np.where(falling, 0.0, step), period)
    falls = rolling_sum(np.where(np.isnan(step), step, np.where(falling, -step, 0.0)), period)
    return ratio(100.0 * (rises - falls), rises + falls)


@shared
def cci(source: F64_1D, period: int) -> F64_1D:
    """Return the commodity channel index: (source - SMA) / (0.015 x mean deviation).

    Shape: source [T] -> [T]; the first `period - 1` values are NaN; NaN when flat.
    Raises: ValueError if period < 1.
    Source: Donald Lambert (1980), whose constant 0.015 is; TradingView ta.cci.
    """
    source = column("source", source)
    return ratio(source - sma(source, period), 0.015 * mean_deviation(source, period))


@shared
def cog(source: F64_1D, period: int) -> F64_1D:
    """Return the centre of gravity: -sum(source[i] x (i + 1)) / sum(source[i]), i bars ago.

    Shape: source [T] -> [T]; the first `period - 1` values are NaN; NaN for a zero sum.
    Raises: ValueError if period < 1.
    Source: John Ehlers (2002); TradingView ta.cog.
    """
    require_period("period", period)
    return over_finite(partial(_centres, period=period), column("source", source))


@compiled
def _centres(source: F64_1D, period: int) -> F64_1D:
    centres = np.full(source.size, np.nan)
    for t in range(period - 1, source.size):
        total = 0.0
        weighted = 0.0
        for bars_back in range(period):
            total += source[t - bars_back]
            weighted += source[t - bars_back] * (bars_back + 1)
        if total != 0.0:
            centres[t] = -weighted / total
    return centres
