"""Banks: one feature for many periods, a row each, as a sweep wants them.

Each row equals the feature of its period in every bit. What a bank saves beside calls of the
feature: recurrences of many periods advance side by side in vector registers (`_banks`), on as many
threads as Numba is given; what all of them read of a bar, and the sums that seed them, is computed
once; and all rows lie in one table, which a caller that asks again hands back as `out`, since fresh
memory costs as much as an average.
"""

from collections.abc import Callable, Sequence

import numpy as np

from engines.features._banks import exponential_rows, strength_rows, wilder_rows
from engines.features._columns import aligned, column, require_period
from engines.features._recursions import ranges_of
from engines.features._windows import first_sums, window_sums
from engines.features.moving_averages import ema, rma, sma
from engines.features.oscillators import rsi
from engines.features.volatility import atr
from engines.types import F64_1D, F64_2D, I64_1D


def sma_bank(source: F64_1D, periods: Sequence[int], out: F64_2D | None = None) -> F64_2D:
    """Return the simple moving averages of the periods.

    Shape: source [T], P periods -> [P, T], each row as `moving_averages.sma`; `out` if given.
    Raises: ValueError if a period < 1 or `out` is no such table.
    """
    source = column("source", source)

    def fill(counts: I64_1D, rows: F64_2D) -> None:
        for row, period in zip(rows, counts.tolist(), strict=True):
            window_sums(source, period, row)
            row /= period

    return _bank(source.size, periods, fill, lambda period: sma(source, period), out)


def ema_bank(source: F64_1D, periods: Sequence[int], out: F64_2D | None = None) -> F64_2D:
    """Return the exponential moving averages of the periods.

    Shape: source [T], P periods -> [P, T], each row as `moving_averages.ema`; `out` if given.
    Raises: ValueError if a period < 1 or `out` is no such table.
    """
    source = column("source", source)

    def fill(counts: I64_1D, rows: F64_2D) -> None:
        exponential_rows(source, counts, _seeds(source, counts), rows)

    return _bank(source.size, periods, fill, lambda period: ema(source, period), out)


def rma_bank(source: F64_1D, periods: Sequence[int], out: F64_2D | None = None) -> F64_2D:
    """Return Wilder's smoothings of the periods.

    Shape: source [T], P periods -> [P, T], each row as `moving_averages.rma`; `out` if given.
    Raises: ValueError if a period < 1 or `out` is no such table.
    """
    source = column("source", source)

    def fill(counts: I64_1D, rows: F64_2D) -> None:
        wilder_rows(source, counts, _seeds(source, counts), rows)

    return _bank(source.size, periods, fill, lambda period: rma(source, period), out)


def rsi_bank(source: F64_1D, periods: Sequence[int], out: F64_2D | None = None) -> F64_2D:
    """Return the relative strength indices of the periods.

    Shape: source [T], P periods -> [P, T], each row as `oscillators.rsi`; `out` if given.
    Raises: ValueError if a period < 1 or `out` is no such table.
    """
    source = column("source", source)

    def fill(counts: I64_1D, rows: F64_2D) -> None:
        steps = np.diff(source[: counts.max() + 1])
        rises, falls = np.maximum(steps, 0.0), np.maximum(-steps, 0.0)
        strength_rows(source, counts, _seeds(rises, counts), _seeds(falls, counts), rows)

    def feature(period: int) -> F64_1D:
        return rsi(source, period)

    return _bank(source.size, periods, fill, feature, out, bars_before=1)  # steps, not values


def atr_bank(
    high: F64_1D, low: F64_1D, close: F64_1D, periods: Sequence[int], out: F64_2D | None = None
) -> F64_2D:
    """Return the average true ranges of the periods.

    Shape: high, low, close [T], P periods -> [P, T], each row as `volatility.atr`; `out` if given.
    Raises: ValueError if a period < 1, the lengths differ or `out` is no such table.
    """
    high, low, close = aligned(high=high, low=low, close=close)

    def fill(counts: I64_1D, rows: F64_2D) -> None:
        ranges = column("ranges", ranges_of(high, low, close))
        wilder_rows(ranges, counts, _seeds(ranges, counts), rows)

    return _bank(close.size, periods, fill, lambda period: atr(high, low, close, period), out)


def _seeds(source: F64_1D, counts: I64_1D) -> F64_1D:
    """Return the SMA of the first values [P], as many as each count says."""
    sums = first_sums(column("source", source[: counts.max()]))
    return sums[counts - 1] / counts


def _bank(
    bars: int,
    periods: Sequence[int],
    fill: Callable[[I64_1D, F64_2D], None],
    feature: Callable[[int], F64_1D],
    out: F64_2D | None,
    bars_before: int = 0,
) -> F64_2D:
    """Return a table whose rows `fill` fills, or the feature where a bar is not finite.

    Every feature here remembers such a bar: then its last value is not finite either. All rows are
    the feature's where the longest period and the `bars_before` it are more than there are.
    """
    for period in periods:
        require_period("period", period)
    counts = np.array(periods, dtype=np.int64)
    rows = np.empty((counts.size, bars)) if out is None else _table(out, (counts.size, bars))
    is_filled = counts.size > 0 and counts.max() + bars_before <= bars
    if is_filled:
        with np.errstate(invalid="ignore"):  # what is not finite shows in the last value
            fill(counts, rows)
    for row, period in zip(rows, counts.tolist(), strict=True):
        if not is_filled or not np.isfinite(row[-1]):
            row[:] = feature(period)
    return rows


def _table(out: F64_2D, shape: tuple[int, int]) -> F64_2D:
    """Return the table to fill if it is one."""
    is_plain = out.flags.c_contiguous and out.flags.writeable and out.dtype == np.float64
    if out.shape != shape or not is_plain:
        kind = "writable, C-contiguous" if is_plain else "other"
        found = f"{out.shape} of {out.dtype}, {kind}"
        raise ValueError(f"out must be a writable, C-contiguous {shape} of float64, found {found}")
    return out
