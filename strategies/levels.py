"""What the signal strategies share: the bar before, and a stop with its target at the close.

Theory. A strategy decides sides first, a column of +1, -1 and 0; a bar that asks for both asks for
neither. The stop of a decision is known at its close, `multiplier` average true ranges away or at a
price of the strategy's own, and the target lies on the other side of the close, `reward_ratio`
times as far. A wish whose stop is undefined (the range is still warming up) or not on the losing
side of the close is passed over: there is no such order.
"""

import numpy as np

from engines.features.volatility import atr
from engines.klines import Klines
from engines.signals import Signals
from engines.types import BOOL_1D, F64_1D


def previous(source: F64_1D, bars: int = 1) -> F64_1D:
    """Return the source of so many bars ago [T], NaN where there is none."""
    values = np.full(source.size, np.nan)
    values[bars:] = source[: max(source.size - bars, 0)]
    return values


def newly(condition: BOOL_1D) -> BOOL_1D:
    """Return where the condition holds and did not on the bar before [T]; False on bar 0."""
    fresh = condition.copy()
    fresh[1:] &= ~condition[:-1]
    fresh[:1] = False
    return fresh


def sides(wants_long: BOOL_1D, wants_short: BOOL_1D) -> F64_1D:
    """Return 1 where only a long is wanted, -1 where only a short, else 0 [T]."""
    return wants_long.astype(np.float64) - wants_short


def atr_stops(klines: Klines, side: F64_1D, period: int, multiplier: float) -> F64_1D:
    """Return the stop price of each decision [T]: the close -/+ multiplier x ATR; NaN without one.

    Source: Wilder (1978) for the range; stops in multiples of it: Turtles, LeBeau.
    """
    distance = multiplier * atr(klines.high, klines.low, klines.close, period)
    return klines.close - np.where(side != 0, side * distance, np.nan)


def bracketed(
    klines: Klines,
    side: F64_1D,
    stop_price: F64_1D,
    reward_ratio: float | None,
    *,
    exit_long: BOOL_1D | None = None,
    exit_short: BOOL_1D | None = None,
) -> Signals:
    """Return signals that enter on `side` [T] with a stop and, given a ratio, its target."""
    distance = klines.close - stop_price  # [T], signed like the side
    wants_long, wants_short = (side > 0) & (distance > 0), (side < 0) & (distance < 0)
    enters = wants_long | wants_short
    target_price = None
    if reward_ratio is not None:
        target_price = np.where(enters, klines.close + reward_ratio * distance, np.nan)
    none = np.zeros(len(klines), dtype=np.bool_)
    return Signals(
        entry_long=wants_long,
        exit_long=none if exit_long is None else exit_long,
        entry_short=wants_short,
        exit_short=none if exit_short is None else exit_short,
        stop_price=np.where(enters, stop_price, np.nan),
        target_price=target_price,
    )
