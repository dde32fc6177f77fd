"""Trend: directional movement, trailing stops that reverse, Ichimoku, Aroon."""

from typing import NamedTuple

import numpy as np

from engines.features._columns import (
    PINE_TOLERANCE,
    aligned,
    column,
    lagged,
    ratio,
    require_period,
    require_positive,
)
from engines.features._compiled import compiled
from engines.features._shared import shared
from engines.features.events import change
from engines.features.extremes import highest, highest_bars, lowest, lowest_bars
from engines.features.moving_averages import rma
from engines.features.volatility import atr, true_range
from engines.types import F64_1D


class Dmi(NamedTuple):
    """+DI, -DI and ADX, 0-100, [T] each."""

    plus: F64_1D
    minus: F64_1D
    adx: F64_1D


class Supertrend(NamedTuple):
    """The trailing line and the direction, -1 in an up trend and 1 in a down trend, [T] each.

    `up` is the line while the trend is up (below the price), `down` while it is down, else NaN.
    """

    line: F64_1D
    direction: F64_1D
    up: F64_1D
    down: F64_1D


class Ichimoku(NamedTuple):
    """Lines as a trader sees them at the close of bar t, [T] each; no value uses a later bar.

    A chart draws the spans displacement - 1 bars ahead and the lagging span as many bars back. So
    `span_a` and `span_b` are the cloud over bar t, computed displacement - 1 bars ago;
    `span_a_ahead` and `span_b_ahead` are computed now, the cloud's leading edge; and the lagging
    span, today's close drawn back, is compared with the price there: `lagging_close`.
    """

    conversion: F64_1D
    base: F64_1D
    span_a: F64_1D
    span_b: F64_1D
    span_a_ahead: F64_1D
    span_b_ahead: F64_1D
    lagging_close: F64_1D


class Aroon(NamedTuple):
    """Aroon up and down, 0-100, [T] each."""

    up: F64_1D
    down: F64_1D


@shared
def dmi(high: F64_1D, low: F64_1D, close: F64_1D, period: int = 14, adx_smoothing: int = 14) -> Dmi:
    """Return the directional movement index: DI = 100 x RMA(movement) / RMA(true range), and ADX.

    ADX = 100 x RMA(|+DI - -DI| / (+DI + -DI), adx_smoothing). A movement counts if it is the
    larger of the two and positive, each by more than 1e-10, as in Pine.
    Shape: high, low, close [T] -> [T] each; the first `period` values are NaN, ADX starts
    adx_smoothing - 1 later.
    Raises: ValueError if a period < 1 or the lengths differ.
    Source: Wilder (1978); TradingView ta.dmi.
    """
    high, low, close = aligned(high=high, low=low, close=close)
    up = change(high)
    down = -change(low)
    undefined = np.isnan(up) | np.isnan(down)
    rose = (up - down > PINE_TOLERANCE) & (up > PINE_TOLERANCE)
    fell = (down - up > PINE_TOLERANCE) & (down > PINE_TOLERANCE)
    span = rma(true_range(high, low, close), period)
    plus_moves = np.where(undefined, np.nan, np.where(rose, up, 0.0))
    minus_moves = np.where(undefined, np.nan, np.where(fell, down, 0.0))
    plus = ratio(100.0 * rma(plus_moves, period), span)
    minus = ratio(100.0 * rma(minus_moves, period), span)
    total = plus + minus
    strength = np.abs(plus - minus) / np.where(total == 0.0, 1.0, total)
    return Dmi(plus, minus, 100.0 * rma(strength, adx_smoothing))


@shared
def parabolic_sar(
    high: F64_1D,
    low: F64_1D,
    start: float = 0.02,
    increment: float = 0.02,
    maximum: float = 0.2,
) -> F64_1D:
    """Return the parabolic stop-and-reverse: sar += acceleration x (extreme - sar).

    Shape: high, low [T] -> [T]; the first value is NaN; NaN for good after a NaN bar.
    Raises: ValueError if the lengths differ.
    Source: Wilder (1978); TradingView ta.sar; the first trend is down if the second high is lower.
    """
    high, low = aligned(high=high, low=low)
    return _stop_and_reverse(high, low, start, increment, maximum)


@shared
def supertrend(
    high: F64_1D, low: F64_1D, close: F64_1D, factor: float = 3.0, atr_period: int = 10
) -> Supertrend:
    """Return the supertrend: hl2 +/- factor x ATR, trailing, flipped when the close passes it.

    Shape: high, low, close [T] -> [T] each; the first `atr_period - 1` values are NaN (TradingView
    shows 0 on the very first bar, a placeholder). The first direction is 1, a down trend.
    Raises: ValueError if factor <= 0, atr_period < 1 or the lengths differ.
    Source: Olivier Seban; TradingView ta.supertrend.
    """
    require_positive("factor", factor)
    high, low, close = aligned(high=high, low=low, close=close)
    centre = (high + low) / 2.0
    reach = factor * atr(high, low, close, atr_period)
    floor = column("floor", centre - reach)
    ceiling = column("ceiling", centre + reach)
    line, direction = _trailing_lines(close, floor, ceiling)
    up = np.where(direction < 0.0, line, np.nan)
    return Supertrend(line, direction, up, np.where(direction > 0.0, line, np.nan))


@shared
def chandelier_exit(
    high: F64_1D, low: F64_1D, close: F64_1D, period: int = 22, factor: float = 3.0
) -> tuple[F64_1D, F64_1D]:
    """Return the chandelier stops: for longs highest high - factor x ATR, for shorts mirrored.

    Shape: high, low, close [T] -> ([T], [T]); the first `period - 1` values are NaN.
    Raises: ValueError if factor <= 0, period < 1 or the lengths differ.
    Source: Chuck LeBeau; Elder (2002).
    """
    require_positive("factor", factor)
    reach = factor * atr(high, low, close, period)
    return highest(high, period) - reach, lowest(low, period) + reach


@shared
def ichimoku(
    high: F64_1D,
    low: F64_1D,
    close: F64_1D,
    conversion_period: int = 9,
    base_period: int = 26,
    span_b_period: int = 52,
    displacement: int = 26,
) -> Ichimoku:
    """Return the Ichimoku lines: middles of the high-low range over three periods.

    Conversion and base are the middles over their periods, span A their mean, span B the middle
    over its period; `Ichimoku` says how displacement is made causal.
    Shape: high, low, close [T] -> [T] each; a middle over n bars has n - 1 NaN, the spans
    displacement - 1 more.
    Raises: ValueError if a period or displacement < 1 or the lengths differ.
    Source: Goichi Hosoda (1969); TradingView's built-in "Ichimoku Cloud".
    """
    require_period("displacement", displacement)
    high, low, close = aligned(high=high, low=low, close=close)
    conversion = (highest(high, conversion_period) + lowest(low, conversion_period)) / 2.0
    base = (highest(high, base_period) + lowest(low, base_period)) / 2.0
    ahead_a = (conversion + base) / 2.0
    ahead_b = (highest(high, span_b_period) + lowest(low, span_b_period)) / 2.0
    shift = displacement - 1
    return Ichimoku(
        conversion=conversion,
        base=base,
        span_a=lagged(ahead_a, shift),
        span_b=lagged(ahead_b, shift),
        span_a_ahead=ahead_a,
        span_b_ahead=ahead_b,
        lagging_close=lagged(close, shift),
    )


@shared
def aroon(high: F64_1D, low: F64_1D, period: int = 14) -> Aroon:
    """Return Aroon: 100 x (period - bars since the extreme of period + 1 bars) / period.

    Shape: high, low [T] -> [T] each; the first `period` values are NaN.
    Raises: ValueError if period < 1 or the lengths differ.
    Source: Tushar Chande (1995); TradingView's built-in "Aroon".
    """
    require_period("period", period)
    high, low = aligned(high=high, low=low)
    up = 100.0 * (highest_bars(high, period + 1) + period) / period
    return Aroon(up, 100.0 * (lowest_bars(low, period + 1) + period) / period)


@compiled
def _stop_and_reverse(
    high: F64_1D, low: F64_1D, start: float, increment: float, maximum: float
) -> F64_1D:
    stops = np.full(high.size, np.nan)
    if high.size < 2:
        return stops
    falling = high[0] > high[1]
    stop = high[0] if falling else low[0]
    extreme = low[1] if falling else high[1]
    acceleration = start
    stops[1] = stop
    for t in range(2, high.size):
        stop += acceleration * (extreme - stop)
        # A falling trend is a rising one of the mirrored prices, so one set of rules serves both.
        side = -1.0 if falling else 1.0
        best, worst = (low, high) if falling else (high, low)
        if side * worst[t] < side * stop:
            falling = not falling
            acceleration = start
            beyond = max(side * best[t], side * best[t - 1], side * best[t - 2])
            stop = side * max(side * extreme, beyond)
            extreme = worst[t]
        else:
            stop = side * min(side * stop, side * worst[t - 1], side * worst[t - 2])
            if side * best[t] > side * extreme:
                extreme = best[t]
                acceleration = min(acceleration + increment, maximum)
        stops[t] = stop
    return stops


@compiled
def _trailing_lines(close: F64_1D, floor: F64_1D, ceiling: F64_1D) -> tuple[F64_1D, F64_1D]:
    line = np.full(close.size, np.nan)
    direction = np.full(close.size, np.nan)
    # The last bar on which the bands were defined, -1 before the first.
    last = -1
    low_band = high_band = np.nan
    side = 1.0
    for t in range(close.size):
        if np.isnan(floor[t]) or np.isnan(ceiling[t]):
            continue
        if last < 0:
            low_band, high_band = floor[t], ceiling[t]
        else:
            if floor[t] > low_band or close[last] < low_band:
                low_band = floor[t]
            # The side is decided by the line held so far, before the upper band moves on.
            held_high = line[last] == high_band
            if ceiling[t] < high_band or close[last] > high_band:
                high_band = ceiling[t]
            if held_high:
                side = -1.0 if close[t] > high_band else 1.0
            else:
                side = 1.0 if close[t] < low_band else -1.0
        line[t] = high_band if side > 0.0 else low_band
        direction[t] = side
        last = t
    return line, direction
