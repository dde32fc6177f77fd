"""Oscillators bounded by construction: RSI and stochastic families, QQE, relative volatility."""

from functools import partial
from typing import NamedTuple

import numpy as np

from engines.features._columns import (
    aligned,
    column,
    over_finite_remembered,
    ratio,
    require_period,
    require_positive,
)
from engines.features._compiled import compiled
from engines.features._recursions import strengths
from engines.features._shared import shared
from engines.features.events import change
from engines.features.extremes import highest, lowest
from engines.features.moving_averages import ema, sma
from engines.features.statistics import stdev
from engines.types import F64_1D


class Stochastic(NamedTuple):
    """%K and its average %D, [T] each."""

    k: F64_1D
    d: F64_1D


class Qqe(NamedTuple):
    """Smoothed RSI, its trailing line and the trend, 1 up or -1 down, [T] each."""

    rsi_smoothed: F64_1D
    trailing_line: F64_1D
    trend: F64_1D


@shared
def rsi(source: F64_1D, period: int) -> F64_1D:
    """Return Wilder's relative strength index: 100 - 100 / (1 + RMA(rises) / RMA(falls)).

    As in Pine a smoothed side within 1e-10 of zero counts as zero: no falls give 100 (also with
    no rises), no rises give 0.
    Shape: source [T] -> [T] in 0-100; the first `period` values are NaN.
    Raises: ValueError if period < 1.
    Source: Wilder (1978); TradingView ta.rsi; smoothing is RMA (alpha = 1 / period), not EMA.
    """
    require_period("period", period)
    return over_finite_remembered(partial(strengths, period=period), column("source", source))


@shared
def stoch(source: F64_1D, high: F64_1D, low: F64_1D, period: int) -> F64_1D:
    """Return the raw stochastic %K: 100 x (source - lowest low) / (highest high - lowest low).

    Shape: source, high, low [T] -> [T]; the first `period - 1` values are NaN; NaN without range.
    Raises: ValueError if period < 1 or the lengths differ.
    Source: George Lane; TradingView ta.stoch; not clamped.
    """
    source, high, low = aligned(source=source, high=high, low=low)
    bottom = lowest(low, period)
    return ratio(100.0 * (source - bottom), highest(high, period) - bottom)


@shared
def slow_stoch(
    high: F64_1D, low: F64_1D, close: F64_1D, k_period: int = 14, d_period: int = 3, smooth: int = 3
) -> Stochastic:
    """Return the slow stochastic: %K = SMA(raw %K, smooth), %D = SMA(%K, d_period).

    Shape: high, low, close [T] -> [T] each; %K starts at bar k_period + smooth - 2, %D d_period - 1
    later.
    Raises: ValueError if a period < 1 or the lengths differ.
    Source: TradingView's built-in "Stochastic".
    """
    k = sma(stoch(close, high, low, k_period), smooth)
    return Stochastic(k, sma(k, d_period))


@shared
def stoch_rsi(
    source: F64_1D,
    rsi_period: int = 14,
    stoch_period: int = 14,
    k_smooth: int = 3,
    d_smooth: int = 3,
) -> Stochastic:
    """Return the stochastic of the RSI: %K = SMA(stoch(RSI), k_smooth), %D = SMA(%K, d_smooth).

    Shape: source [T] -> [T] each, 0-100; warm-up as in Pine, whose windows of extremes may start
    before they are full: with rsi_period >= stoch_period the raw %K starts at bar rsi_period + 1.
    Raises: ValueError if a period < 1.
    Source: Chande and Kroll (1994); TradingView's built-in "Stochastic RSI".
    """
    strength = rsi(source, rsi_period)
    k = sma(stoch(strength, strength, strength, stoch_period), k_smooth)
    return Stochastic(k, sma(k, d_smooth))


@shared
def wpr(high: F64_1D, low: F64_1D, close: F64_1D, period: int) -> F64_1D:
    """Return Williams' %R: 100 x (close - highest high) / (highest high - lowest low).

    Shape: high, low, close [T] -> [T] in -100-0; the first `period - 1` values are NaN; NaN
    without range.
    Raises: ValueError if period < 1 or the lengths differ.
    Source: Larry Williams; TradingView ta.wpr.
    """
    high, low, close = aligned(high=high, low=low, close=close)
    top = highest(high, period)
    return ratio(100.0 * (close - top), top - lowest(low, period))


@shared
def relative_volatility_index(source: F64_1D, period: int = 10, smoothing: int = 14) -> F64_1D:
    """Return Dorsey's relative volatility index: 100 x EMA(up) / (EMA(up) + EMA(down)).

    Up is the standard deviation of `period` bars where the source rose, else 0; down where it did
    not. This is "RVI" as TradingView's "Relative Volatility Index"; the relative vigor index
    shares the letters only. As in Pine, a bar on which one side is 0 counts for that side before
    the deviation exists, so the first value depends on the prices.
    Shape: source [T] -> [T] in 0-100; NaN for at most the first `period + smoothing - 2` values.
    Raises: ValueError if a period < 1.
    Source: Donald Dorsey (1993); TradingView's built-in "Relative Volatility Index".
    """
    source = column("source", source)
    deviation = stdev(source, period)
    step = change(source)
    up = ema(np.where(step <= 0.0, 0.0, deviation), smoothing)
    down = ema(np.where(step > 0.0, 0.0, deviation), smoothing)
    return ratio(100.0 * up, up + down)


@shared
def qqe(source: F64_1D, period: int = 14, smooth: int = 5, factor: float = 4.236) -> Qqe:
    """Return the quantitative qualitative estimation: smoothed RSI with a trailing line.

    The line trails EMA(RSI, smooth) at a distance of factor x EMA(EMA(|its change|, w), w) with
    w = 2 x period - 1; it flips when the smoothed RSI crosses the line of the other side.
    Shape: source [T] -> [T] each; line and trend start at bar period + smooth + 2 w - 2.
    Raises: ValueError if a period < 1 or factor <= 0.
    Source: Igor Livshin, Roman Ignatov; the form of Glaz's TradingView script.
    """
    require_period("smooth", smooth)
    require_positive("factor", factor)
    smoothed = ema(rsi(source, period), smooth)
    wilder_period = 2 * period - 1
    step_size = ema(ema(np.abs(change(smoothed)), wilder_period), wilder_period)
    line, trend = _trail(column("smoothed", smoothed), column("distance", step_size * factor))
    return Qqe(smoothed, line, trend)


@compiled
def _trail(smoothed: F64_1D, distance: F64_1D) -> tuple[F64_1D, F64_1D]:
    line = np.full(smoothed.size, np.nan)
    trend = np.full(smoothed.size, np.nan)
    # The bands of the last two bars: a cross compares the RSI with the band one bar earlier.
    floor = floor_before = np.nan
    ceiling = ceiling_before = np.nan
    direction = 1.0
    for t in range(1, smoothed.size):
        now = smoothed[t]
        before = smoothed[t - 1]
        if np.isnan(distance[t]):
            continue
        crossed_ceiling = (before <= ceiling_before and now > ceiling) or (
            before >= ceiling_before and now < ceiling
        )
        crossed_floor = (before <= floor_before and now > floor) or (
            before >= floor_before and now < floor
        )
        if crossed_ceiling:
            direction = 1.0
        elif crossed_floor:
            direction = -1.0
        floor_next = now - distance[t]
        ceiling_next = now + distance[t]
        if before > floor and now > floor:
            floor_next = max(floor, floor_next)
        if before < ceiling and now < ceiling:
            ceiling_next = min(ceiling, ceiling_next)
        floor_before, ceiling_before = floor, ceiling
        floor, ceiling = floor_next, ceiling_next
        trend[t] = direction
        line[t] = floor if direction > 0.0 else ceiling
    return line, trend
