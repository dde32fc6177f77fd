"""What the signal strategies share: the bar before, and a stop with its target at the close.

Theory. A strategy decides first when to enter which side; a bar that asks for both asks for
neither. The stop of a decision is known at its close, `multiplier` average true ranges away and, if
the strategy has edges of its own, no nearer than these; the target lies on the other side of the
close, `reward_ratio` times as far. A wish whose stop is undefined (the range is still warming up)
or not on the losing side of the close is passed over: there is no such order.

Strategies are asked for thousands of parameter sets, many of which differ in their levels alone. So
what is decided is shared, by all that it is made of, and stops by the range are a rule,
`RangeBracket`, not columns. A stop that is not behind the close is a rare thing: where that may be
is found once for a range, and only these bars are judged.
"""

from typing import NamedTuple

import numpy as np

from engines.features._columns import column
from engines.features._compiled import compiled
from engines.features._shared import shared
from engines.features.volatility import atr
from engines.klines import Klines
from engines.signals import RangeBracket, Signals
from engines.types import BOOL_1D, F64_1D, I64_1D


@shared
def previous(source: F64_1D, bars: int = 1) -> F64_1D:
    """Return the source of so many bars ago [T], NaN where there is none."""
    values = np.full(source.size, np.nan)
    values[bars:] = source[: max(source.size - bars, 0)]
    return values


def newly(condition: BOOL_1D) -> BOOL_1D:
    """Return where the condition holds and did not on the bar before [T]; False on bar 0."""
    fresh = np.zeros_like(condition)
    np.greater(condition[1:], condition[:-1], out=fresh[1:])
    return fresh


class Decisions(NamedTuple):
    """What a strategy decides at each close, bool [T]: to enter a side, and to leave it."""

    enter_long: BOOL_1D
    enter_short: BOOL_1D
    leave_long: BOOL_1D
    leave_short: BOOL_1D


def decisions(
    wants_long: BOOL_1D,
    wants_short: BOOL_1D,
    leave_long: BOOL_1D | None = None,
    leave_short: BOOL_1D | None = None,
) -> Decisions:
    """Return decisions to enter where one side alone is wanted, and to leave if there is a rule."""
    never = np.zeros(wants_long.size, dtype=np.bool_)
    # A bool is above another where it is so and the other is not: one pass for both.
    return Decisions(
        wants_long > wants_short,
        wants_short > wants_long,
        never if leave_long is None else leave_long,
        never if leave_short is None else leave_short,
    )


def atr_bracketed(
    klines: Klines,
    decided: Decisions,
    period: int,
    multiplier: float,
    reward_ratio: float | None,
    edges: tuple[F64_1D, F64_1D] | None = None,
) -> Signals:
    """Return signals that enter as decided with a stop multiplier x ATR behind the close.

    Given a ratio there is its target; given `edges`, a bottom and a top [T], the stop of a long
    lies no higher than the one, that of a short no lower than the other.
    Source: Wilder (1978) for the range; stops in multiples of it: Turtles, LeBeau.
    """
    ranges = column("ranges", atr(klines.high, klines.low, klines.close, period))
    fixed = (None, None) if edges is None else [column("edge", edge) for edge in edges]
    bracket = RangeBracket(klines.close, ranges, float(multiplier), reward_ratio, *fixed)
    enters = decided.enter_long, decided.enter_short
    rule = klines.close, ranges, bracket.multiplier
    for doubtful in (_near_closes(*rule), *map(_unknown, edges or ())):
        if any(wants[doubtful].any() for wants in enters):
            enters = enters[0].copy(), enters[1].copy()
            _pass_over(doubtful, *rule, *bracket.edges, *enters)
    return Signals(enters[0], decided.leave_long, enters[1], decided.leave_short, bracket=bracket)


@shared
def _near_closes(close: F64_1D, ranges: F64_1D, multiplier: float) -> I64_1D:
    """Return at which bars so many ranges do not lead away from the close, the same for many sets.

    These are few: those of the warm-up, and bars that did not move for long.
    """
    reach = multiplier * ranges
    return _fixed(np.flatnonzero(~((close - reach < close) & (close + reach > close))))


@shared
def _unknown(edge: F64_1D) -> I64_1D:
    """Return at which bars an edge is not known."""
    return _fixed(np.flatnonzero(np.isnan(edge)))


def _fixed(bars: I64_1D) -> I64_1D:
    """Return bars in the one form that `_pass_over` is compiled for."""
    bars.flags.writeable = False
    return bars


@compiled
def _pass_over(
    doubtful: I64_1D, close: F64_1D, ranges: F64_1D, multiplier: float, bottom: F64_1D,
    top: F64_1D, wants_long: BOOL_1D, wants_short: BOOL_1D,
) -> None:  # fmt: skip # what is read, what is judged
    """Take back what is wanted at doubtful bars if its stop would not lie behind the close."""
    for t in doubtful:
        sign = 1.0 if wants_long[t] else -1.0
        stop = close[t] - sign * (multiplier * ranges[t])
        if bottom.size > 0:
            edge = bottom[t] if sign > 0.0 else top[t]
            stop = edge if not sign * stop <= sign * edge and stop == stop else stop
        if not sign * (close[t] - stop) > 0.0:
            wants_long[t], wants_short[t] = False, False
