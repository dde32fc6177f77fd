"""What the signal strategies share: the bar before, and a stop with its target at the close.

Theory. A strategy decides sides first, a column of +1, -1 and 0; a bar that asks for both asks for
neither. The stop of a decision is known at its close, `multiplier` average true ranges away or at a
price of the strategy's own, and the target lies on the other side of the close, `reward_ratio`
times as far. A wish whose stop is undefined (the range is still warming up) or not on the losing
side of the close is passed over: there is no such order.

Sides are small integers, and all columns are made in compiled passes: strategies are asked for
thousands of parameter sets. Stops by the range are a rule, `RangeBracket`, not columns.
"""

from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from engines.features._columns import column
from engines.features._compiled import compiled
from engines.features._shared import shared
from engines.features.volatility import atr
from engines.klines import Klines
from engines.signals import RangeBracket, Signals
from engines.types import BOOL_1D, F64_1D

I8_1D: TypeAlias = npt.NDArray[np.int8]


@shared
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


def atr_bracketed(
    klines: Klines,
    side: I8_1D,
    period: int,
    multiplier: float,
    reward_ratio: float | None,
    *,
    exit_long: BOOL_1D | None = None,
    exit_short: BOOL_1D | None = None,
) -> Signals:
    """Return signals as `bracketed`, whose stop lies multiplier x ATR behind the close.

    Source: Wilder (1978) for the range; stops in multiples of it: Turtles, LeBeau.
    """
    ranges = column("ranges", atr(klines.high, klines.low, klines.close, period))
    bracket = RangeBracket(klines.close, ranges, float(multiplier), reward_ratio)
    bars = len(klines)
    wants_long, wants_short = np.empty(bars, dtype=np.bool_), np.empty(bars, dtype=np.bool_)
    _enter(side, *_behind(klines.close, ranges, bracket.multiplier), wants_long, wants_short)
    leaves = _leaves(bars, exit_long), _leaves(bars, exit_short)
    return Signals(wants_long, leaves[0], wants_short, leaves[1], bracket=bracket)


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
    bars, stop_price = len(klines), column("stop_price", stop_price)
    wants_long, wants_short = np.empty(bars, dtype=np.bool_), np.empty(bars, dtype=np.bool_)
    stops, targets = np.empty(bars), np.empty(0 if reward_ratio is None else bars)
    _bracket(
        klines.close, side, stop_price, float(reward_ratio or 0.0), wants_long, wants_short,
        stops, targets,
    )  # fmt: skip # what is read, what is filled
    leaves = _leaves(bars, exit_long), _leaves(bars, exit_short)
    given = stops, None if reward_ratio is None else targets
    return Signals(wants_long, leaves[0], wants_short, leaves[1], *given)


def _leaves(bars: int, exits: BOOL_1D | None) -> BOOL_1D:
    """Return the wishes to leave, none if a strategy has no such rule."""
    return np.zeros(bars, dtype=np.bool_) if exits is None else exits


class Behind(NamedTuple):
    """Where a stop lies on the losing side of the close, bool [T] for each side."""

    long: BOOL_1D
    short: BOOL_1D


@shared
def _behind(close: F64_1D, ranges: F64_1D, multiplier: float) -> Behind:
    """Return where stops so many ranges from the close lie behind it, the same for many sets."""
    found = Behind(np.empty(close.size, np.bool_), np.empty(close.size, np.bool_))
    _find_behind(close, ranges, multiplier, *found)
    return found


@compiled
def _find_behind(
    close: F64_1D, ranges: F64_1D, multiplier: float, long: BOOL_1D, short: BOOL_1D
) -> None:
    for t in range(close.size):
        reach = multiplier * ranges[t]
        long[t], short[t] = close[t] - reach < close[t], close[t] + reach > close[t]


@compiled
def _enter(
    side: I8_1D, long: BOOL_1D, short: BOOL_1D, wants_long: BOOL_1D, wants_short: BOOL_1D
) -> None:
    for t in range(side.size):
        wants_long[t], wants_short[t] = (side[t] > 0) & long[t], (side[t] < 0) & short[t]


@compiled
def _bracket(
    close: F64_1D, side: I8_1D, stop_price: F64_1D, reward_ratio: float, wants_long: BOOL_1D,
    wants_short: BOOL_1D, stops: F64_1D, targets: F64_1D,
) -> None:  # fmt: skip # what is read, what is filled
    has_targets = targets.size > 0
    for t in range(close.size):
        distance = close[t] - stop_price[t]  # signed like the side
        wants_long[t] = (side[t] > 0) & (distance > 0.0)
        wants_short[t] = (side[t] < 0) & (distance < 0.0)
        is_behind = side[t] * distance > 0.0
        stops[t] = stop_price[t] if is_behind else np.nan
        if has_targets:
            targets[t] = close[t] + reward_ratio * distance if is_behind else np.nan
