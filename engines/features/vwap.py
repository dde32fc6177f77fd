"""Volume-weighted average price since an anchor.

The anchor is a bool column, True on the first bar of each session (or whatever period the average
restarts with); `session_start` makes one from open times. The bands use the weighted variance
updated by West's method: TradingView subtracts the squared average from the average square, which
cancels near the anchor, where the bands are narrow.
"""

from typing import NamedTuple

import numpy as np

from engines.features._columns import aligned, aligned_mask, require_period, require_positive
from engines.features._compiled import compiled
from engines.features._shared import shared
from engines.types import BOOL_1D, F64_1D, I64_1D


class VwapBands(NamedTuple):
    """The average and the lines a number of standard deviations above and below, [T] each."""

    vwap: F64_1D
    upper: F64_1D
    lower: F64_1D


@shared
def vwap(source: F64_1D, volume: F64_1D, anchor: BOOL_1D) -> F64_1D:
    """Return the volume-weighted average of the source since the last anchor.

    Shape: source, volume, anchor [T] -> [T]; NaN before the first anchor, on NaN bars, and while
    no volume has traded since the anchor.
    Raises: ValueError if the lengths differ.
    Source: TradingView ta.vwap(source, anchor).
    """
    source, volume = aligned(source=source, volume=volume)
    return _anchored_moments(source, volume, aligned_mask("anchor", anchor, source.size))[0]


@shared
def vwap_bands(
    source: F64_1D, volume: F64_1D, anchor: BOOL_1D, multiplier: float = 1.0
) -> VwapBands:
    """Return the VWAP +/- multiplier x the volume-weighted standard deviation since the anchor.

    Shape: source, volume, anchor [T] -> [T] each; NaN where `vwap` is.
    Raises: ValueError if multiplier <= 0 or the lengths differ.
    Source: TradingView ta.vwap(source, anchor, stdev_mult).
    """
    require_positive("multiplier", multiplier)
    source, volume = aligned(source=source, volume=volume)
    anchor = aligned_mask("anchor", anchor, source.size)
    average, spread = _anchored_moments(source, volume, anchor)
    reach = np.sqrt(spread) * multiplier
    return VwapBands(average, average + reach, average - reach)


@shared
def session_start(open_time_ms: I64_1D, session_ms: int, offset_ms: int = 0) -> BOOL_1D:
    """Return where a new session begins: sessions of `session_ms` counted from the epoch + offset.

    The first bar is a start only if it opens exactly at one, since otherwise its session is partly
    unknown.
    Shape: open_time_ms [T] -> bool [T].
    Raises: ValueError if session_ms < 1.
    """
    require_period("session_ms", session_ms)
    elapsed = np.asarray(open_time_ms, dtype=np.int64) - offset_ms
    session = elapsed // session_ms
    starts = np.zeros(session.size, dtype=np.bool_)
    starts[1:] = session[1:] != session[:-1]
    starts[:1] = elapsed[:1] % session_ms == 0
    return starts


@compiled
def _anchored_moments(source: F64_1D, volume: F64_1D, anchor: BOOL_1D) -> tuple[F64_1D, F64_1D]:
    """Return the weighted mean and variance since the last anchor."""
    means = np.full(source.size, np.nan)
    variances = np.full(source.size, np.nan)
    anchored = False
    weight = 0.0
    turnover = 0.0
    mean = 0.0
    squares = 0.0
    for t in range(source.size):
        if anchor[t]:
            anchored = True
            weight = turnover = mean = squares = 0.0
        added = volume[t]
        if not anchored or not np.isfinite(source[t] * added):
            continue
        weight += added
        turnover += source[t] * added
        if weight > 0.0:
            distance = source[t] - mean
            mean += distance * added / weight
            squares += added * distance * (source[t] - mean)
            means[t] = turnover / weight
            variances[t] = max(0.0, squares / weight)
    return means, variances
