"""What equity did month by month, and its deepest falls and highest rises.

Theory. Equity at bar closes is walked once with its running extreme, capital included. A *drawdown*
lasts from a running maximum until equity is back at it, a *run-up* (its mirror) from a running
minimum until equity is back at that; each has one turn, its worst or best bar. Depth is over the
extreme from which it is measured; over an extreme of zero or less it is undefined.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from engines.types import F64_1D, I64_1D


@dataclass(frozen=True, slots=True)
class Period:
    """A fall (or a rise) of equity; bars count from 0, `end_bar` is None while it lasts.

    `from_bar` is the bar of the extreme it starts from, -1 for the capital before the first bar.
    `depth_quote` >= 0, `depth_ratio` is over the extreme.
    """

    from_bar: int
    turn_bar: int
    end_bar: int | None
    depth_quote: float
    depth_ratio: float


def drawdown_periods(equity_quote: F64_1D, capital_quote: float, count: int) -> list[Period]:
    """Return the `count` deepest drawdowns of equity [T], the deepest (in quote) first."""
    peak = np.maximum(np.maximum.accumulate(equity_quote), capital_quote)
    return _periods(peak - equity_quote, peak, count)


def run_up_periods(equity_quote: F64_1D, capital_quote: float, count: int) -> list[Period]:
    """Return the `count` highest run-ups of equity [T], the highest (in quote) first."""
    trough = np.minimum(np.minimum.accumulate(equity_quote), capital_quote)
    return _periods(equity_quote - trough, trough, count)


def _periods(distance: F64_1D, extreme: F64_1D, count: int) -> list[Period]:
    """Return the stretches in which `distance` is above zero, the largest first."""
    away = np.concatenate(([False], distance > 0, [False]))
    starts = np.flatnonzero(away[1:] & ~away[:-1])
    stops = np.flatnonzero(~away[1:] & away[:-1])
    if not len(starts):
        return []
    # Pairs of (start, stop): every second slice is a stretch; a stop past the end is no index.
    edges = np.column_stack((starts, stops)).ravel()
    depths = np.maximum.reduceat(distance, edges[:-1] if stops[-1] == len(distance) else edges)
    order = np.argsort(-depths[::2], kind="stable")[:count]
    periods = []
    for start, stop in zip(starts[order].tolist(), stops[order].tolist(), strict=True):
        turn = start + int(np.argmax(distance[start:stop]))
        depth, base = float(distance[turn]), float(extreme[turn])
        ratio = depth / base if base > 0 else math.nan
        end = stop if stop < len(distance) else None
        periods.append(Period(start - 1, turn, end, depth, ratio))
    return periods


def month_returns(
    equity_quote: F64_1D, open_time_ms: I64_1D, capital_quote: float
) -> list[tuple[int, int, float]]:
    """Return (year, month, return of equity at bar closes) of each UTC month that has a bar.

    A bar belongs to the month of its open; the first return is over capital. NaN over an equity of
    zero or less.
    """
    month = open_time_ms.astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64)
    ends = np.flatnonzero(np.append(month[1:] != month[:-1], True))
    marks = [capital_quote, *equity_quote[ends].tolist()]
    returns = [now / before - 1.0 if before > 0 else math.nan for before, now in pairwise(marks)]
    return [
        (1970 + number // 12, number % 12 + 1, value)
        for number, value in zip(month[ends].tolist(), returns, strict=True)
    ]
