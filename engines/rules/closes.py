"""Close rules as columns: which positions end at each close.

Theory. A rule is a state (RSI in a zone, price outside a channel) or an event (a crossing, a turn
of the parabolic SAR), taken from the traded bars. Any one of several rules is enough. Comparing
with NaN is false, so an undefined value closes nothing.
"""

from collections.abc import Sequence
from typing import assert_never

import numpy as np

from engines.features.channels import Channel, bollinger, donchian, keltner
from engines.features.events import crossings
from engines.features.moving_averages import ema, sma
from engines.features.oscillators import rsi, slow_stoch
from engines.features.trend import parabolic_sar
from engines.klines import Klines
from engines.plan import (
    AverageClose,
    AverageKind,
    ChannelClose,
    ChannelKind,
    Close,
    PsarClose,
    RsiClose,
    StochasticClose,
)
from engines.rules.sides import Sides
from engines.types import F64_1D


def close_columns(closes: Sequence[Close], klines: Klines) -> Sides | None:
    """Return which positions any of the rules ends, None without a rule."""
    if not closes:
        return None
    close_long = np.zeros(len(klines), dtype=np.bool_)
    close_short = close_long.copy()
    for rule in closes:
        sides = _ended(rule, klines)
        close_long |= sides.long
        close_short |= sides.short
    return Sides(close_long, close_short)


def _ended(rule: Close, klines: Klines) -> Sides:
    match rule:
        case RsiClose():
            return rsi_sides(rule, klines)
        case StochasticClose():
            return stochastic_sides(rule, klines)
        case ChannelClose():
            return channel_sides(rule, klines)
        case AverageClose():
            return average_sides(rule, klines)
        case PsarClose():
            return psar_sides(rule, klines)
        case _ as unknown:
            assert_never(unknown)


def rsi_sides(rule: RsiClose, klines: Klines) -> Sides:
    """End longs while RSI is overbought, shorts while it is oversold."""
    strength = rsi(klines.close, rule.period)
    return Sides(strength >= rule.overbought, strength <= rule.oversold)


def stochastic_sides(rule: StochasticClose, klines: Klines) -> Sides:
    """End longs where %K falls below %D while overbought, shorts mirrored."""
    k, d = slow_stoch(
        klines.high, klines.low, klines.close, rule.k_period, rule.d_period, rule.smooth
    )
    over, under = crossings(k, d)
    return Sides(under & (k >= rule.overbought), over & (k <= rule.oversold))


def channel_sides(rule: ChannelClose, klines: Klines) -> Sides:
    """End longs at or above the upper band, shorts at or below the lower."""
    channel = _channel(rule, klines)
    return Sides(klines.close >= channel.upper, klines.close <= channel.lower)


def average_sides(rule: AverageClose, klines: Klines) -> Sides:
    """End longs where the fast average falls below the slow one, shorts where it rises above."""
    mean = sma if rule.average is AverageKind.SMA else ema
    fast, slow = mean(klines.close, rule.fast), mean(klines.close, rule.slow)
    over, under = crossings(fast, slow)
    return Sides(under, over)


def psar_sides(rule: PsarClose, klines: Klines) -> Sides:
    """End a position on the bar on which the parabolic SAR turns against it."""
    sar = parabolic_sar(klines.high, klines.low, rule.start, rule.step, rule.highest)
    # A falling trend's stop is at the high or above, a rising one's at the low or below; where
    # both or neither hold (a bar without range, the first bar) the trend is the one before.
    trend = (sar <= klines.low).astype(np.int8) - (sar >= klines.high).astype(np.int8)
    known = np.flatnonzero(trend)
    turned = known[1:][trend[known[1:]] != trend[known[:-1]]]
    has_turned = np.zeros(len(klines), dtype=np.bool_)
    has_turned[turned] = True
    return Sides(has_turned & (trend < 0), has_turned & (trend > 0))


def _channel(rule: ChannelClose, klines: Klines) -> Channel:
    if rule.channel is ChannelKind.BOLLINGER:
        return bollinger(klines.close, rule.period, rule.multiplier)
    if rule.channel is ChannelKind.KELTNER:
        columns = klines.close, klines.high, klines.low, klines.close
        return keltner(*columns, rule.period, rule.multiplier)
    # No close can lie beyond a Donchian channel that it is itself part of.
    return Channel(*map(_of_bar_before, donchian(klines.high, klines.low, rule.period)))


def _of_bar_before(values: F64_1D) -> F64_1D:
    return np.concatenate(([np.nan], values[:-1]))
