"""A market as chains read it: what fills cost, at its opens or at its closes (`chains.columns`)."""

import math
from typing import NamedTuple

import numpy as np

from engines.kernels import slots
from engines.kernels.chains.columns import LINE, SPANS, Opens, on_cache_lines
from engines.kernels.chains.drivers import find_lowest, price_lines
from engines.kernels.columns import F64_2D, Bars, Charges, frozen
from engines.kernels.layout import reach_of
from engines.types import F64_1D


class Opened(NamedTuple):
    """What fills cost on a market, and its bars as those that follow them read them."""

    opens: Opens
    bars: Bars


def opened_of(bars: Bars, charges: Charges, terms: F64_1D) -> Opened:
    """Return what a market's fills cost; the terms of all plans with fills at opens tell the same.

    So do those of all with fills at closes.
    """
    lag = int(terms[slots.SETTLES])
    if lag != 0:
        bars = _with_one_more(bars)
    count = len(bars.prices)
    lines, lowest = on_cache_lines((count + 2) * LINE), np.empty(2 * SPANS * count)
    price_lines(bars.prices, charges.slip_ratio, bars.months, terms, lag, lines)
    find_lowest(bars.prices, lowest)
    return Opened(Opens(lines, lowest, bars.reach, count, lag), bars)


def closes_of(opens: Opens, prices: F64_2D) -> Opens:
    """Return a market whose bars have no price but their close."""
    closes = prices[:, slots.CLOSE].copy()
    if opens.lag != 0:
        closes[-1] = closes[-2]  # of the bar that is one more
    lowest = np.empty_like(opens.lowest)
    find_lowest(frozen(np.column_stack([closes] * 4)), lowest)
    return opens._replace(lowest=lowest, reach=frozen(reach_of(frozen(closes), frozen(closes))))


def _with_one_more(bars: Bars) -> Bars:
    """Return bars with one behind the last, which reaches nothing."""
    prices = np.vstack((bars.prices, np.full(4, np.nan)))
    prices[-1, slots.HIGH], prices[-1, slots.LOW] = -math.inf, math.inf
    reach = reach_of(frozen(prices[:, slots.HIGH]), frozen(prices[:, slots.LOW]))
    return bars._replace(prices=frozen(prices), reach=frozen(reach))
