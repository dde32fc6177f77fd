"""Closed bars of one symbol and interval, as aligned columns that can be trusted.

Theory. A kline is stamped by its open time and usable only after its close, one interval later.
The columns ascend without duplicates; a gap (a session break, an outage) is known by its times
and never filled. Wrong columns cannot be built: `Klines(...)` checks every row once and names the
first wrong one, so nothing downstream checks again.

Intervals below one day lie on a grid: two opens differ by a whole number of intervals. Days and
weeks of an exchange with summer time are 23 to 25 hours apart, so from one day on only the order
and the distance of nearly one interval are required.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from engines.errors import KlineFault
from engines.types import BOOL_1D, F64_1D, I64_1D

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
WEEK_MS = 7 * DAY_MS
INTERVAL_MS_MAX = 520 * WEEK_MS  # ten years; longer ones overflow times
PRICE_COLUMNS = ("open", "high", "low", "close")


def time_text(time_ms: int) -> str:
    """Return a UTC time as people write it, 2025-01-31 12:45Z."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%MZ")


def parse_interval_ms(text: str) -> int:
    """Return the milliseconds of an interval such as 15m, 1h, 4h, 1d, 1w or TradingView's 15.

    Raises: KlineFault if the text is none of these.
    """
    units = {"s": 1_000, "m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS, "w": WEEK_MS}
    cleaned = text.strip()
    if cleaned.isdecimal():
        cleaned += "m"
    count, unit = cleaned[:-1] or "1", cleaned[-1:]
    # TradingView's M is a month, which has no fixed length; m is a minute.
    unit_ms = units.get(unit.lower()) if unit != "M" else None
    if unit_ms is None or not (count.isascii() and count.isdecimal() and len(count) < 10):
        raise KlineFault("interval", "a count and a unit such as 15m, 4h or 1d", repr(text))
    if not 0 < (interval_ms := int(count) * unit_ms) <= INTERVAL_MS_MAX:
        raise KlineFault("interval", "above zero and at most 520w", repr(text))
    return interval_ms


def interval_text(interval_ms: int) -> str:
    """Return an interval as people write it, the inverse of `parse_interval_ms`."""
    for unit, size in (("w", WEEK_MS), ("d", DAY_MS), ("h", HOUR_MS), ("m", MINUTE_MS)):
        if interval_ms % size == 0:
            return f"{interval_ms // size}{unit}"
    return f"{interval_ms // 1000}s"


@dataclass(frozen=True, slots=True)
class Gap:
    """Bars that are missing between two that are present."""

    after_ms: int
    before_ms: int
    bars_missing: int


@dataclass(frozen=True, slots=True, eq=False)
class Klines:
    """Aligned columns [T] of closed bars; `open_time_ms` is UTC, volume in base currency.

    `others` are further series that a strategy may read (another symbol, another interval), by the
    name the strategy knows them under; read them through `resample.last_closed` and `project`.

    Raises: KlineFault naming the first row that is wrong.
    """

    symbol: str
    interval_ms: int
    open_time_ms: I64_1D
    open: F64_1D
    high: F64_1D
    low: F64_1D
    close: F64_1D
    volume: F64_1D
    turnover: F64_1D | None = None
    others: Mapping[str, "Klines"] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if type(self.interval_ms) is not int or self.interval_ms < 1:
            expected = "a whole number of milliseconds above zero"
            raise KlineFault(f"interval of {self.symbol}", expected, repr(self.interval_ms))
        _check_shapes(self)
        if len(self) == 0:
            raise KlineFault(f"klines of {self.symbol}", "at least one bar", "none")
        self._protect()
        _check_times(self)
        _check_usual_step(self)
        _check_prices(self)

    @classmethod
    def of_columns(cls, symbol: str, interval_ms: int, columns: Mapping[str, Any]) -> "Klines":
        """Return bars of an interval that is known, however far apart: a store's or a stream's.

        Raises: KlineFault as ever, but for bars that usually lie further apart than the interval.
        """
        made = object.__new__(cls)
        object.__setattr__(made, "symbol", symbol)
        object.__setattr__(made, "interval_ms", interval_ms)
        object.__setattr__(made, "others", {})
        for name in ("open_time_ms", *PRICE_COLUMNS, "volume", "turnover"):
            object.__setattr__(made, name, columns.get(name))
        _check_shapes(made)
        made._protect()
        _check_times(made)
        _check_prices(made)
        return made

    def _protect(self) -> None:
        """Keep read-only views: a strategy that writes into a column would change the market."""
        for name in ("open_time_ms", *PRICE_COLUMNS, "volume", "turnover"):
            column = getattr(self, name)
            if column is not None:
                view = column.view()
                view.flags.writeable = False
                object.__setattr__(self, name, view)

    def __len__(self) -> int:
        return len(self.open_time_ms)

    @property
    def close_time_ms(self) -> I64_1D:
        """Return when each bar became usable [T]."""
        return self.open_time_ms + self.interval_ms

    def between(self, start: int, stop: int) -> "Klines":
        """Return the bars with index start <= t < stop, columns shared, not copied.

        `others` keep what was known at the last close: their bars closed by then.
        Raises: KlineFault if there is no such bar.
        """
        part = slice(start, stop)
        if not len(self.open_time_ms[part]):
            raise KlineFault(f"bars {start} to {stop} of {self.symbol}", "at least one bar", "none")
        last_close_ms = int(self.open_time_ms[part][-1]) + self.interval_ms
        others = {
            name: other.between(0, other.index_at(last_close_ms - other.interval_ms + 1))
            for name, other in self.others.items()
            if int(other.open_time_ms[0]) + other.interval_ms <= last_close_ms
        }
        # Rows that were checked once are not judged again: a part of good bars is good.
        cut = object.__new__(Klines)
        for name in ("symbol", "interval_ms"):
            object.__setattr__(cut, name, getattr(self, name))
        for name in ("open_time_ms", *PRICE_COLUMNS, "volume", "turnover"):
            column = getattr(self, name)
            object.__setattr__(cut, name, None if column is None else column[part])
        object.__setattr__(cut, "others", others)
        return cut

    def index_at(self, time_ms: int) -> int:
        """Return the index of the first bar that opens at or after `time_ms` (T if none)."""
        return int(np.searchsorted(self.open_time_ms, time_ms, side="left"))

    def gaps(self) -> list[Gap]:
        """Return every place where bars are missing, in order."""
        return gaps_of(self.open_time_ms, self.interval_ms)

    def require_closed_by(self, now_ms: int) -> None:
        """Raise KlineFault if any bar opens in the future or has not closed at `now_ms`."""
        last_close_ms = int(self.open_time_ms[-1]) + self.interval_ms
        if last_close_ms > now_ms:
            raise KlineFault(
                f"last bar of {self.symbol}, opened {time_text(int(self.open_time_ms[-1]))}",
                f"closed by now, {time_text(now_ms)}",
                f"its close in the future at {time_text(last_close_ms)}",
            )


def gaps_of(open_time_ms: I64_1D, interval_ms: int) -> list[Gap]:
    """Return every place where bars are missing between ascending open times, in order."""
    steps = np.diff(open_time_ms)
    where = np.flatnonzero(steps >= 2 * interval_ms)
    return [
        Gap(
            after_ms=int(open_time_ms[i]),
            before_ms=int(open_time_ms[i + 1]),
            bars_missing=int(steps[i] // interval_ms) - 1,
        )
        for i in where
    ]


def _check_shapes(klines: Klines) -> None:
    columns: Sequence[str] = (*PRICE_COLUMNS, "volume")
    if klines.turnover is not None:
        columns = (*columns, "turnover")
    for name in ("open_time_ms", *columns):
        column = getattr(klines, name)
        wanted = np.int64 if name == "open_time_ms" else np.float64
        if column.dtype != wanted or column.shape != klines.open_time_ms.shape:
            raise KlineFault(
                f"column {name} of {klines.symbol}",
                f"{len(klines)} values of {np.dtype(wanted).name}",
                f"{column.shape} of {column.dtype}",
            )


def _first(mask: BOOL_1D) -> int:
    """Return the index of the first True, or -1."""
    index = int(mask.argmax()) if len(mask) else 0
    return index if len(mask) and mask[index] else -1


def _row(klines: Klines, index: int) -> str:
    return f"bar {index} of {klines.symbol} at {time_text(int(klines.open_time_ms[index]))}"


def _check_times(klines: Klines) -> None:
    steps = np.diff(klines.open_time_ms)
    if (bad := _first(steps == 0)) >= 0:
        raise KlineFault(_row(klines, bad + 1), "a new open time", "a duplicate of the bar before")
    if (bad := _first(steps < 0)) >= 0:
        raise KlineFault(
            _row(klines, bad + 1),
            "open times that ascend",
            f"one earlier than the bar before at {time_text(int(klines.open_time_ms[bad]))}",
        )
    interval_ms = klines.interval_ms
    off_grid = steps % interval_ms != 0 if interval_ms < DAY_MS else steps < interval_ms - HOUR_MS
    if (bad := _first(off_grid)) >= 0:
        raise KlineFault(
            _row(klines, bad + 1),
            f"to open a multiple of {interval_text(interval_ms)} after the bar before",
            f"{steps[bad] / MINUTE_MS:g} minutes",
        )


def _check_usual_step(klines: Klines) -> None:
    """Bars of a longer interval pass the grid test of a shorter one; the usual step tells."""
    interval_ms, steps = klines.interval_ms, np.diff(klines.open_time_ms)
    usual = int(np.median(steps)) if len(steps) else interval_ms
    if usual >= 2 * interval_ms:
        raise KlineFault(
            f"interval of {klines.symbol}",
            f"bars {interval_text(interval_ms)} apart",
            f"bars usually {interval_text(usual)} apart",
        )


def _check_prices(klines: Klines) -> None:
    for name in (*PRICE_COLUMNS, "volume", "turnover"):
        column = getattr(klines, name)
        if column is None:
            continue
        if (bad := _first(~np.isfinite(column))) >= 0:
            raise KlineFault(f"{name} of {_row(klines, bad)}", "a number", f"{column[bad]}")
        wrong = column <= 0 if name in PRICE_COLUMNS else column < 0
        if (bad := _first(wrong)) >= 0:
            expected = "above zero" if name in PRICE_COLUMNS else "zero or more"
            raise KlineFault(f"{name} of {_row(klines, bad)}", expected, f"{column[bad]:g}")
    body_high = np.maximum(klines.open, klines.close)
    body_low = np.minimum(klines.open, klines.close)
    if (bad := _first((klines.high < body_high) | (klines.low > body_low))) >= 0:
        prices = ", ".join(f"{name} {getattr(klines, name)[bad]:g}" for name in PRICE_COLUMNS)
        raise KlineFault(_row(klines, bad), "low <= open and close <= high", prices)
