"""Features of price and volume: money flow, volume indices, accumulation.

The cumulative ones start at the first bar of the klines, so only their changes carry meaning: the
same bar has another level in a longer history. Bars without range, or with the division otherwise
undefined, add nothing to them.
"""

import numpy as np

from engines.features._columns import (
    PINE_TOLERANCE,
    aligned,
    lagged,
    ratio,
    require_period,
)
from engines.features._compiled import compiled
from engines.features._shared import shared
from engines.features.events import change
from engines.features.sums import cumulative_sum, rolling_sum
from engines.types import BOOL_1D, F64_1D


@shared
def obv(close: F64_1D, volume: F64_1D) -> F64_1D:
    """Return the on-balance volume: cumulative volume x sign(change of close).

    Shape: close, volume [T] -> [T]; the first value is NaN.
    Raises: ValueError if the lengths differ.
    Source: Joseph Granville (1963); TradingView ta.obv.
    """
    close, volume = aligned(close=close, volume=volume)
    return cumulative_sum(np.sign(change(close)) * volume)


@shared
def accdist(high: F64_1D, low: F64_1D, close: F64_1D, volume: F64_1D) -> F64_1D:
    """Return accumulation/distribution: cumulative ((c - l) - (h - c)) / (h - l) x volume.

    Shape: high, low, close, volume [T] -> [T]; no warm-up.
    Raises: ValueError if the lengths differ.
    Source: Marc Chaikin; TradingView ta.accdist.
    """
    high, low, close, volume = aligned(high=high, low=low, close=close, volume=volume)
    flow = ratio((close - low) - (high - close), high - low) * volume
    return np.cumsum(np.where(np.isfinite(flow), flow, 0.0))


@shared
def pvi(close: F64_1D, volume: F64_1D) -> F64_1D:
    """Return the positive volume index: compounds the close's return on bars of rising volume.

    Shape: close, volume [T] -> [T], 1 on the first bar.
    Raises: ValueError if the lengths differ.
    Source: Paul Dysart; TradingView ta.pvi.
    """
    close, volume = aligned(close=close, volume=volume)
    return _compounded(close, change(volume) > 0.0)


@shared
def nvi(close: F64_1D, volume: F64_1D) -> F64_1D:
    """Return the negative volume index: compounds the close's return on bars of falling volume.

    Shape: close, volume [T] -> [T], 1 on the first bar.
    Raises: ValueError if the lengths differ.
    Source: Paul Dysart; TradingView ta.nvi.
    """
    close, volume = aligned(close=close, volume=volume)
    return _compounded(close, change(volume) < 0.0)


@shared
def pvt(close: F64_1D, volume: F64_1D) -> F64_1D:
    """Return the price volume trend: cumulative volume x return of the close.

    Shape: close, volume [T] -> [T]; the first value is NaN.
    Raises: ValueError if the lengths differ.
    Source: TradingView ta.pvt.
    """
    close, volume = aligned(close=close, volume=volume)
    return cumulative_sum(ratio(change(close), lagged(close, 1)) * volume)


@shared
def wad(high: F64_1D, low: F64_1D, close: F64_1D) -> F64_1D:
    """Return Williams' accumulation/distribution: cumulative close - true low, or - true high.

    Up bars add close - min(low, previous close), down bars close - max(high, previous close).
    Shape: high, low, close [T] -> [T], 0 on the first bar.
    Raises: ValueError if the lengths differ.
    Source: Larry Williams; TradingView ta.wad.
    """
    high, low, close = aligned(high=high, low=low, close=close)
    before = lagged(close, 1)
    step = close - before
    fallen = np.where(step < 0.0, close - np.maximum(high, before), 0.0)
    return np.cumsum(np.where(step > 0.0, close - np.minimum(low, before), fallen))


@shared
def wvad(open_: F64_1D, high: F64_1D, low: F64_1D, close: F64_1D, volume: F64_1D) -> F64_1D:
    """Return Williams' variable accumulation/distribution: (c - o) / (h - l) x volume.

    Shape: open_, high, low, close, volume [T] -> [T]; no warm-up; NaN on bars without range.
    Raises: ValueError if the lengths differ.
    Source: Larry Williams; TradingView ta.wvad.
    """
    open_, high, low, close, volume = aligned(
        open_=open_, high=high, low=low, close=close, volume=volume
    )
    return ratio(close - open_, high - low) * volume


@shared
def iii(high: F64_1D, low: F64_1D, close: F64_1D, volume: F64_1D) -> F64_1D:
    """Return the intraday intensity index: (2 c - h - l) / ((h - l) x volume).

    Shape: high, low, close, volume [T] -> [T]; no warm-up; NaN without range or volume.
    Raises: ValueError if the lengths differ.
    Source: David Bostian; TradingView ta.iii.
    """
    high, low, close, volume = aligned(high=high, low=low, close=close, volume=volume)
    return ratio(2.0 * close - high - low, (high - low) * volume)


@shared
def mfi(source: F64_1D, volume: F64_1D, period: int) -> F64_1D:
    """Return the money flow index: 100 - 100 / (1 + inflow / outflow) of the last `period` bars.

    Flow is source x volume, in where the source rose, out where it fell; as in Pine the first bar
    counts on both sides, a change within 1e-10 on neither, and no outflow gives 100.
    Shape: source, volume [T] -> [T] in 0-100; the first `period - 1` values are NaN.
    Raises: ValueError if period < 1 or the lengths differ.
    Source: Quong and Soudack (1989); TradingView ta.mfi, where the source is usually hlc3.
    """
    require_period("period", period)
    source, volume = aligned(source=source, volume=volume)
    step = change(source)
    flow = source * volume
    inflow = rolling_sum(np.where(step <= PINE_TOLERANCE, 0.0 * flow, flow), period)
    outflow = rolling_sum(np.where(step >= -PINE_TOLERANCE, 0.0 * flow, flow), period)
    inflow = np.where(np.abs(inflow) <= PINE_TOLERANCE, 0.0, inflow)
    index = 100.0 - 100.0 / (1.0 + ratio(inflow, outflow))
    return np.where(np.abs(outflow) <= PINE_TOLERANCE, 100.0, index)


@compiled
def _compound(returns: F64_1D) -> F64_1D:
    index = np.empty(returns.size)
    level = 1.0
    for t in range(returns.size):
        level += returns[t] * level
        index[t] = level
    return index


def _compounded(close: F64_1D, counts: BOOL_1D) -> F64_1D:
    """Return the index of returns on the bars that count, starting at 1."""
    before = lagged(close, 1)
    returns = ratio(close - before, before)
    defined = counts & np.isfinite(returns) & (close != 0.0)
    return _compound(np.where(defined, returns, 0.0))
