"""Divergence: price and oscillator disagree between two pivots of the oscillator.

The pivots are the oscillator's; the price is read on the same bars. A pivot is known `right_bars`
later, so every mark stands on the bar that confirms the second pivot, and is causal.
"""

from typing import NamedTuple

import numpy as np

from engines.features._columns import aligned, lagged, mirrored, require_period
from engines.features._shared import shared
from engines.features.events import bars_since, valuewhen
from engines.features.extremes import pivot_low
from engines.types import BOOL_1D, F64_1D


class Divergence(NamedTuple):
    """Where each kind is confirmed, bool [T] each."""

    bullish: BOOL_1D
    hidden_bullish: BOOL_1D
    bearish: BOOL_1D
    hidden_bearish: BOOL_1D


@shared
def divergence(
    oscillator: F64_1D,
    high: F64_1D,
    low: F64_1D,
    left_bars: int = 5,
    right_bars: int = 5,
    bars_apart_min: int = 5,
    bars_apart_max: int = 60,
) -> Divergence:
    """Return where price and oscillator diverge between two successive pivots of the oscillator.

    Bullish: a lower low in price, a higher one in the oscillator; hidden bullish the reverse.
    Bearish and hidden bearish mirror them at the highs. The bars between the pivots, both left
    out, must be within [bars_apart_min, bars_apart_max].
    Shape: oscillator, high, low [T] -> bool [T] each; False until two pivots are confirmed.
    Raises: ValueError if a bar count is negative, the minimum exceeds the maximum or the lengths
    differ.
    Source: TradingView's built-in "RSI Divergence Indicator".
    """
    require_period("bars_apart_min", bars_apart_min, minimum=0)
    require_period("bars_apart_max", bars_apart_max, minimum=bars_apart_min)
    oscillator, high, low = aligned(oscillator=oscillator, high=high, low=low)
    sides = (oscillator, low), (mirrored(oscillator), mirrored(high))
    marks = [
        _at_lows(swings, price, left_bars, right_bars, (bars_apart_min, bars_apart_max))
        for swings, price in sides
    ]
    return Divergence(*marks[0], *marks[1])


def _at_lows(
    oscillator: F64_1D, price: F64_1D, left_bars: int, right_bars: int, apart: tuple[int, int]
) -> tuple[BOOL_1D, BOOL_1D]:
    """Return the regular and the hidden divergence at the lows of the oscillator."""
    found = ~np.isnan(pivot_low(oscillator, left_bars, right_bars))
    found_before = np.zeros(found.size, dtype=np.bool_)
    found_before[1:] = found[:-1]
    between = bars_since(found_before)
    near = found & (between >= apart[0]) & (between <= apart[1])
    swing = lagged(oscillator, right_bars)
    level = lagged(price, right_bars)
    swing_before = valuewhen(found, swing, 1)
    level_before = valuewhen(found, level, 1)
    regular = near & (swing > swing_before) & (level < level_before)
    hidden = near & (swing < swing_before) & (level > level_before)
    return regular, hidden
