"""Pivot point levels: price levels for a period, from the period before it.

The anchor is a bool column, True on the first bar of each period (day, week). The period before
the first anchor counts as a period too, though its beginning may be missing, as on TradingView.
"""

from enum import Enum
from typing import NamedTuple

import numpy as np

from engines.features._columns import aligned, aligned_mask
from engines.features._compiled import compiled
from engines.features._shared import shared
from engines.types import BOOL_1D, F64_1D


class PivotKind(Enum):
    """How the levels follow from the last period's prices."""

    TRADITIONAL = "traditional"
    FIBONACCI = "fibonacci"
    WOODIE = "woodie"
    CLASSIC = "classic"
    DEMARK = "demark"
    CAMARILLA = "camarilla"


class PivotLevels(NamedTuple):
    """The pivot, resistances and supports, [T] each; NaN for those a kind does not have."""

    p: F64_1D
    r1: F64_1D
    s1: F64_1D
    r2: F64_1D
    s2: F64_1D
    r3: F64_1D
    s3: F64_1D
    r4: F64_1D
    s4: F64_1D
    r5: F64_1D
    s5: F64_1D


class _Period(NamedTuple):
    """Prices of the last whole period and the open of the current one, [T] each."""

    open_: F64_1D
    high: F64_1D
    low: F64_1D
    close: F64_1D
    open_now: F64_1D


@shared
def pivot_point_levels(
    open_: F64_1D,
    high: F64_1D,
    low: F64_1D,
    close: F64_1D,
    anchor: BOOL_1D,
    kind: PivotKind = PivotKind.TRADITIONAL,
) -> PivotLevels:
    """Return the pivot point levels of the current period, fixed from its first bar on.

    Shape: open_, high, low, close, anchor [T] -> [T] each; NaN before the first anchor that has
    bars before it.
    Raises: ValueError if the lengths differ.
    Source: TradingView ta.pivot_point_levels(type, anchor); its "DM" is DEMARK here.
    """
    open_, high, low, close = aligned(open_=open_, high=high, low=low, close=close)
    anchor = aligned_mask("anchor", anchor, open_.size)
    last = _Period(*_last_periods(open_, high, low, close, anchor))
    levels = _FORMULAS[kind](last)
    missing = [np.full(open_.size, np.nan)] * (len(PivotLevels._fields) - len(levels))
    return PivotLevels(*levels, *missing)


def _traditional(last: _Period) -> list[F64_1D]:
    high, low = last.high, last.low
    span = high - low
    p = (high + low + last.close) / 3.0
    near = [p, 2.0 * p - low, 2.0 * p - high, p + span, p - span]
    third = [2.0 * p - low + span, 2.0 * p - high - span]
    fourth = [3.0 * p + (high - 3.0 * low), 3.0 * p - (3.0 * high - low)]
    fifth = [4.0 * p + (high - 4.0 * low), 4.0 * p - (4.0 * high - low)]
    return near + third + fourth + fifth


def _fibonacci(last: _Period) -> list[F64_1D]:
    p = (last.high + last.low + last.close) / 3.0
    return [p, *_steps(p, last.high - last.low, [0.382, 0.618, 1.0])]


def _woodie(last: _Period) -> list[F64_1D]:
    high, low = last.high, last.low
    span = high - low
    p = (high + low + 2.0 * last.open_now) / 4.0
    third = [high + 2.0 * (p - low), low - 2.0 * (high - p)]
    fourth = [third[0] + span, third[1] - span]
    return [p, 2.0 * p - low, 2.0 * p - high, p + span, p - span, *third, *fourth]


def _classic(last: _Period) -> list[F64_1D]:
    high, low = last.high, last.low
    p = (high + low + last.close) / 3.0
    return [p, 2.0 * p - low, 2.0 * p - high, *_steps(p, high - low, [1.0, 2.0, 3.0])]


def _demark(last: _Period) -> list[F64_1D]:
    open_, high, low, close = last.open_, last.high, last.low, last.close
    risen = np.where(close > open_, 2.0 * high + low + close, high + low + 2.0 * close)
    base = np.where(close < open_, high + 2.0 * low + close, risen)
    return [base / 4.0, base / 2.0 - low, base / 2.0 - high]


def _camarilla(last: _Period) -> list[F64_1D]:
    high, low, close = last.high, last.low, last.close
    p = (high + low + close) / 3.0
    steps = _steps(close, 1.1 * (high - low), [1.0 / 12.0, 1.0 / 6.0, 1.0 / 4.0, 1.0 / 2.0])
    with np.errstate(divide="ignore", invalid="ignore"):
        fifth = high / low * close
    return [p, *steps, fifth, close - (fifth - close)]


def _steps(centre: F64_1D, span: F64_1D, factors: list[float]) -> list[F64_1D]:
    """Return centre + and - factor x span for each factor in turn."""
    return [centre + sign * factor * span for factor in factors for sign in (1.0, -1.0)]


_FORMULAS = {
    PivotKind.TRADITIONAL: _traditional,
    PivotKind.FIBONACCI: _fibonacci,
    PivotKind.WOODIE: _woodie,
    PivotKind.CLASSIC: _classic,
    PivotKind.DEMARK: _demark,
    PivotKind.CAMARILLA: _camarilla,
}


@compiled
def _last_periods(
    open_: F64_1D, high: F64_1D, low: F64_1D, close: F64_1D, anchor: BOOL_1D
) -> tuple[F64_1D, F64_1D, F64_1D, F64_1D, F64_1D]:
    opens = np.full(open_.size, np.nan)
    highs = np.full(open_.size, np.nan)
    lows = np.full(open_.size, np.nan)
    closes = np.full(open_.size, np.nan)
    opens_now = np.full(open_.size, np.nan)
    last_open = last_high = last_low = last_close = np.nan
    open_now = high_now = low_now = np.nan
    for t in range(open_.size):
        if t == 0 or anchor[t]:
            if t > 0:
                last_open, last_high, last_low = open_now, high_now, low_now
                last_close = close[t - 1]
            open_now, high_now, low_now = open_[t], high[t], low[t]
        high_now = max(high_now, high[t])
        low_now = min(low_now, low[t])
        opens[t] = last_open
        highs[t] = last_high
        lows[t] = last_low
        closes[t] = last_close
        opens_now[t] = open_now
    return opens, highs, lows, closes, opens_now
