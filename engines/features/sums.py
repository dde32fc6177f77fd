"""Sums over a sliding window and from the first bar on.

Theory of operation. A plain running sum drifts: each bar's rounding stays for ever. Summing every
window anew is exact but costs T x period. Pine runs a compensated sum (Kahan) instead: each bar
takes out the entry stored `period` bars ago and puts the new value in, and the rounding lost is
carried into the next bar. What is stored is the amount that really entered, so what leaves is what
had entered. Now and then Pine starts anew from a plain sum of the window, newest value first: on
bars where adding the carry's magnitude to the value rounds down. Both rules are reproduced here,
since `ta.crossover` is exact: one unit in the last place decides a cross on a flat market.
`_windows` holds the pass over the bars.

The drift is bounded by the restarts; on a million bars the sum stays within 1e-12 of the exact one
(tests/unit/test_features_sums.py). Source of the two rules: measurements of TradingView by the
PyneCore project (PyneSys, Apache-2.0), `core/rolling_sum.py`; written anew here.
"""

from functools import partial

import numpy as np

from engines.features._columns import column, over_finite, over_finite_remembered, require_period
from engines.features._shared import shared
from engines.features._windows import window_sums
from engines.types import F64_1D


@shared
def rolling_sum(source: F64_1D, period: int) -> F64_1D:
    """Return the sum of the last `period` finite values.

    Shape: source [T] -> [T]; NaN until `period` finite values exist, and on NaN bars.
    Raises: ValueError if period < 1.
    Source: TradingView math.sum.
    """
    require_period("period", period)
    return over_finite_remembered(partial(window_sums, period=period), column("source", source))


@shared
def cumulative_sum(source: F64_1D) -> F64_1D:
    """Return the sum of all finite values so far.

    Shape: source [T] -> [T]; NaN on NaN bars, which add nothing.
    Source: TradingView ta.cum.
    """
    return over_finite(_prefix_sums, column("source", source))


def _prefix_sums(source: F64_1D) -> F64_1D:
    return np.cumsum(source)
