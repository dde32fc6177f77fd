"""The lower-interval bars inside each traded bar, checked to be of the same market and complete.

Theory. The sub-bars of a bar are those that open from its open on and before its end: its open plus
its interval, or the next bar's open if that comes first (a day of an exchange with summer time has
23 hours; one of 25 is given the hour). Bars between two traded ones, where the traded series has a
gap, belong to none and are left out. What a bar's sub-bars add up to is the bar, else they are of
another market or some are missing, and a stop could silently not be hit.
"""

import numpy as np

from engines.errors import KlineFault
from engines.klines import DAY_MS, HOUR_MS, PRICE_COLUMNS, Klines, interval_text, time_text
from engines.types import F64_1D, I64_1D

# A tick and the noise of two doubles: one tick may lie between two roundings of the same price.
TICKS_APART_MAX = 1.01


def sub_bars(
    klines: Klines, magnifier: Klines, start_bar: int, tick_size: float
) -> tuple[tuple[list[float], ...], list[int]]:
    """Return the open, high, low, close of `magnifier` and where each kline's begin [T + 1].

    Sub-bars of bar t have the indices starts[t] <= index < starts[t + 1]; only bars from
    `start_bar` on must have any.
    Raises: KlineFault if the interval is not a shorter divisor of the klines', or naming the first
    traded bar that has no sub-bar, one that outlives it, or that is not what they add up to.
    """
    _check_intervals(klines, magnifier)
    slack_ms = HOUR_MS if klines.interval_ms >= DAY_MS else 0
    limit_ms = klines.open_time_ms + klines.interval_ms + slack_ms  # [T]
    owner = np.searchsorted(klines.open_time_ms, magnifier.open_time_ms, side="right") - 1  # [M]
    is_kept = (owner >= start_bar) & (magnifier.open_time_ms < limit_ms[owner])
    owner, closed_ms = owner[is_kept], magnifier.close_time_ms[is_kept]
    starts = np.searchsorted(owner, np.arange(len(klines) + 1)).astype(np.int64)
    if len(empty := np.flatnonzero(starts[start_bar + 1 :] == starts[start_bar:-1])):
        expected = "at least one within every traded bar"
        raise _fault(klines, magnifier, start_bar + int(empty[0]), expected, "none")
    if len(outliving := owner[closed_ms > limit_ms[owner]]):
        expected, found = "all to close within the traded bar", "one that closes later"
        raise _fault(klines, magnifier, int(outliving[0]), expected, found)
    columns = [getattr(magnifier, name)[is_kept] for name in PRICE_COLUMNS]
    _check_prices(klines, magnifier, start_bar, tick_size, _sums(columns, starts[start_bar:]))
    return tuple(column.tolist() for column in columns), starts.tolist()


def _check_intervals(klines: Klines, magnifier: Klines) -> None:
    fine_ms, interval_ms = magnifier.interval_ms, klines.interval_ms
    if fine_ms >= interval_ms or interval_ms % fine_ms:
        raise KlineFault(
            f"interval of the magnifier bars of {magnifier.symbol}",
            f"a shorter one that divides {interval_text(interval_ms)}",
            interval_text(fine_ms),
        )


def _sums(columns: list[F64_1D], starts: I64_1D) -> list[F64_1D]:
    """Return the open, high, low, close that sub-bars between `starts` add up to, each [T]."""
    opens, highs, lows, closes = columns
    first, stop = starts[:-1], starts[1:]
    high, low = np.maximum.reduceat(highs, first), np.minimum.reduceat(lows, first)
    return [opens[first], high, low, closes[stop - 1]]


def _check_prices(
    klines: Klines, magnifier: Klines, start_bar: int, tick_size: float, sums: list[F64_1D]
) -> None:
    """Refuse the first traded bar whose sub-bars add up to other prices."""
    bars = np.stack([getattr(klines, name)[start_bar:] for name in PRICE_COLUMNS])
    is_wrong = np.abs(np.stack(sums) - bars) > TICKS_APART_MAX * tick_size  # [4, T]
    if not is_wrong.any():
        return
    bar = int(is_wrong.any(axis=0).argmax())
    row = int(is_wrong[:, bar].argmax())
    expected = f"{PRICE_COLUMNS[row]} {bars[row, bar]:.12g} as the traded bar has"
    raise _fault(klines, magnifier, start_bar + bar, expected, f"{sums[row][bar]:.12g}")


def _fault(klines: Klines, magnifier: Klines, bar: int, expected: str, found: str) -> KlineFault:
    at = time_text(int(klines.open_time_ms[bar]))
    return KlineFault(f"magnifier bars of {magnifier.symbol} in the bar at {at}", expected, found)
