"""What the signal strategies share: the bar before, and a stop with its target at the close.

Theory. A strategy decides sides first, a column of +1, -1 and 0; a bar that asks for both asks for
neither. The stop of a decision is known at its close, `multiplier` average true ranges away or at a
price of the strategy's own, and the target lies on the other side of the close, `reward_ratio`
times as far. A wish whose stop is undefined (the range is still warming up) or not on the losing
side of the close is passed over: there is no such order.

Sides are small integers, and each column is made in one compiled pass: strategies are asked for
thousands of parameter sets.
"""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from engines.features._columns import column
from engines.features._compiled import compiled
from engines.features.volatility import atr
from engines.klines import Klines
from engines.signals import Signals
from engines.types import BOOL_1D, F64_1D

I8_1D: TypeAlias = npt.NDArray[np.int8]


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


def sides(wants_long: BOOL_1D, wants_short: BOOL_1D) -> I8_1D:
    """Return 1 where only a long is wanted, -1 where only a short, else 0 [T]."""
    return wants_long.view(np.int8) - wants_short.view(np.int8)


def atr_stops(klines: Klines, side: I8_1D, period: int, multiplier: float) -> F64_1D:
    """Return the stop price of each decision [T]: the close -/+ multiplier x ATR; NaN without one.

    Source: Wilder (1978) for the range; stops in multiples of it: Turtles, LeBeau.
    """
    ranges = atr(klines.high, klines.low, klines.close, period)
    stop_price = np.empty(len(klines))
    _stop(klines.close, side, column("ranges", ranges), float(multiplier), stop_price)
    return stop_price


def bracketed(
    klines: Klines,
    side: I8_1D,
    stop_price: F64_1D,
    reward_ratio: float | None,
    *,
    exit_long: BOOL_1D | None = None,
    exit_short: BOOL_1D | None = None,
) -> Signals:
    """Return signals that enter on `side` [T] with a stop and, given a ratio, its target."""
    bars = len(klines)
    wants_long, wants_short = np.empty(bars, dtype=np.bool_), np.empty(bars, dtype=np.bool_)
    stops, targets = np.empty(bars), np.empty(0 if reward_ratio is None else bars)
    _bracket(
        klines.close, side, column("stop_price", stop_price), float(reward_ratio or 0.0),
        wants_long, wants_short, stops, targets,
    )  # fmt: skip # what is read, what is filled
    none = np.zeros(bars, dtype=np.bool_)
    return Signals(
        entry_long=wants_long,
        exit_long=none if exit_long is None else exit_long,
        entry_short=wants_short,
        exit_short=none if exit_short is None else exit_short,
        stop_price=stops,
        target_price=None if reward_ratio is None else targets,
    )


@compiled
def _stop(
    close: F64_1D, side: I8_1D, ranges: F64_1D, multiplier: float, stop_price: F64_1D
) -> None:
    for t in range(close.size):
        distance = side[t] * (multiplier * ranges[t])
        stop_price[t] = close[t] - (distance if side[t] != 0 else np.nan)


@compiled
def _bracket(
    close: F64_1D,
    side: I8_1D,
    stop_price: F64_1D,
    reward_ratio: float,
    wants_long: BOOL_1D,
    wants_short: BOOL_1D,
    stops: F64_1D,
    targets: F64_1D,
) -> None:
    for t in range(close.size):
        distance = close[t] - stop_price[t]  # signed like the side
        is_long, is_short = (side[t] > 0) & (distance > 0.0), (side[t] < 0) & (distance < 0.0)
        wants_long[t], wants_short[t] = is_long, is_short
        stops[t] = stop_price[t] if is_long | is_short else np.nan
        if targets.size > 0:
            target = close[t] + reward_ratio * distance
            targets[t] = target if is_long | is_short else np.nan
