"""Channels around a price: Bollinger, Keltner, Donchian."""

from typing import NamedTuple

import numpy as np

from engines.features._columns import aligned, column, ratio, require_period, require_positive
from engines.features._shared import is_sharing, shared
from engines.features._windows import window_bands
from engines.features.extremes import highest, lowest
from engines.features.moving_averages import ema, sma
from engines.features.statistics import stdev
from engines.features.volatility import true_range
from engines.types import F64_1D


class Channel(NamedTuple):
    """Middle, upper and lower line, [T] each."""

    middle: F64_1D
    upper: F64_1D
    lower: F64_1D


@shared
def bollinger(source: F64_1D, period: int = 20, multiplier: float = 2.0) -> Channel:
    """Return Bollinger bands: SMA +/- multiplier x population standard deviation.

    Shape: source [T] -> [T] each; the first `period - 1` values are NaN.
    Raises: ValueError if period < 1 or multiplier <= 0.
    Source: John Bollinger; TradingView ta.bb.
    """
    require_positive("multiplier", multiplier)
    require_period("period", period)
    source = column("source", source)
    if not is_sharing():  # else bands of other widths have the mean and the deviation in common
        bands = window_bands(source, period, multiplier)
        if np.isfinite(bands[0][-1:]).all():  # a mean remembers what was not finite
            return Channel(*bands)
    middle = sma(source, period)
    reach = stdev(source, period) * multiplier
    return Channel(middle, middle + reach, middle - reach)


@shared
def bollinger_width(source: F64_1D, period: int = 20, multiplier: float = 2.0) -> F64_1D:
    """Return the width of the Bollinger bands in percent: 100 x (upper - lower) / middle.

    Shape: source [T] -> [T]; the first `period - 1` values are NaN.
    Raises: ValueError if period < 1 or multiplier <= 0.
    Source: TradingView ta.bbw.
    """
    bands = bollinger(source, period, multiplier)
    return ratio(100.0 * (bands.upper - bands.lower), bands.middle)


@shared
def bollinger_position(source: F64_1D, period: int = 20, multiplier: float = 2.0) -> F64_1D:
    """Return %B: (source - lower) / (upper - lower) of the Bollinger bands, 0 lower and 1 upper.

    Shape: source [T] -> [T]; the first `period - 1` values are NaN; NaN when flat.
    Raises: ValueError if period < 1 or multiplier <= 0.
    Source: TradingView's built-in "Bollinger Bands %b".
    """
    bands = bollinger(source, period, multiplier)
    return ratio(column("source", source) - bands.lower, bands.upper - bands.lower)


@shared
def keltner(
    source: F64_1D,
    high: F64_1D,
    low: F64_1D,
    close: F64_1D,
    period: int = 20,
    multiplier: float = 2.0,
    *,
    use_true_range: bool = True,
) -> Channel:
    """Return Keltner channels: EMA(source) +/- multiplier x EMA(true range, or high - low).

    Shape: source, high, low, close [T] -> [T] each; the middle starts at bar period - 1, the
    others one bar later, or with it if not use_true_range.
    Raises: ValueError if period < 1, multiplier <= 0 or the lengths differ.
    Source: Chester Keltner, Linda Raschke; TradingView ta.kc.
    """
    require_positive("multiplier", multiplier)
    source, high, low, close = aligned(source=source, high=high, low=low, close=close)
    middle = ema(source, period)
    span = true_range(high, low, close) if use_true_range else high - low
    reach = ema(span, period) * multiplier
    return Channel(middle, middle + reach, middle - reach)


@shared
def keltner_width(
    source: F64_1D,
    high: F64_1D,
    low: F64_1D,
    close: F64_1D,
    period: int = 20,
    multiplier: float = 2.0,
    *,
    use_true_range: bool = True,
) -> F64_1D:
    """Return the width of the Keltner channels as a ratio: (upper - lower) / middle.

    Shape: source, high, low, close [T] -> [T]; warm-up as the upper line of `keltner`.
    Raises: ValueError if period < 1, multiplier <= 0 or the lengths differ.
    Source: TradingView ta.kcw.
    """
    lines = keltner(source, high, low, close, period, multiplier, use_true_range=use_true_range)
    return ratio(lines.upper - lines.lower, lines.middle)


@shared
def donchian(high: F64_1D, low: F64_1D, period: int = 20) -> Channel:
    """Return the Donchian channel: highest high and lowest low of `period` bars, and their mean.

    The current bar is part of the window; a breakout compares with the previous bar's channel.
    Shape: high, low [T] -> [T] each; the first `period - 1` values are NaN.
    Raises: ValueError if period < 1 or the lengths differ.
    Source: Richard Donchian; TradingView's built-in "Donchian Channels".
    """
    high, low = aligned(high=high, low=low)
    upper = highest(high, period)
    lower = lowest(low, period)
    return Channel((upper + lower) / 2.0, upper, lower)
