"""Market filters as columns: who may enter at each close.

Theory. Every filter measures one column on the series it looks at (`views`) and compares it with
its limits. Several filters hold together. Comparing with NaN is false, so an undefined measure
allows nothing, on either side.
"""

from collections.abc import Sequence
from typing import assert_never

import numpy as np

from engines.features.extremes import highest, lowest
from engines.features.moving_averages import ema, sma
from engines.features.oscillators import rsi
from engines.features.ranks import percent_rank
from engines.features.regime import hurst
from engines.features.volatility import volatility_percentile
from engines.klines import Klines
from engines.plan import (
    AverageKind,
    Filter,
    RangeFilter,
    Regime,
    RegimeFilter,
    RsiFilter,
    TrendFilter,
    TrendMode,
    VolatilityFilter,
    VolumeFilter,
)
from engines.rules.sides import Sides
from engines.rules.views import View, view_of


def filter_columns(filters: Sequence[Filter], klines: Klines) -> Sides | None:
    """Return who may enter with all filters together, None without a filter.

    Raises: PlanFault if a filter names an unknown series or an interval that does not fit it.
    """
    if not filters:
        return None
    views: dict[tuple[str, str | None], View] = {}
    may_long = np.ones(len(klines), dtype=np.bool_)
    may_short = may_long.copy()
    for filter in filters:
        key = filter.source, filter.interval
        if key not in views:
            views[key] = view_of(klines, *key)
        sides = _allowed(filter, views[key])
        may_long &= sides.long
        may_short &= sides.short
    return Sides(may_long, may_short)


def _allowed(filter: Filter, view: View) -> Sides:
    match filter:
        case VolatilityFilter():
            return volatility_sides(filter, view)
        case VolumeFilter():
            return volume_sides(filter, view)
        case TrendFilter():
            return trend_sides(filter, view)
        case RsiFilter():
            return rsi_sides(filter, view)
        case RangeFilter():
            return range_sides(filter, view)
        case RegimeFilter():
            return regime_sides(filter, view)
        case _ as unknown:
            assert_never(unknown)


def volatility_sides(filter: VolatilityFilter, view: View) -> Sides:
    """Allow both sides where ATR / close ranks from low to high among the bars before."""
    rank = view.measured(
        lambda bars: volatility_percentile(
            bars.high, bars.low, bars.close, filter.atr_period, filter.bars
        )
    )
    ratio = rank / 100.0
    is_between = (ratio >= filter.low) & (ratio <= filter.high)
    return Sides(is_between, is_between)


def volume_sides(filter: VolumeFilter, view: View) -> Sides:
    """Allow both sides where the volume ranks at low or above among the bars before."""
    rank = view.measured(lambda bars: percent_rank(bars.volume, filter.bars))
    is_enough = rank / 100.0 >= filter.low
    return Sides(is_enough, is_enough)


def trend_sides(filter: TrendFilter, view: View) -> Sides:
    """Allow the side of the average on which the newest close lies, or the other one (AGAINST)."""
    mean = sma if filter.average is AverageKind.SMA else ema
    average = view.measured(lambda bars: mean(bars.close, filter.period))
    is_above = view.close > average * (1 + filter.neutral_ratio)
    is_below = view.close < average * (1 - filter.neutral_ratio)
    if filter.mode is TrendMode.AGAINST:
        return Sides(is_below, is_above)
    return Sides(is_above, is_below)


def rsi_sides(filter: RsiFilter, view: View) -> Sides:
    """Allow longs below overbought, shorts above oversold."""
    strength = view.measured(lambda bars: rsi(bars.close, filter.period))
    return Sides(strength < filter.overbought, strength > filter.oversold)


def range_sides(filter: RangeFilter, view: View) -> Sides:
    """Allow both sides where the span of the last bars is wide enough."""
    span = view.measured(
        lambda bars: (highest(bars.high, filter.bars) - lowest(bars.low, filter.bars)) / bars.close
    )
    is_wide = span >= filter.ratio_min
    return Sides(is_wide, is_wide)


def regime_sides(filter: RegimeFilter, view: View) -> Sides:
    """Allow both sides where the Hurst exponent says trend, or range."""
    exponent = view.measured(lambda bars: hurst(bars.close, filter.bars))
    if filter.regime is Regime.TREND:
        is_regime = exponent > filter.trend_min
    else:
        is_regime = exponent < filter.range_max
    return Sides(is_regime, is_regime)
