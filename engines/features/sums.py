"""Sums over a sliding window and from the first bar on.

Theory of operation. A plain running sum drifts: each bar's rounding stays for ever. Summing every
window anew is exact but costs T x period. Pine runs a compensated sum (Kahan) instead: each bar
takes out the entry stored `period` bars ago and puts the new value in, and the rounding lost is
carried into the next bar. What is stored is the amount that really entered, so what leaves is what
had entered. Now and then Pine starts anew from a plain sum of the window, newest value first: on
bars where adding the carry's magnitude to the value rounds down. Both rules are reproduced here,
since `ta.crossover` is exact: one unit in the last place decides a cross on a flat market.

The drift is bounded by the restarts; on a million bars the sum stays within 1e-12 of the exact one
(tests/unit/test_features_sums.py). Source of the two rules: measurements of TradingView by the
PyneCore project (PyneSys, Apache-2.0), `core/rolling_sum.py`; written anew here.
"""

from functools import partial

import numpy as np

from engines.features._columns import column, over_finite, require_period
from engines.features._compiled import compiled
from engines.types import F64_1D


def rolling_sum(source: F64_1D, period: int) -> F64_1D:
    """Return the sum of the last `period` finite values.

    Shape: source [T] -> [T]; NaN until `period` finite values exist, and on NaN bars.
    Raises: ValueError if period < 1.
    Source: TradingView math.sum.
    """
    require_period("period", period)
    return over_finite(partial(_window_sums, period=period), column("source", source))


def cumulative_sum(source: F64_1D) -> F64_1D:
    """Return the sum of all finite values so far.

    Shape: source [T] -> [T]; NaN on NaN bars, which add nothing.
    Source: TradingView ta.cum.
    """
    return over_finite(_prefix_sums, column("source", source))


def _prefix_sums(source: F64_1D) -> F64_1D:
    return np.cumsum(source)


@compiled
def _restarts(carry: float, value: float) -> bool:
    if carry == 0.0 or value == 0.0:
        return False
    size = abs(carry)
    raised = value + size
    if raised == 0.0:
        return False
    return size - (raised - value) > 0.0


@compiled
def _window_sums(source: F64_1D, period: int) -> F64_1D:
    sums = np.full(source.size, np.nan)
    slots = max(1, min(period, source.size))
    entered = np.empty(slots)
    total = 0.0
    carry = 0.0
    for t in range(source.size):
        value = source[t]
        slot = t % slots
        if _restarts(carry, value):
            total = 0.0
            for bars_back in range(min(period, t + 1)):
                total += source[t - bars_back]
            carry = 0.0
            entered[slot] = value
        else:
            kept = total
            added = value - carry
            if t >= period:
                removed = -entered[slot] - carry
                kept = total + removed
                added = value - ((kept - total) - removed)
            total = kept + added
            carry = (total - kept) - added
            entered[slot] = added
        if t >= period - 1:
            sums[t] = total
    return sums
